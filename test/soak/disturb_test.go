// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

var (
	operations = []string{"", "", "GetService", "CreateUser", "CreateUser", "DeleteUser", "DeleteUser", "UpdateUser", "UpdateOpenSearchACL", "GetOpenSearchACL", "GetProjectCA"}
	faults     = []aivensim.Fault{
		{Status: 500},
		{Status: 500, After: true},
		{Status: 502, HTML: true},
		{Status: 429, RetryAfter: "1"},
		{Status: 429},
		{CloseConnection: true},
		{CutBody: true},
		{Hang: true},
		{Hang: true, After: true},
		{EmptyBody: true},
	}
)

// disturb has Aiven answer some requests wrongly, for as long as nobody lifts it.
func (w *world) disturb() {
	for range 1 + w.rng.IntN(2) {
		f := pick(w, faults)
		f.Operation, f.Skip, f.Count = pick(w, operations), w.rng.IntN(4), 1+w.rng.IntN(12)
		w.lifts = append(w.lifts, h.Sim.Inject(f))
		w.notef("Aiven: %d of %q go wrong: %+v", f.Count, f.Operation, f)
	}
}

// lift ends all faults.
func (w *world) lift() {
	for _, f := range w.lifts {
		f()
	}
	w.lifts = nil
}

// frozen checks what must be true when the provider is killed, at whatever point:
// what is published works.
func (w *world) frozen() {
	w.t.Helper()
	w.catchUp()
	for key, s := range w.view.secrets {
		app := types.NamespacedName{Namespace: key.Namespace, Name: v1.ApplicationOf(s)}
		if s.GetDeletionTimestamp() != nil || s.GetAnnotations()[tamper] != "" || w.expired(key, clock.Now()) || w.ended[app] {
			continue
		}
		for _, c := range credentialsIn(s) {
			if err := c.works(); err != nil && !w.vanished[c.username] {
				w.violatedf(client.ObjectKeyFromObject(s), "what the Secret holds does not work: %v", err)
			}
		}
	}
	w.look()
}

// noteEnds remembers which applications expired ever.
func (w *world) noteEnds() {
	for key, app := range w.apps {
		if app.want.Expired(clock.Now()) {
			w.ended[key] = true
		}
	}
}
