// SPDX-License-Identifier: Apache-2.0

// Command function is a Crossplane composition function for the end-to-end tests. It
// composes what a platform team would let its users order in one piece: an AivenApplication,
// and a Deployment that runs with the credentials which the provider publishes for it.
package main

import (
	"flag"
	"log"
	"os"

	function "github.com/crossplane/function-sdk-go"
)

func main() {
	// Crossplane runs the image with this variable and without arguments.
	certs := flag.String("tls-server-certs-dir", os.Getenv("TLS_SERVER_CERTS_DIR"), "folder with tls.crt, tls.key, and ca.crt of the clients")
	insecure := flag.Bool("insecure", false, "serve without TLS, for crossplane render")
	listen := flag.String("listen", function.DefaultAddress, "address of the gRPC server")
	flag.Parse()
	log.Fatal(function.Serve(&shop{},
		function.Listen(function.DefaultNetwork, *listen),
		function.MTLSCertificates(*certs),
		function.Insecure(*insecure),
		function.WithMetricsServer(""))) // Nobody reads them.
}
