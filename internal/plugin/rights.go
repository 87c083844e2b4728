// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Reasons of the provider's events about its own pods.
const (
	eventMissingRights = "MissingRights"
	eventNotServed     = "KindsNotServed"
)

// gatherTold reads what the provider said about itself, where its leases are: its
// pods are there too.
func (v *view) gatherTold(ctx context.Context, e *evidence) error {
	var in []string
	for i := range e.leases {
		in = append(in, e.leases[i].GetNamespace())
	}
	if v.namespace == metav1.NamespaceAll {
		in = []string{metav1.NamespaceAll}
	}
	slices.Sort(in)
	for _, ns := range slices.Compact(in) {
		for _, reason := range []string{eventMissingRights, eventNotServed} {
			err := v.each(ctx, seeProviderEvents, &corev1.EventList{}, func(o client.Object) {
				if ev, ok := o.(*corev1.Event); ok {
					e.told = append(e.told, *ev)
				}
			}, client.InNamespace(ns), client.MatchingFields{"reason": reason})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rights passes on what the provider said lately that it may not do, once for all
// replicas.
func (e *evidence) rights() Check {
	const name = "rights"
	events := slices.Clone(e.told)
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return said(b).Compare(said(a)) })
	by := make(map[string]int)
	var fs []Finding
	for i := range events {
		ev := &events[i]
		if ev.Reason == eventNotServed && len(e.off()) == 0 {
			continue // They are by now.
		}
		pod := "pod/" + ev.InvolvedObject.Namespace + "/" + ev.InvolvedObject.Name
		if n, ok := by[ev.Message]; ok {
			if !slices.Contains(fs[n].Objects, pod) {
				fs[n].Objects = append(fs[n].Objects, pod)
			}
			continue
		}
		by[ev.Message] = len(fs)
		f := Finding{
			Severity: Warning, Reason: ev.Reason, Objects: []string{pod}, Message: ev.Message + " (" + distance(said(*ev), e.now) + ")",
			Advice: "Give the provider the roles of docs/rbac.md. If it has them by now, this is gone within an hour.",
		}
		if ev.Reason == eventNotServed {
			f.Severity, f.Advice = Note, "If they are wanted, install or activate them; the provider goes on by itself."
		}
		fs = append(fs, f)
	}
	for i := range fs {
		slices.Sort(fs[i].Objects)
	}
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Message, b.Message)) // Warnings before notes.
	})
	switch {
	case len(fs) > 0:
		return check(name, "the provider has told what it may not do", fs)
	case e.denied[seeProviderEvents] != "":
		return e.unknown(name, seeProviderEvents)
	case e.alone != "" && e.denied[seeLeases] != "":
		return e.unknown(name, seeLeases)
	case e.alone != "" && len(e.leases) == 0:
		return Check{Name: name, Verdict: CheckUnknown, Summary: "in which namespace the provider runs is not known: ask with -A"}
	}
	return check(name, "the provider has told of none that it lacks, within the last hour", nil)
}
