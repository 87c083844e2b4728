// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pkg/errors"
	authenticationv1 "k8s.io/api/authentication/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// Namespace is where Crossplane is installed.
	Namespace = "crossplane-system"

	release         = "crossplane"
	crossplaneImage = "crossplane/crossplane"

	// tokenValidity is longer than a cluster lives.
	tokenValidity = 24 * time.Hour
)

// InstallCrossplane installs Crossplane from its Helm chart, and returns when it
// is ready. The activations are those of the default activation policy; with
// none no such policy is made, and packages that wait to be activated do. It may
// be called again after UninstallCrossplane, which leaves a policy in place.
//
// At LevelProcesses the chart's Deployments have no replicas: its programs run
// as processes. The same is so for packages, unless their
// DeploymentRuntimeConfig says something else; see Run.
func (c *Cluster) InstallCrossplane(ctx context.Context, activations []string) error {
	source := c.bin.source
	if c.level.RealPods() {
		i := image{binary: c.crossplane(), user: "65532:65532", trees: map[string]string{
			"crds": filepath.Join(source.Dir, "cluster", "crds"), "webhookconfigurations": filepath.Join(source.Dir, "cluster", "webhookconfigurations"),
		}}
		if err := c.push(ctx, crossplaneImage+":"+source.Version, i); err != nil {
			return err
		}
		c.progress.sayf("Crossplane's image is pushed")
	}
	values, err := c.chartValues(source.Version, activations)
	if err != nil {
		return err
	}
	args := []string{"upgrade", "--install", release, filepath.Join(source.Dir, "cluster", "charts", "crossplane"), "--create-namespace"}
	if c.level.RealPods() {
		args = append(args, "--wait", "--timeout="+waitTimeout.String())
	}
	if err := c.helm(ctx, append(args, values...)...); err != nil {
		return errors.Wrap(err, "cannot install Crossplane")
	}
	if !c.level.RealPods() {
		if err := c.startCrossplane(ctx, source.Dir, activations); err != nil {
			return err
		}
	}
	c.progress.sayf("Crossplane %s is ready", source.Version)
	return nil
}

// chartValues returns the arguments with the chart's values.
func (c *Cluster) chartValues(version string, activations []string) ([]string, error) {
	if activations == nil {
		activations = []string{}
	}
	list, err := json.Marshal(activations)
	if err != nil {
		return nil, errors.Wrap(err, "cannot encode activations")
	}
	values := []string{
		"--set=image.repository=" + c.RegistryInCluster() + "/" + crossplaneImage, "--set=image.tag=" + version,
		"--set-json=provider.defaultActivations=" + string(list),
		// A tenth of a processor is what takes the longest.
		"--set-json=resourcesCrossplane={}", "--set-json=resourcesRBACManager={}",
	}
	if !c.level.RealPods() {
		values = append(values, "--set=replicas=0", "--set=rbacManager.replicas=0")
	}
	return values, nil
}

// UninstallCrossplane removes what InstallCrossplane installed, as its users do:
// definitions, their objects and the configuration of webhooks stay.
func (c *Cluster) UninstallCrossplane(ctx context.Context) error {
	if err := c.services.remove(hosted...); err != nil {
		return err
	}
	if err := c.helm(ctx, "uninstall", release, "--wait", "--cascade=foreground", "--timeout="+waitTimeout.String()); err != nil {
		return errors.Wrap(err, "cannot uninstall Crossplane")
	}
	c.progress.sayf("Crossplane is uninstalled")
	return nil
}

// crossplane returns the path of Crossplane's program.
func (c *Cluster) crossplane() string { return filepath.Join(c.bin.crossplane, "crossplane") }

// helm runs Helm, whose own files are in the cluster's folder.
func (c *Cluster) helm(ctx context.Context, args ...string) error {
	args = append(args, "--namespace="+Namespace, "--kubeconfig="+c.Kubeconfig())
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin.crossplane, "helm"), args...)
	cmd.Env = cmd.Environ()
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"} {
		cmd.Env = append(cmd.Env, name+"="+c.path("helm"))
	}
	return run(cmd)
}

// KubeconfigFor returns the path of a kubeconfig file whose user is a service
// account, for which it waits until it is there. Its token is valid for a day.
func (c *Cluster) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenValidity.Seconds()))}}
	var token string
	err := c.wait(ctx, "the service account "+serviceAccount, func(ctx context.Context) (bool, error) {
		t, err := c.kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
		if kerrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, errors.Wrap(err, "cannot request a token")
		}
		token = t.Status.Token
		return true, nil
	})
	if err != nil {
		return "", err
	}
	path, who := c.path(namespace+"."+serviceAccount+".kubeconfig"), clientcmdapi.AuthInfo{Token: token}
	if c.level == LevelCluster {
		return path, c.foreign.kubeconfig(path, who)
	}
	return path, c.pki.kubeconfig(path, who)
}
