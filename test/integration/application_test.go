// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestProvision(t *testing.T) {
	te := newTenant(t, "provision")
	te.create(te.app("orders"))
	a := te.ready("orders")
	s := te.secret("orders-aiven")
	te.works(s)

	want := keys("Kafka", "OpenSearch", "Valkey/sessions", "Valkey/cache")
	want = slices.DeleteFunc(want, func(k string) bool {
		return k == "VALKEY_REPLICA_URI_CACHE" || k == "VALKEY_REPLICA_HOST_CACHE" || k == "VALKEY_REPLICA_PORT_CACHE"
	})
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(s.Data))); diff != "" {
		t.Errorf("keys of the Secret: -want, +got:\n%s", diff)
	}
	if got := len(te.users("kafka")) + len(te.users(te.openSearch())) + len(te.users(te.valkey("sessions"))) + len(te.users(te.valkey("cache"))); got != 4 {
		t.Errorf("users at Aiven: want 4, got %d", got)
	}
	if got := a.Status.SynchronizationState; got != v1.RolloutComplete {
		t.Errorf("synchronizationState: want %s, got %s", v1.RolloutComplete, got)
	}
}
