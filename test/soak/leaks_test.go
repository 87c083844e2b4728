// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"maps"
	"slices"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// unmetUsers: every managed resource is needed for something, an application has at most two
// users of one service, and applications that were deleted are gone.
func (w *world) unmetUsers() []string {
	for key := range w.view.apps {
		if w.apps[key] == nil {
			return []string{key.String() + ": it was deleted and is still there"}
		}
	}
	alive := make(map[string]int)
	for _, k := range slices.Sorted(maps.Keys(w.view.users)) {
		mg := w.view.users[k]
		if meta.WasDeleted(mg) {
			return []string{k + ": it is being deleted"}
		}
		if owner := metav1.GetControllerOf(mg); owner == nil {
			if s := w.holder(mg); s == nil {
				return []string{k + ": neither an application nor a Secret has it"}
			} else if w.wanted(s) {
				return []string{k + ": the application of its Secret does not know it: " + meta.GetExternalName(mg)}
			}
			continue
		}
		a := w.view.apps[types.NamespacedName{Namespace: mg.GetNamespace(), Name: metav1.GetControllerOf(mg).Name}]
		if a == nil || !metav1.IsControlledBy(mg, a) {
			return []string{k + ": its application is gone"}
		}
		if !a.Expired(clock.Now()) && !knows(a, mg) {
			return []string{k + ": its application does not know it: " + meta.GetExternalName(mg)}
		}
		service := string(a.GetUID()) + "/" + mg.GetServiceUserParameters().ServiceName
		if alive[service]++; alive[service] > 2 {
			return []string{k + ": its application has more than two users of one service"}
		}
	}
	return nil
}

// holder returns a Secret that holds the credentials of a managed resource.
func (w *world) holder(mg managedUser) *corev1.Secret {
	for _, o := range mg.GetOwnerReferences() {
		s := w.view.secrets[types.NamespacedName{Namespace: mg.GetNamespace(), Name: o.Name}]
		if s != nil && s.GetUID() == o.UID {
			return s
		}
	}
	return nil
}

// knows tells whether an application's status names the user of a managed resource.
func knows(a *v1.AivenApplication, mg managedUser) bool {
	c := a.Status.Credentials
	is := func(u v1.UserStatus) bool {
		return u.Username == meta.GetExternalName(mg) && u.ServiceName == mg.GetServiceUserParameters().ServiceName
	}
	return c != nil && (slices.ContainsFunc(c.Users, is) || c.Previous != nil && slices.ContainsFunc(c.Previous.Users, is))
}

// unmetSecrets: what nobody needs goes.
func (w *world) unmetSecrets() []string {
	now := clock.Now()
	for _, key := range slices.SortedFunc(maps.Keys(w.view.secrets), compareKeys) {
		s := w.view.secrets[key]
		if s.GetDeletionTimestamp() != nil {
			return []string{key.String() + ": the Secret is being deleted"}
		}
		used := slices.ContainsFunc(w.podKeys(), func(k types.NamespacedName) bool { return w.pods[k].secret == key })
		since := w.unused[s.GetUID()]
		switch {
		case w.wanted(s) || used || s.GetAnnotations()[v1.AnnotationProtected] == "true":
			delete(w.unused, s.GetUID())
		case since.IsZero():
			w.unused[s.GetUID()] = now
		case since.Add(swept).Before(now):
			return []string{fmt.Sprintf("%s: nobody needs the Secret since %s", key, since)}
		}
	}
	return nil
}

// services returns the names of all services.
func (w *world) services() []string {
	var out []string
	for _, p := range pools {
		out = append(out, "kafka-"+p)
	}
	for _, ns := range w.namespaces {
		for _, i := range searches {
			out = append(out, openSearchName(ns, i))
		}
		for _, i := range stores {
			out = append(out, valkeyName(ns, i))
		}
	}
	return out
}

// made returns the users of a service that were made through the API.
func made(service string) []aivensim.User {
	return slices.DeleteFunc(h.Sim.Users(project, service), func(u aivensim.User) bool {
		return u.Type == "primary" || u.CreatedBy == "" || u.CreatedBy == "outside"
	})
}

// unmetAtAiven: every user has a managed resource, and every access rule a user.
func (w *world) unmetAtAiven() []string {
	claims := make(map[string]bool)
	for _, mg := range w.view.users {
		claims[mg.GetServiceUserParameters().ServiceName+"/"+meta.GetExternalName(mg)] = true
	}
	for _, service := range w.services() {
		users := made(service)
		for _, u := range users {
			if !claims[service+"/"+u.Username] {
				return []string{service + ": nobody claims user " + u.Username}
			}
		}
		for _, row := range h.Sim.OpenSearchACL(project, service).ACLs {
			if !slices.ContainsFunc(users, func(u aivensim.User) bool { return u.Username == row.Username }) {
				return []string{service + ": access rules of a user that does not exist: " + row.Username}
			}
		}
	}
	return nil
}

// nothingLeft returns what is left in the cluster and at Aiven when everything
// was deleted.
func (w *world) nothingLeft() []string {
	var out []string
	for _, l := range composed() {
		if err := h.Kube.List(w.t.Context(), l); err != nil {
			return []string{err.Error()}
		}
		out = append(out, namesOf(l)...)
	}
	ledgers := &corev1.ConfigMapList{}
	if err := h.Kube.List(w.t.Context(), ledgers, client.InNamespace("default"), client.MatchingLabels{v1.LabelManagedBy: v1.ManagedBy}); err != nil {
		return []string{err.Error()}
	}
	out = append(out, namesOf(ledgers)...)
	secrets := &corev1.SecretList{}
	if err := h.Kube.List(w.t.Context(), secrets); err != nil {
		return []string{err.Error()}
	}
	for i := range secrets.Items {
		if s := &secrets.Items[i]; s.GetLabels()[v1.LabelManagedBy] == v1.ManagedBy || s.Type == "connection.crossplane.io/v1alpha1" {
			out = append(out, "Secret "+s.GetNamespace()+"/"+s.GetName())
		}
	}
	for _, service := range w.services() {
		for _, u := range made(service) {
			out = append(out, "user "+u.Username+" of "+service)
		}
		for _, row := range h.Sim.OpenSearchACL(project, service).ACLs {
			out = append(out, "access rules of "+row.Username+" of "+service)
		}
	}
	return out
}
