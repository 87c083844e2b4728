// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	containerregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/pkg/errors"
)

// A registry serves container images, to whom it is listening for, without
// asking who it is.
type registry struct {
	address string
	server  *http.Server
}

// startRegistry serves a registry, whose blobs are files, at a free port of the
// cluster's address, or at the one that a foreign cluster knows. The address is a
// private one, so clients use plain HTTP.
func (c *Cluster) startRegistry(ctx context.Context) error {
	blobs := c.path("registry")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		return errors.Wrap(err, "cannot make the folder of the registry")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(c.HostAddress(), strconv.Itoa(int(c.foreign.host.Port()))))
	if err != nil {
		return errors.Wrap(err, "cannot listen for the registry")
	}
	c.registry = &registry{address: l.Addr().String(), server: &http.Server{
		Handler: containerregistry.New(
			containerregistry.WithBlobHandler(containerregistry.NewDiskBlobHandler(blobs)),
			containerregistry.Logger(log.New(io.Discard, "", 0))),
		ReadHeaderTimeout: 10 * time.Second,
	}}
	go func() { _ = c.registry.server.Serve(l) }() // Until close.
	c.progress.sayf("registry listens at %s", c.registry.address)
	return nil
}

func (r *registry) close() error { return errors.Wrap(r.server.Close(), "cannot close the registry") }

// Registry is the host and port of the registry to push images to. It is spoken
// to in plain HTTP and asks for no credentials.
func (c *Cluster) Registry() string { return c.registry.address }

// RegistryInCluster is the host and port by which Crossplane and the kubelet
// name images of the registry.
func (c *Cluster) RegistryInCluster() string { return c.registry.address }

// push makes an image and pushes it to the registry.
func (c *Cluster) push(ctx context.Context, ref string, i image) error {
	r, err := name.ParseReference(c.Registry() + "/" + ref)
	if err != nil {
		return errors.Wrapf(err, "cannot push %s", ref)
	}
	img, err := i.build()
	if err != nil {
		return errors.Wrapf(err, "cannot build the image %s", ref)
	}
	return errors.Wrapf(remote.Write(r, img, remote.WithContext(ctx)), "cannot push %s", ref)
}
