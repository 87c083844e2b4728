// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/cluster/node"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// leader returns the pod that holds the lease.
func (s *suite) leader(ctx context.Context, namespace string) (string, error) {
	l := &coordinationv1.LeaseList{}
	if err := s.kube.List(ctx, l, client.InNamespace(namespace)); err != nil {
		return "", err
	}
	for _, lease := range l.Items {
		if strings.Contains(lease.Name, name) && lease.Spec.HolderIdentity != nil {
			if host, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_"); host != "" {
				return host, nil
			}
		}
	}
	return "", errors.New("nobody holds the lease")
}

// leads waits until a pod holds the lease that is another than the supplied one, and returns it.
func (s *suite) leads(t *testing.T, namespace, before string) string {
	t.Helper()
	var leader string
	harness.Eventually(t, "a pod leads", func(ctx context.Context) (err error) {
		if leader, err = s.leader(ctx, namespace); err == nil && leader == before {
			err = errors.Errorf("it is still %s", leader)
		}
		return err
	})
	return leader
}

// answered is how many creations Aiven answers before the leader is killed.
const answered = 5

// TestLeaderKilled: who is killed while he makes users has not made one twice, and
// none is lost: there are those that the managed resources name, and they log in.
func TestLeaderKilled(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "killed")
	// Aiven answers the first creations, and the others when the leader is gone, who does not
	// hear of it.
	killed := make(chan struct{})
	release := sync.OnceFunc(func() { close(killed) })
	defer release()
	defer s.sim.Inject(aivensim.Fault{Operation: "CreateUser", Project: project, Skip: answered, Hook: func(r *http.Request) {
		select {
		case <-killed:
		case <-r.Context().Done():
		}
	}})()
	const applications = 30
	for i := range applications {
		te.create(te.app(fmt.Sprintf("app-%02d", i)))
	}
	harness.Eventually(t, "users are being made", func(context.Context) error {
		if te.count() < answered {
			return errors.Errorf("there are %d users", te.count())
		}
		return nil
	})
	leader := s.leads(t, node.Namespace, "")
	made := te.count()
	if err := s.Kill(t.Context(), node.Namespace, leader); err != nil {
		t.Fatal(err)
	}
	release()
	t.Logf("killed %s after %d users", leader, made)
	for i := range applications {
		te.ready(fmt.Sprintf("app-%02d", i), 1)
	}
	s.leads(t, node.Namespace, leader)
	if made >= 3*applications {
		t.Error("the leader was killed too late for this test to mean something")
	}
	te.theOnes(applications)
	for _, app := range []string{"app-00", "app-15", "app-29"} {
		te.create(te.workload(app, app+"-aiven"))
	}
	for _, app := range []string{"app-00", "app-15", "app-29"} {
		te.logsIn(app, 5)
	}
}

// theOnes fails the test unless each service has that many users of the team, and they
// are those that the managed resources name.
func (te *team) theOnes(n int) {
	te.t.Helper()
	named := make(map[string][]string)
	for service, kind := range map[string]string{"kafka": "KafkaServiceUser", te.openSearch(): "OpenSearchServiceUser", te.valkey(): "ValkeyServiceUser"} {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
		if err := te.kube.List(te.t.Context(), l, client.InNamespace(te.namespace)); err != nil {
			te.t.Fatal(err)
		}
		for i := range l.Items {
			named[service] = append(named[service], meta.GetExternalName(&l.Items[i]))
		}
		slices.Sort(named[service])
		if len(named[service]) != n {
			te.t.Errorf("there are %d managed resources of %s, want %d", len(named[service]), service, n)
		}
	}
	if diff := cmp.Diff(named, te.users()); diff != "" {
		te.t.Errorf("users: -managed resources, +Aiven:\n%s", diff)
	}
}
