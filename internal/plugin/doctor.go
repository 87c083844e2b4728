// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// leaseName is the lease that the provider's leader holds.
const leaseName = "crossplane-leader-election-provider-aiven"

// Reasons of the provider's events about users that nothing claims.
const (
	eventOrphaned  = "OrphanedUsers"
	eventUnclaimed = "UnclaimedUsers"
)

// What a check found.
const (
	// CheckFine: nothing to do.
	CheckFine = "fine"
	// CheckUnknown: the person may not see what it takes.
	CheckUnknown = "unknown"
)

// An Examination is the answer of kubectl aivenapp doctor. Its JSON is API.
type Examination struct {
	Header `json:",inline"`

	// Namespace that was looked at; empty: all.
	Namespace string `json:"namespace,omitempty"`
	// Problems is how many findings are problems.
	Problems int      `json:"problems"`
	Checks   []Check  `json:"checks"`
	NotSeen  []string `json:"notSeen,omitempty"`
}

// A Check of one thing.
type Check struct {
	// Name of the check: api, provider, rights, configurations, applications, quotas,
	// managed, orphans or secrets.
	Name string `json:"name"`
	// Verdict is fine, note, warning, problem or unknown.
	Verdict string `json:"verdict"`
	// Summary in a few words.
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings,omitempty"`
}

// doctorOptions are the flags.
type doctorOptions struct {
	format string
	all    bool
}

func newDoctor(s *session) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the provider, its configurations and all applications",
		Long: `Examine the provider and what it takes care of: its API, whether it runs and
what it may not do, tokens and their rights, applications that are not ready,
services that are full, managed resources that are stuck, users at Aiven that
nothing claims, and Secrets that nothing uses. It asks the API server only, with your rights; what you may not see
it says.
` + exitCodes + `
Here 1 means that there is a problem. What you may not see is none.`,
		Example: example("kubectl aivenapp doctor -A", "kubectl aivenapp doctor -n team-a -o json | jq '.checks[] | select(.verdict == \"problem\")'"),
		Args:    requireNone,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(o.format); err != nil {
				return err
			}
			x, err := s.examine(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := s.write(o.format, x, func(p printer) { p.examination(x) }); err != nil {
				return err
			}
			if x.Problems > 0 {
				return errWrong
			}
			return nil
		},
	}
	bindFormat(cmd, &o.format)
	bindAll(cmd, &o.all)
	return cmd
}

func (s *session) examine(ctx context.Context, o doctorOptions) (*Examination, error) {
	c, err := s.access.connect()
	if err != nil {
		return nil, err
	}
	v := newView(c.kube, c.namespace)
	if o.all {
		v.namespace = metav1.NamespaceAll
	}
	e, err := v.gather(ctx, c.discovery)
	if err != nil {
		return nil, err
	}
	e.now = s.now()
	x := &Examination{Header: header("Examination"), Namespace: v.namespace, Checks: e.checks(), NotSeen: v.notSeen()}
	for _, c := range x.Checks {
		for _, f := range c.Findings {
			if f.Severity == Problem {
				x.Problems++
			}
		}
	}
	return x, nil
}

// Evidence is all that checks look at. What the person may not see is missing and
// in denied.
type evidence struct {
	now    time.Time
	denied map[string]string
	// alone is the one namespace that was looked at, "" for all.
	alone string
	// served are the versions of each kind that the API server serves; known are
	// the kinds that there should be.
	served map[string][]string
	known  []string
	leases []coordinationv1.Lease
	// told is what the provider said about itself, events what it said about
	// configurations.
	told    []corev1.Event
	configs []config
	apps    []v1.AivenApplication
	managed []managed
	kindOf  func(mg managed) string
	secrets []metav1.PartialObjectMetadata
	uses    uses
	events  []corev1.Event
}

// A config is a configuration of either kind.
type config struct {
	name    string
	healthy xpv2.Condition
	token   *v1alpha1.TokenStatus
	deleted *metav1.Time
}

