// SPDX-License-Identifier: Apache-2.0

package janitor

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/provider-aiven/provider-aiven/internal/usage"
)

var errBoom = errors.New("boom")

var (
	created = metav1.Time{Time: time.Unix(100, 0)}
	started = metav1.Time{Time: time.Unix(200, 0)}
)

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: created}
}

func mounts(secret string) corev1.PodSpec {
	return corev1.PodSpec{
		Containers: []corev1.Container{{Name: "c", Image: "i"}},
		Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}},
	}
}

func makes(secret string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: mounts(secret)}
}

func pod(namespace, name, secret string, status corev1.PodStatus) client.Object {
	return &corev1.Pod{ObjectMeta: named(namespace, name), Spec: mounts(secret), Status: status}
}

func deployment(namespace, name, secret string) client.Object {
	return &appsv1.Deployment{ObjectMeta: named(namespace, name), Spec: appsv1.DeploymentSpec{Template: makes(secret)}}
}

// indexer adds indexes to a client that is about to be built.
type indexer struct{ builder *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, o client.Object, field string, of client.IndexerFunc) error {
	i.builder.WithIndex(o, field, of)
	return nil
}

// reader returns a reader of the supplied objects, which is indexed.
func reader(t *testing.T, objects []client.Object, change interceptor.Funcs) client.Reader {
	t.Helper()
	b := fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(change)
	if err := Index(t.Context(), indexer{b}); err != nil {
		t.Fatalf("Index(...): %v", err)
	}
	return b.Build()
}

func TestUsing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason  string
		objects []client.Object
		change  interceptor.Funcs
		want    []Use
		err     error
	}{
		"Nothing": {
			reason: "A Secret that nothing refers to has no uses.",
		},
		"EveryKind": {
			reason: "Workloads of every kind should be found, sorted by kind.",
			objects: []client.Object{
				&appsv1.StatefulSet{ObjectMeta: named("team-a", "w"), Spec: appsv1.StatefulSetSpec{Template: makes("s")}},
				&appsv1.ReplicaSet{ObjectMeta: named("team-a", "w"), Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Template: makes("s")}},
				pod("team-a", "w", "s", corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &started}),
				&batchv1.Job{ObjectMeta: named("team-a", "w"), Spec: batchv1.JobSpec{Template: makes("s")}},
				deployment("team-a", "w", "s"),
				&appsv1.DaemonSet{ObjectMeta: named("team-a", "w"), Spec: appsv1.DaemonSetSpec{Template: makes("s")}},
				&batchv1.CronJob{ObjectMeta: named("team-a", "w"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: makes("s")}}}},
			},
			want: []Use{
				{Kind: "cronjob", Name: "w"},
				{Kind: "daemonset", Name: "w"},
				{Kind: "deployment", Name: "w"},
				{Kind: "job", Name: "w"},
				{Kind: "pod", Name: "w", Started: started.Time},
				{Kind: "replicaset", Name: "w"},
				{Kind: "statefulset", Name: "w"},
			},
		},
		"Others": {
			reason: "Other Secrets, other namespaces and what has finished do not count.",
			objects: []client.Object{
				deployment("team-a", "other-secret", "t"),
				deployment("team-b", "other-namespace", "s"),
				pod("team-a", "finished", "s", corev1.PodStatus{Phase: corev1.PodSucceeded}),
				deployment("team-a", "b", "s"),
				deployment("team-a", "a", "s"),
			},
			want: []Use{{Kind: "deployment", Name: "a"}, {Kind: "deployment", Name: "b"}},
		},
		"Waiting": {
			reason:  "A Pod that waits for a node starts after its creation.",
			objects: []client.Object{pod("team-a", "w", "s", corev1.PodStatus{Phase: corev1.PodPending})},
			want:    []Use{{Kind: "pod", Name: "w", Started: created.Time}},
		},
		"Failure": {
			reason:  "When one kind cannot be listed, what was found of the others is not all.",
			objects: []client.Object{deployment("team-a", "a", "s")},
			change:  failing(&batchv1.JobList{}),
			err:     errBoom,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := NewWorkloads(reader(t, tc.objects, tc.change)).Using(t.Context(), "team-a", "s")
			if diff := cmp.Diff(tc.err, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("\n%s\nUsing(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nUsing(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// failing fails to list what the supplied list is of.
func failing(list client.ObjectList) interceptor.Funcs {
	return interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
		if reflect.TypeOf(l) == reflect.TypeOf(list) {
			return errBoom
		}
		return c.List(ctx, l, opts...)
	}}
}

// TestUsingNamesWhatFailed holds the text of errors, which people see in conditions.
func TestUsingNamesWhatFailed(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.plural(), func(t *testing.T) {
			t.Parallel()
			_, err := NewWorkloads(reader(t, nil, failing(k.list))).Using(t.Context(), "team-a", "s")
			if diff := cmp.Diff(fmt.Sprintf("cannot list %s: boom", k.plural()), fmt.Sprint(err)); diff != "" {
				t.Errorf("Using(...): -want, +got:\n%s", diff)
			}
		})
	}
}

// TestUsingStripped finds workloads as the cache of the provider holds them.
func TestUsingStripped(t *testing.T) {
	t.Parallel()
	stripped, err := usage.Strip(pod("team-a", "w", "s", corev1.PodStatus{StartTime: &started}))
	if err != nil {
		t.Fatalf("Strip(...): %v", err)
	}
	p := stripped.(*corev1.Pod)
	p.ResourceVersion = ""
	got, err := NewWorkloads(reader(t, []client.Object{p}, interceptor.Funcs{})).Using(t.Context(), "team-a", "s")
	if err != nil {
		t.Fatalf("Using(...): %v", err)
	}
	if diff := cmp.Diff([]Use{{Kind: "pod", Name: "w", Started: started.Time}}, got); diff != "" {
		t.Errorf("Using(...): -want, +got:\n%s", diff)
	}
}

type indexerFn func(o client.Object) error

func (fn indexerFn) IndexField(_ context.Context, o client.Object, _ string, _ client.IndexerFunc) error {
	return fn(o)
}

func TestIndex(t *testing.T) {
	t.Parallel()
	var got []client.Object
	err := Index(t.Context(), indexerFn(func(o client.Object) error {
		got = append(got, o)
		return nil
	}))
	if err != nil {
		t.Errorf("Index(...): %v", err)
	}
	if diff := cmp.Diff(Kinds(), got); diff != "" {
		t.Errorf("Index(...): every kind should be indexed: -want, +got:\n%s", diff)
	}

	err = Index(t.Context(), indexerFn(func(client.Object) error { return errBoom }))
	if diff := cmp.Diff("cannot index pods by their Secrets: boom", fmt.Sprint(err)); diff != "" {
		t.Errorf("Index(...): -want, +got:\n%s", diff)
	}
}
