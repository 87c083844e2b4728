// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

const (
	// surveyTimeout ends a survey that hangs.
	surveyTimeout = 30 * time.Second
	// atOnce is how many questions the API server is asked at the same time.
	atOnce = 16
	// patient is how many times longer it takes until everything is asked again
	// than what is missing.
	patient = 60
	// repeatAfter is when people are told again what is missing. Kubernetes: events last
	// an hour, and of one object no more than one in 5 minutes are let through for long.
	repeatAfter = 30 * time.Minute
)

// ourKinds are the kinds of the package, by their resource.
var ourKinds = map[string]schema.GroupKind{
	"aivenapplications":      {Group: v1.Group, Kind: v1.AivenApplicationKind},
	"kafkaserviceusers":      {Group: v1.Group, Kind: v1alpha1.KafkaServiceUserKind},
	"opensearchserviceusers": {Group: v1.Group, Kind: v1alpha1.OpenSearchServiceUserKind},
	"valkeyserviceusers":     {Group: v1.Group, Kind: v1alpha1.ValkeyServiceUserKind},
	"providerconfigs":        {Group: v1.Group, Kind: v1alpha1.ProviderConfigKind},
	"clusterproviderconfigs": {Group: v1.Group, Kind: v1alpha1.ClusterProviderConfigKind},
	"providerconfigusages":   {Group: v1.Group, Kind: v1alpha1.ProviderConfigUsageKind},
}

// configKinds are without which nothing works.
var configKinds = []string{"clusterproviderconfigs", "providerconfigs", "providerconfigusages"}

// Findings are what a survey found.
type findings struct {
	// absent are the resources of the package that the API server does not serve.
	absent []string
	// missing are the rights that the provider does not have.
	missing []right
}

func (f findings) equal(o findings) bool {
	return slices.Equal(f.absent, o.absent) && slices.Equal(f.missing, o.missing)
}

// gained tells whether there is something now that there was not.
func (f findings) gained(was findings) bool {
	return slices.ContainsFunc(was.absent, func(r string) bool { return !slices.Contains(f.absent, r) }) ||
		slices.ContainsFunc(was.missing, func(r right) bool { return !slices.Contains(f.missing, r) })
}

// lacks tells whether any right for something is missing.
func (f findings) lacks(feature string) bool {
	return slices.ContainsFunc(f.missing, func(r right) bool { return r.feature == feature })
}

// required returns the missing rights without which nothing works where they are
// needed. What is not served needs none.
func (f findings) required() []right {
	var out []right
	for _, r := range f.missing {
		if r.required && (r.group != v1.Group || !slices.Contains(f.absent, r.resource)) {
			out = append(out, r)
		}
	}
	return out
}

// namespaces returns those of the chosen namespaces in which the provider can
// work.
func (f findings) namespaces(chosen []string) []string {
	missing := f.required()
	return slices.DeleteFunc(slices.Clone(chosen), func(n string) bool {
		return slices.ContainsFunc(missing, func(r right) bool { return r.namespace == n && r.feature != forLeader })
	})
}

// waitsFor returns what the provider waits for before it does anything, nothing
// when it can work somewhere.
func (f findings) waitsFor(chosen []string) []string {
	var out []string
	for _, r := range f.absent {
		if slices.Contains(configKinds, r) {
			out = append(out, r+"."+v1.Group)
		}
	}
	able := len(f.namespaces(chosen)) > 0
	for _, r := range f.required() {
		if !able || r.feature == forLeader || !slices.Contains(chosen, r.namespace) {
			out = append(out, "the right to "+r.String())
		}
	}
	return out
}

// kinds returns the kinds that are not served, and those of others that the
// provider cannot see.
func (f findings) kinds() map[schema.GroupKind]bool {
	out := make(map[schema.GroupKind]bool)
	for _, r := range f.absent {
		out[ourKinds[r]] = true
	}
	if f.lacks(forWorkloads) {
		for _, gk := range workloadKinds {
			out[gk] = true
		}
	}
	if f.lacks(forNamespaces) {
		out[corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind()] = true
	}
	return out
}

