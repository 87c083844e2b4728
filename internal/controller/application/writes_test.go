// SPDX-License-Identifier: Apache-2.0

package application

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWrites(t *testing.T) {
	key := client.ObjectKey{Namespace: "shop", Name: "s"}
	version := func(v string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, ResourceVersion: v}}
	}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := &writes{}
	if w.own(version("1")) {
		t.Error("a Secret that we never wrote is somebody else's")
	}

	w.begin(key, "orders")
	if !w.own(version("2")) {
		t.Error("an event that comes before the answer to our write waits for it")
	}
	if w.end(key, "2", published{hash: "h", at: at}) {
		t.Error("nobody else wrote meanwhile")
	}
	if !w.own(version("2")) || w.own(version("3")) {
		t.Error("the version that we wrote is ours, and no other")
	}

	if got := w.since(key, "orders", "h"); !got.Equal(at) {
		t.Errorf("the content that we published is known before the status shows it: got %v", got)
	}
	if !w.since(key, "orders", "other").IsZero() || !w.since(key, "billing", "h").IsZero() {
		t.Error("other content, and that of another application, is not known")
	}

	w.begin(key, "orders")
	w.own(version("4"))
	w.own(version("5"))
	if !w.end(key, "5", published{hash: "h", at: at}) {
		t.Error("somebody else wrote meanwhile: that calls for another look")
	}

	w.forget("shop", "orders")
	if !w.since(key, "orders", "h").IsZero() {
		t.Error("what is known of an application that is gone is dropped")
	}
}
