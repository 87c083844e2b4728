// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"testing"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/test/harness"
)

// gone waits until an object does not exist.
func (s *suite) gone(t *testing.T, o client.Object) {
	t.Helper()
	harness.Eventually(t, o.GetName()+" is gone", func(ctx context.Context) error {
		err := s.kube.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return errors.Errorf("it is there, deleted %s, with finalizers %v", o.GetDeletionTimestamp(), o.GetFinalizers())
		}
		return client.IgnoreNotFound(err)
	})
}

// said waits for an event about an object.
func (te *team) said(object, reason string) {
	te.t.Helper()
	harness.Eventually(te.t, "event "+reason+" about "+object, func(ctx context.Context) error {
		l := &corev1.EventList{}
		if err := te.kube.List(ctx, l, client.InNamespace(te.namespace)); err != nil {
			return err
		}
		var reasons []string
		for _, e := range l.Items {
			if e.InvolvedObject.Name == object {
				reasons = append(reasons, e.Reason)
			}
			if e.InvolvedObject.Name == object && e.Reason == reason {
				return nil
			}
		}
		return errors.Errorf("only %v", reasons)
	})
}

// TestJanitor: an application that is deleted while its pods run takes nothing from
// them, nor from pods that come back after they were scaled away; when no workload is
// left everything goes, at Aiven too.
func TestJanitor(t *testing.T) {
	s.installed(t, older)
	s.noRefusals(t)
	te := s.team(t, "janitor")
	app := te.app("orders")
	te.create(app, te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 5)

	if err := s.kube.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	te.said("orders-aiven", "JanitorSpared")
	te.logsIn("orders", 20)
	if n := te.count(); n != 3 {
		t.Errorf("%d users are left at Aiven, want 3", n)
	}

	s.run(t, "-n", te.namespace, "scale", "deployment/orders", "--replicas=0")
	harness.Eventually(t, "the pods are gone", func(ctx context.Context) error {
		pods, err := te.pods(ctx, "orders")
		if err == nil && len(pods) > 0 {
			err = errors.Errorf("there are %d", len(pods))
		}
		return err
	})
	s.run(t, "-n", te.namespace, "scale", "deployment/orders", "--replicas=2")
	te.logsIn("orders", 5)

	s.run(t, "-n", te.namespace, "delete", "deployment/orders")
	te.said("orders-aiven", "JanitorDeleted")
	s.gone(t, &corev1.Secret{ObjectMeta: metaOf(te.namespace, "orders-aiven")})
	te.noUsers()
	s.gone(t, app)
}

// TestNamespaceDeletion: a namespace that is deleted with all that is in it leaves
// nothing, here or at Aiven.
func TestNamespaceDeletion(t *testing.T) {
	s.installed(t, older)
	te := s.team(t, "gone")
	te.create(te.app("orders"), te.app("parcels"), te.workload("orders", "orders-aiven"))
	te.logsIn("orders", 1)
	te.ready("parcels", 1)
	ns := &corev1.Namespace{ObjectMeta: metaOf("", te.namespace)}
	if err := s.kube.Delete(t.Context(), ns); err != nil && !kerrors.IsNotFound(err) {
		t.Fatal(err)
	}
	s.gone(t, ns)
	te.noUsers()
}