// workloadKinds are what may use a Secret. A part must not pass for the whole, so
// all are missing when one is.
var workloadKinds = []schema.GroupKind{
	corev1.SchemeGroupVersion.WithKind("Pod").GroupKind(),
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet").GroupKind(),
	appsv1.SchemeGroupVersion.WithKind("Deployment").GroupKind(),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet").GroupKind(),
	appsv1.SchemeGroupVersion.WithKind("DaemonSet").GroupKind(),
	batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(),
	batchv1.SchemeGroupVersion.WithKind("CronJob").GroupKind(),
}

// A surveyor finds out what the API server serves and lets the provider do. For
// both nobody needs a right.
type surveyor struct {
	// served returns the resources of the package that are served.
	served func(ctx context.Context) ([]string, error)
	// may tells whether the provider has a right.
	may      func(ctx context.Context, r right) (bool, error)
	rights   []right
	interval time.Duration
}

func newSurveyor(cfg *rest.Config, o Options) (*surveyor, error) {
	kube, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, errors.Wrap(err, "cannot make a client")
	}
	return &surveyor{
		rights: rightsFor(o), interval: o.RecheckInterval,
		served: func(context.Context) ([]string, error) {
			var out []string
			for _, gv := range []schema.GroupVersion{v1.SchemeGroupVersion, v1alpha1.SchemeGroupVersion} {
				l, err := kube.Discovery().ServerResourcesForGroupVersion(gv.String())
				if kerrors.IsNotFound(err) {
					continue
				}
				if err != nil {
					return nil, errors.Wrapf(err, "cannot find out what %s serves", gv)
				}
				for i := range l.APIResources {
					out = append(out, l.APIResources[i].Name)
				}
			}
			return out, nil
		},
		may: func(ctx context.Context, r right) (bool, error) {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: r.attributes()}}
			review, err := kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return false, errors.Wrapf(err, "cannot find out whether the provider may %s", r)
			}
			return review.Status.Allowed, nil
		},
	}, nil
}

// survey asks for everything.
func (s *surveyor) survey(ctx context.Context) (findings, error) { return s.ask(ctx, s.rights) }

// ask asks what is served, and for the supplied rights.
func (s *surveyor) ask(ctx context.Context, rights []right) (findings, error) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	served, err := s.served(ctx)
	if err != nil {
		return findings{}, err
	}
	var f findings
	for r := range ourKinds {
		if !slices.Contains(served, r) {
			f.absent = append(f.absent, r)
		}
	}
	slices.Sort(f.absent)
	allowed := make([]bool, len(rights))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, r := range rights {
		g.Go(func() error {
			var err error
			allowed[i], err = s.may(ctx, r)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return findings{}, err //nolint:wrapcheck // It says what cannot be found out.
	}
	for i, r := range rights {
		if !allowed[i] {
			f.missing = append(f.missing, r)
		}
	}
	return f, nil
}

// untilChanged returns when something is different from what was found, or the
// context ends. What is missing is asked for often, everything now and then. A
// loss has to be seen twice: an API server that just started, or a role that is being replaced,
// must not stop anything. As long as nothing changes, again is called now and then.
func (s *surveyor) untilChanged(ctx context.Context, was findings, again func()) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	lost, told := false, time.Now()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rights := was.missing
		if lost || n%patient == 0 {
			rights = s.rights
		}
		is, err := s.ask(ctx, rights)
		switch {
		case err != nil || is.equal(was):
			lost = false // Nothing is known, or nothing happened.
			if err == nil && time.Since(told) >= repeatAfter {
				told = time.Now()
				again()
			}
		case is.gained(was) || lost:
			return
		default:
			lost = true
		}
	}
}

// list joins rights for people.
func list(rights []right) string {
	out := make([]string, 0, len(rights))
	for _, r := range rights {
		out = append(out, r.String())
	}
	return strings.Join(out, ", ")
}
