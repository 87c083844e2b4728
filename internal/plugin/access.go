// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"strings"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis"
	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/version"
)

// Kubectl's own limits towards the API server.
const (
	requestsPerSecond = 50
	burst             = 300
)

// access is how a command reaches the cluster: by the flags that kubectl has.
type access struct {
	loading   clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// bind adds the flags that all commands have.
func (a *access) bind(cmd *cobra.Command) {
	a.loading = *clientcmd.NewDefaultClientConfigLoadingRules()
	flags := cmd.PersistentFlags()
	flags.StringVar(&a.loading.ExplicitPath, "kubeconfig", "", "Path to the kubeconfig file to use")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	// A credential on a command line can be read by everybody on the machine.
	names.AuthOverrideFlags.Token.LongName = ""
	names.AuthOverrideFlags.Username.LongName = ""
	names.AuthOverrideFlags.Password.LongName = ""
	clientcmd.BindOverrideFlags(&a.overrides, flags, names)
	_ = cmd.RegisterFlagCompletionFunc("namespace", a.completeNamespaces) // The flag is there.
	_ = cmd.RegisterFlagCompletionFunc("context", a.completeContexts)
}

func (a *access) config() clientcmd.ClientConfig {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&a.loading, &a.overrides)
}

// A cluster is where questions are asked.
type cluster struct {
	kube      client.Client
	discovery discovery.DiscoveryInterface
	// namespace that was asked for, else that of the context.
	namespace string
}

// connect returns the cluster that the flags name. It sends nothing yet.
func (a *access) connect() (*cluster, error) {
	namespace, _, err := a.config().Namespace()
	if err != nil {
		return nil, errors.Wrap(err, "cannot read kubeconfig")
	}
	cfg, err := a.config().ClientConfig()
	if err != nil {
		return nil, errors.Wrap(err, "cannot read kubeconfig")
	}
	cfg.QPS, cfg.Burst = requestsPerSecond, burst
	cfg.UserAgent = "kubectl-aivenapp/" + version.Version
	// Warnings of the API server are for those who write manifests.
	cfg.WarningHandler = nil
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	kube, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client")
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	return &cluster{kube: kube, discovery: d, namespace: namespace}, errors.Wrap(err, "cannot make a client")
}

// newScheme returns a scheme of all objects that commands read and write.
func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, errors.Wrap(err, "cannot add Kubernetes APIs to scheme")
	}
	return s, errors.Wrap(apis.AddToScheme(s), "cannot add provider APIs to scheme")
}

// person returns the name of whoever asks, as the API server knows them.
func (c *cluster) person(ctx context.Context) (string, error) {
	r := &authenticationv1.SelfSubjectReview{}
	if err := c.kube.Create(ctx, r); err != nil {
		return "", errors.Wrap(err, "cannot find out who you are")
	}
	return r.Status.UserInfo.Username, nil
}

// application returns an application of the cluster's namespace.
func (c *cluster) application(ctx context.Context, name string) (*v1.AivenApplication, error) {
	app := &v1.AivenApplication{}
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, app)
	return app, errors.Wrap(err, "cannot get the application")
}

// explain returns what to do about an error, "" where that is not known.
func explain(err error) string {
	switch {
	case apimeta.IsNoMatchError(err):
		return "The provider's kinds are not there: is this the right cluster (--context), and is provider-aiven installed?"
	case clientcmd.IsEmptyConfig(err):
		return "Name the cluster with --kubeconfig or --context, or set KUBECONFIG."
	case kerrors.IsForbidden(err):
		return "Ask whoever gives rights in this namespace; docs/rbac.md says which roles there are."
	case kerrors.IsUnauthorized(err):
		return "The cluster does not know you: log in again."
	case kerrors.IsNotFound(err):
		return "Is it in another namespace (-n)?"
	default:
		return ""
	}
}

// completeApplications completes the name of an application.
func (s *session) completeApplications(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.access.complete(cmd.Context(), prefix, &v1.AivenApplicationList{}, func(c *cluster) client.ListOption { return client.InNamespace(c.namespace) })
}

func (a *access) completeNamespaces(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd.Context(), prefix, namespaces())
}

// complete returns the names of the objects of a list that begin like what was
// typed. A cluster that cannot be asked completes nothing.
func (a *access) complete(ctx context.Context, prefix string, l client.ObjectList, in ...func(c *cluster) client.ListOption) ([]string, cobra.ShellCompDirective) {
	c, err := a.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var opts []client.ListOption
	for _, option := range in {
		opts = append(opts, option(c))
	}
	if err := c.kube.List(ctx, l, opts...); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	_ = apimeta.EachListItem(l, func(o runtime.Object) error {
		if m, err := apimeta.Accessor(o); err == nil && strings.HasPrefix(m.GetName(), prefix) {
			names = append(names, m.GetName())
		}
		return nil
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *access) completeContexts(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.config().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for name := range cfg.Contexts {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
