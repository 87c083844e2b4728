// SPDX-License-Identifier: Apache-2.0

// Package janitor finds out what uses a published Secret, and decides whether it
// stays. Decisions are pure; the reconciler that acts on them lives elsewhere.
package janitor

import (
	"context"
	"slices"
	"time"

	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/internal/usage"
)

// IndexField is the field by which workloads are found: each Secret that they
// refer to.
const IndexField = "secrets"

// A Use is a workload that refers to a Secret.
type Use struct {
	// Kind and Name, as people write them for kubectl.
	Kind, Name string
	// Started is when a Pod started, and zero for all other kinds.
	Started time.Time
}

// String returns the use as people know it: "deployment/orders".
func (u Use) String() string { return u.Kind + "/" + u.Name }

// A kind of workload, as an empty object and an empty list.
type kind struct {
	object client.Object
	list   client.ObjectList
}

func kinds() []kind {
	return []kind{
		{&corev1.Pod{}, &corev1.PodList{}},
		{&appsv1.ReplicaSet{}, &appsv1.ReplicaSetList{}},
		{&appsv1.Deployment{}, &appsv1.DeploymentList{}},
		{&appsv1.StatefulSet{}, &appsv1.StatefulSetList{}},
		{&appsv1.DaemonSet{}, &appsv1.DaemonSetList{}},
		{&batchv1.Job{}, &batchv1.JobList{}},
		{&batchv1.CronJob{}, &batchv1.CronJobList{}},
	}
}

// plural returns the name of the kind for errors: "deployments".
func (k kind) plural() string { return string(usage.KindOf(k.object)) + "s" }

// Kinds returns an empty object of each kind of workload, for caches and watches.
func Kinds() []client.Object {
	var out []client.Object
	for _, k := range kinds() {
		out = append(out, k.object)
	}
	return out
}

// Index makes all kinds of workloads findable by the Secrets they refer to. It
// is called once, before the cache starts. Objects in the cache may be stripped.
func Index(ctx context.Context, i client.FieldIndexer) error {
	for _, k := range kinds() {
		if err := i.IndexField(ctx, k.object, IndexField, secretsOf); err != nil {
			return errors.Wrapf(err, "cannot index %s by their Secrets", k.plural())
		}
	}
	return nil
}

func secretsOf(o client.Object) []string { return usage.SecretsOf(o) }

// Workloads finds the workloads that refer to a Secret. Safe for concurrent use.
type Workloads struct {
	reader client.Reader
}

// NewWorkloads returns what reads from a cache that Index was called for. The
// API server itself has no such index.
func NewWorkloads(r client.Reader) *Workloads { return &Workloads{reader: r} }

// Using returns all workloads of the supplied namespace that refer to the Secret
// of that name, sorted by kind and name. It lags behind the API server as the
// cache does. With an error it returns none: a part must not pass for the whole.
func (w *Workloads) Using(ctx context.Context, namespace, secret string) ([]Use, error) {
	var uses []Use
	for _, k := range kinds() {
		err := w.reader.List(ctx, k.list, client.InNamespace(namespace), client.MatchingFields{IndexField: secret}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, errors.Wrapf(err, "cannot list %s", k.plural())
		}
		err = meta.EachListItem(k.list, func(o runtime.Object) error {
			u, err := use(o)
			uses = append(uses, u)
			return err
		})
		if err != nil {
			return nil, errors.Wrapf(err, "cannot read the list of %s", k.plural())
		}
	}
	slices.SortFunc(uses, compare)
	return uses, nil
}

// use does not modify the supplied object, whose parts belong to the cache.
func use(o runtime.Object) (Use, error) {
	m, err := meta.Accessor(o)
	if err != nil {
		return Use{}, err
	}
	u := Use{Kind: string(usage.KindOf(m)), Name: m.GetName()}
	if p, ok := o.(*corev1.Pod); ok {
		u.Started = usage.StartedAt(p)
	}
	return u, nil
}