// gather reads what checks look at. Without the provider's kinds there is little.
func (v *view) gather(ctx context.Context, d discovery.DiscoveryInterface) (*evidence, error) {
	e := &evidence{denied: v.denied, alone: v.namespace, kindOf: func(mg managed) string { return v.kindOf(mg) }}
	e.known = v.kinds()
	var err error
	if e.served, err = served(d); err != nil {
		return nil, err
	}
	if err := v.gatherLeases(ctx, e); err != nil {
		return nil, err
	}
	if err := v.gatherTold(ctx, e); err != nil {
		return nil, err
	}
	if len(e.missing()) > 0 {
		return e, nil
	}
	for _, step := range []func(ctx context.Context, e *evidence) error{
		v.gatherConfigs,
		func(ctx context.Context, e *evidence) (err error) { e.apps, err = v.applications(ctx); return err },
		func(ctx context.Context, e *evidence) (err error) { e.managed, err = v.managed(ctx); return err },
		func(ctx context.Context, e *evidence) (err error) { e.secrets, err = v.published(ctx); return err },
		func(ctx context.Context, e *evidence) (err error) { e.uses, err = v.uses(ctx); return err },
		v.gatherEvents,
	} {
		if err := step(ctx, e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// kinds returns the provider's kinds.
func (v *view) kinds() []string {
	out := []string{v1.AivenApplicationKind}
	for name, t := range v.kube.Scheme().KnownTypes(v1alpha1.SchemeGroupVersion) {
		if t.PkgPath() == "" || t.Name() != name {
			continue
		}
		o, err := v.kube.Scheme().New(v1alpha1.SchemeGroupVersion.WithKind(name))
		if _, list := o.(client.ObjectList); err != nil || list || t.PkgPath() == "k8s.io/apimachinery/pkg/apis/meta/v1" {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// served returns the versions of the provider's kinds that the API server serves.
// Everybody may ask that.
func served(d discovery.DiscoveryInterface) (map[string][]string, error) {
	groups, err := d.ServerGroups()
	if err != nil {
		return nil, errors.Wrap(err, "cannot ask what the API server serves")
	}
	out := make(map[string][]string)
	for _, g := range groups.Groups {
		if g.Name != v1.Group {
			continue
		}
		for _, version := range g.Versions {
			l, err := d.ServerResourcesForGroupVersion(version.GroupVersion)
			if kerrors.IsNotFound(err) {
				continue // It went meanwhile.
			}
			if err != nil {
				return nil, errors.Wrapf(err, "cannot ask what the API server serves of %s", version.GroupVersion)
			}
			for _, r := range l.APIResources {
				if !slices.Contains(out[r.Kind], version.Version) {
					out[r.Kind] = append(out[r.Kind], version.Version)
				}
			}
		}
	}
	return out, nil
}

// missing returns the kinds without which nothing works. Crossplane activates
// those of managed resources one by one.
func (e *evidence) missing() []string {
	var out []string
	for _, k := range e.known {
		if len(e.served[k]) == 0 && !strings.HasSuffix(k, "ServiceUser") {
			out = append(out, k)
		}
	}
	return out
}

// off returns the kinds that are not served.
func (e *evidence) off() []string {
	return slices.DeleteFunc(slices.Clone(e.known), func(k string) bool { return len(e.served[k]) > 0 })
}

// gatherLeases looks in all namespaces: where the provider lives is not known.
func (v *view) gatherLeases(ctx context.Context, e *evidence) error {
	return v.each(ctx, seeLeases, &coordinationv1.LeaseList{}, func(o client.Object) {
		if l, ok := o.(*coordinationv1.Lease); ok {
			e.leases = append(e.leases, *l)
		}
	}, client.InNamespace(metav1.NamespaceAll), client.MatchingFields{"metadata.name": leaseName})
}

func (v *view) gatherConfigs(ctx context.Context, e *evidence) error {
	add := func(kind string, o resource.ProviderConfig, st v1alpha1.ProviderConfigStatus) {
		name := kind + "/" + o.GetName()
		if ns := o.GetNamespace(); ns != "" {
			name = kind + "/" + ns + "/" + o.GetName()
		}
		e.configs = append(e.configs, config{name: name, healthy: st.GetCondition(v1alpha1.TypeHealthy), token: st.Token, deleted: o.GetDeletionTimestamp()})
	}
	err := v.each(ctx, seeClusterConfigs, &v1alpha1.ClusterProviderConfigList{}, func(o client.Object) {
		if pc, ok := o.(*v1alpha1.ClusterProviderConfig); ok {
			add("ClusterProviderConfig", pc, pc.Status)
		}
	}, client.InNamespace(metav1.NamespaceAll))
	if err != nil {
		return err
	}
	return v.each(ctx, seeConfigs, &v1alpha1.ProviderConfigList{}, func(o client.Object) {
		if pc, ok := o.(*v1alpha1.ProviderConfig); ok {
			add("ProviderConfig", pc, pc.Status)
		}
	})
}

// gatherEvents reads what the provider said about users that nothing claims.
// Kubernetes: events about objects of the cluster are in the namespace default.
func (v *view) gatherEvents(ctx context.Context, e *evidence) error {
	in := []string{v.namespace}
	if v.namespace != metav1.NamespaceAll && v.namespace != metav1.NamespaceDefault {
		in = append(in, metav1.NamespaceDefault)
	}
	for _, ns := range in {
		for _, reason := range []string{eventOrphaned, eventUnclaimed} {
			err := v.each(ctx, seeEvents, &corev1.EventList{}, func(o client.Object) {
				if ev, ok := o.(*corev1.Event); ok {
					e.events = append(e.events, *ev)
				}
			}, client.InNamespace(ns), client.MatchingFields{"reason": reason})
			if err != nil && !apimeta.IsNoMatchError(err) {
				return err
			}
		}
	}
	return nil
}
