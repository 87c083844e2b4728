// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"
	discoveryv1 "k8s.io/api/discovery/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane/process"
)

const (
	core        = "crossplane"
	rbacManager = "crossplane-rbac-manager"

	tlsServer = "crossplane-tls-server"
	tlsClient = "crossplane-tls-client"

	webhooks = "crossplane-webhooks"
)

// hosted are the services that stand for Crossplane's Pods.
var hosted = []string{core, rbacManager}

// noReplicas makes what packages run a Deployment without Pods, which the
// Deployment controller calls available.
const noReplicas = `{"spec":{"deploymentTemplate":{"spec":{"replicas":0,"selector":{},"template":{}}}}}`

// Run starts a program as a process of the cluster, which stands for a Pod that
// the cluster does not have; see RunPods for those that it has. Its output goes
// to NAME.log in LogDir. Stop ends it if the caller has not. See KubeconfigFor
// for whom it may be.
func (c *Cluster) Run(name string, cmd *exec.Cmd) (*process.Process, error) {
	return c.services.adopt(service{name: name, guest: true}, cmd)
}

// startCrossplane does what Crossplane's Pods do, with their rights, and returns
// when it is ready.
func (c *Cluster) startCrossplane(ctx context.Context, source string, activations []string) error {
	coreConfig, err := c.KubeconfigFor(ctx, Namespace, "crossplane")
	if err != nil {
		return err
	}
	rbacConfig, err := c.KubeconfigFor(ctx, Namespace, "rbac-manager")
	if err != nil {
		return err
	}
	if err := c.initialize(ctx, coreConfig, source, activations); err != nil {
		return err
	}
	if err := c.withoutPods(ctx); err != nil {
		return err
	}
	free, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	webhook, metrics, health := free[0], free[1], free[2]
	if err := c.exposeWebhooks(ctx, webhook); err != nil {
		return err
	}
	for _, dir := range []string{"xpkg", "xfn"} {
		if err := os.MkdirAll(c.path("cache", dir), 0o700); err != nil {
			return errors.Wrap(err, "cannot make the folder of a cache")
		}
	}
	env := append(podEnv(coreConfig),
		"TLS_SERVER_SECRET_NAME="+tlsServer, "TLS_SERVER_CERTS_DIR="+c.path("tls", tlsServer),
		"TLS_CLIENT_SECRET_NAME="+tlsClient, "TLS_CLIENT_CERTS_DIR="+c.path("tls", tlsClient),
		"XPKG_CACHE_DIR="+c.path("cache", "xpkg"), "XFN_CACHE_DIR="+c.path("cache", "xfn"),
		"WEBHOOK_PORT="+strconv.Itoa(webhook), "METRICS_PORT="+strconv.Itoa(metrics), "HEALTH_PROBE_PORT="+strconv.Itoa(health))
	if err := c.services.start(service{name: core, path: c.crossplane(), args: []string{"core", "start"}, env: env}); err != nil {
		return err
	}
	rbac := service{name: rbacManager, path: c.crossplane(), args: []string{"rbac", "start", "--provider-clusterrole=crossplane:allowed-provider-permissions"}, env: podEnv(rbacConfig)}
	if err := c.services.start(rbac); err != nil {
		return err
	}
	return c.wait(ctx, "Crossplane to be ready", func(ctx context.Context) (bool, error) {
		return answers(ctx, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(health))+"/readyz"), nil
	})
}

// podEnv is the environment of all of Crossplane's programs.
func podEnv(kubeconfig string) []string {
	return []string{"KUBECONFIG=" + kubeconfig, "POD_NAMESPACE=" + Namespace, "POD_SERVICE_ACCOUNT=crossplane", "LEADER_ELECTION=false"}
}

