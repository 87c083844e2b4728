// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestHandedOver(t *testing.T) {
	user := func(owners ...string) metav1.PartialObjectMetadata {
		u := metav1.PartialObjectMetadata{}
		for _, kind := range owners {
			u.OwnerReferences = append(u.OwnerReferences, metav1.OwnerReference{Kind: kind})
		}
		return u
	}
	application, both := v1.AivenApplicationKind, []string{v1.AivenApplicationKind, "Secret"}
	cases := map[string]struct {
		reason string
		users  []metav1.PartialObjectMetadata
		want   bool
	}{
		"All":     {"All belong to a Secret.", []metav1.PartialObjectMetadata{user(both...), user(both...)}, true},
		"NotYet":  {"One belongs to its application alone.", []metav1.PartialObjectMetadata{user(both...), user(application)}, false},
		"Missing": {"One is not there yet.", []metav1.PartialObjectMetadata{user(both...)}, false},
		"TooMany": {"One should not be there any more.", []metav1.PartialObjectMetadata{user(both...), user(both...), user(both...)}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := handedOver(tc.users, 2); got != tc.want {
				t.Errorf("\n%s\nhandedOver(...): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func TestPublished(t *testing.T) {
	at := func(name string, revision int64) v1.AivenApplication {
		a := application("team", name)
		if revision > 0 {
			a.Status.Credentials = &v1.CredentialsStatus{Revision: revision}
		}
		return *a
	}
	wanted := []*v1.AivenApplication{application("team", "a"), application("team", "b")}
	cases := map[string]struct {
		reason string
		all    []v1.AivenApplication
		want   bool
	}{
		"All":     {"All wanted have, whatever others do.", []v1.AivenApplication{at("a", 2), at("b", 2), at("c", 1)}, true},
		"NotYet":  {"One has the revision before.", []v1.AivenApplication{at("a", 2), at("b", 1)}, false},
		"Nothing": {"One has published nothing.", []v1.AivenApplication{at("a", 2), at("b", 0)}, false},
		"Missing": {"One is not there.", []v1.AivenApplication{at("a", 2)}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := published(tc.all, wanted, 2); got != tc.want {
				t.Errorf("\n%s\npublished(...): want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}
