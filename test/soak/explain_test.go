// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// told is how many of the last actions are told, and of the log how many lines.
const (
	told  = 40
	lines = 20
)

// fail ends the test and tells what is needed to find out why: nothing of it holds a
// credential.
func (w *world) fail(what string, problems ...string) {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s (seed %d, %s by the clock):\n", what, *seed, clock.Now().Format(time.DateTime))
	for _, p := range problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	fmt.Fprintf(&b, "\nThe last of %d actions:\n", len(w.notes))
	for _, n := range w.notes[max(0, len(w.notes)-told):] {
		fmt.Fprintf(&b, "  %s\n", n)
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.view.apps), compareKeys) {
		if mentions(problems, key.Name) {
			w.describe(&b, key.Namespace, key.Name)
		}
	}
	log := strings.Split(h.Log.String(), "\n")
	kept := log[:0]
	for _, l := range log {
		if mentions(problems, nameIn(l)) {
			kept = append(kept, l)
		}
	}
	fmt.Fprintf(&b, "\nThe last of the provider's log that is about them:\n%s\n", strings.Join(kept[max(0, len(kept)-lines):], "\n"))
	w.t.Fatal(b.String())
}

// nameIn returns an application's name in a line of the log.
func nameIn(line string) string {
	i := strings.Index(line, "app-")
	if i < 0 {
		return "\x00"
	}
	end := i + len("app-")
	for end < len(line) && line[end] >= '0' && line[end] <= '9' {
		end++
	}
	return line[i:end]
}

// mentions tells whether any of the texts holds a name, whole.
func mentions(texts []string, name string) bool {
	return slices.ContainsFunc(texts, func(t string) bool {
		for rest := t; ; {
			i := strings.Index(rest, name)
			if i < 0 {
				return false
			}
			rest = rest[i+len(name):]
			if rest == "" || rest[0] < '0' || rest[0] > '9' {
				return true
			}
		}
	})
}

// describe tells how an application and all that belongs to it is.
func (w *world) describe(b *strings.Builder, namespace, name string) {
	fmt.Fprintf(b, "\nApplication %s/%s:\n", namespace, name)
	for key, a := range w.view.apps {
		if key.Namespace == namespace && key.Name == name {
			spec, _ := json.Marshal(a.Spec)
			status, _ := json.Marshal(a.Status)
			fmt.Fprintf(b, "  generation %d uid %s\n  spec %s\n  status %s\n", a.GetGeneration(), a.GetUID(), spec, status)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(w.view.users)) {
		mg := w.view.users[k]
		if mg.GetNamespace() != namespace || v1.ApplicationOf(mg) != name {
			continue
		}
		_, exists := h.Sim.User(project, mg.GetServiceUserParameters().ServiceName, meta.GetExternalName(mg))
		ready := mg.GetCondition(xpv2.TypeReady)
		fmt.Fprintf(b, "  %s user=%s exists=%t deleted=%t owners=%s ready=%s/%s synced=%q annotations=%v\n", k, meta.GetExternalName(mg), exists, meta.WasDeleted(mg),
			owners(mg), ready.Status, ready.Reason, mg.GetCondition(xpv2.TypeSynced).Message, mg.GetAnnotations())
	}
	for key, s := range w.view.secrets {
		if key.Namespace == namespace && v1.ApplicationOf(s) == name {
			var users []string
			for _, c := range credentialsIn(s) {
				users = append(users, c.username)
			}
			fmt.Fprintf(b, "  Secret %s uid=%s deleted=%t annotations=%v users=%v\n", key.Name, s.GetUID(), s.GetDeletionTimestamp() != nil, s.GetAnnotations(), users)
		}
	}
	for _, k := range w.podKeys() {
		if p := w.pods[k]; k.Namespace == namespace && p.app.Name == name {
			fmt.Fprintf(b, "  Pod %s started=%s secret=%s uid=%s\n", k.Name, p.started.Format(time.DateTime), p.secret.Name, p.uid)
		}
	}
	events := &corev1.EventList{}
	if err := h.Kube.List(w.t.Context(), events, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(b, err)
	}
	for _, e := range events.Items {
		if strings.HasPrefix(e.InvolvedObject.Name, name) {
			fmt.Fprintf(b, "  Event %s %s %s/%s: %s\n", e.FirstTimestamp.Format(time.TimeOnly), e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Message)
		}
	}
}

func owners(o metav1.Object) string {
	var out []string
	for _, r := range o.GetOwnerReferences() {
		out = append(out, r.Kind+"/"+r.Name+"/"+string(r.UID))
	}
	return strings.Join(out, ",")
}

// namesOf returns the kinds and names of the items of a list.
func namesOf(l client.ObjectList) []string {
	var out []string
	_ = apimeta.EachListItem(l, func(o runtime.Object) error {
		if c, ok := o.(client.Object); ok {
			out = append(out, reflect.TypeOf(o).Elem().Name()+" "+c.GetNamespace()+"/"+c.GetName())
		}
		return nil
	})
	return out
}