// initialize does what the init container does, as often as it takes: it fails
// while its rights are being aggregated, and once because the definitions that
// it makes are not served yet. Then it makes files of the certificates.
func (c *Cluster) initialize(ctx context.Context, kubeconfig, source string, activations []string) error {
	args := []string{"core", "init"}
	for _, a := range activations {
		args = append(args, "--activation", a)
	}
	var last error
	err := c.wait(ctx, "the initialization of Crossplane", func(ctx context.Context) (bool, error) {
		cmd := exec.CommandContext(ctx, c.crossplane(), args...)
		cmd.Env = append(append(cmd.Environ(), podEnv(kubeconfig)...),
			"CRDS_PATH="+filepath.Join(source, "cluster", "crds"), "WEBHOOK_CONFIGS_PATH="+filepath.Join(source, "cluster", "webhookconfigurations"),
			"TLS_CA_SECRET_NAME=crossplane-root-ca", "TLS_SERVER_SECRET_NAME="+tlsServer, "TLS_CLIENT_SECRET_NAME="+tlsClient,
			"WEBHOOK_SERVICE_NAME="+webhooks, "WEBHOOK_SERVICE_NAMESPACE="+Namespace, "WEBHOOK_SERVICE_PORT=9443")
		last = run(cmd)
		return last == nil, nil
	})
	if err != nil {
		return errors.Wrap(err, fmt.Sprint(last))
	}
	for _, name := range []string{tlsServer, tlsClient} {
		if err := c.writeSecret(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// writeSecret makes files of a Secret, as a volume of a Pod has them.
func (c *Cluster) writeSecret(ctx context.Context, name string) error {
	s, err := c.kube.CoreV1().Secrets(Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return errors.Wrapf(err, "cannot get the Secret %s", name)
	}
	if err := os.MkdirAll(c.path("tls", name), 0o700); err != nil {
		return errors.Wrap(err, "cannot make the folder of a Secret")
	}
	for key, value := range s.Data {
		if err := os.WriteFile(c.path("tls", name, key), value, 0o600); err != nil {
			return errors.Wrapf(err, "cannot write the Secret %s", name)
		}
	}
	return nil
}

// withoutPods makes what packages run have no Pods by default.
func (c *Cluster) withoutPods(ctx context.Context) error {
	dc, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return errors.Wrap(err, "cannot make a client")
	}
	configs := schema.GroupVersionResource{Group: "pkg.crossplane.io", Version: "v1beta1", Resource: "deploymentruntimeconfigs"}
	_, err = dc.Resource(configs).Patch(ctx, "default", types.MergePatchType, []byte(noReplicas), metav1.PatchOptions{})
	return errors.Wrap(err, "cannot change the default DeploymentRuntimeConfig")
}

// exposeWebhooks tells the API server that the webhooks' Service is at a port
// of this machine. An endpoint may not be of the loopback interface.
func (c *Cluster) exposeWebhooks(ctx context.Context, port int) error {
	address, err := addressBesidesLoopback()
	if err != nil {
		return err
	}
	svc, err := c.kube.CoreV1().Services(Namespace).Get(ctx, webhooks, metav1.GetOptions{})
	if err != nil {
		return errors.Wrap(err, "cannot get the Service of the webhooks")
	}
	slices := c.kube.DiscoveryV1().EndpointSlices(Namespace)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   webhooks + "-process",
			Labels: map[string]string{discoveryv1.LabelServiceName: webhooks, discoveryv1.LabelManagedBy: "provider-aiven-node"},
			// So it goes with the Service.
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: svc.Name, UID: svc.UID}},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new(""), Port: new(int32(port))}}, //nolint:gosec // A port has 16 bits.
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	}
	if err := slices.Delete(ctx, slice.Name, metav1.DeleteOptions{}); err != nil && !kerrors.IsNotFound(err) {
		return errors.Wrap(err, "cannot delete the endpoints of the webhooks")
	}
	_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
	return errors.Wrap(err, "cannot create the endpoints of the webhooks")
}

// answers reports whether a URL answers that all is well.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = rsp.Body.Close()
	return rsp.StatusCode == http.StatusOK
}
