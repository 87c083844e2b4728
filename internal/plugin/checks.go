// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// skew is how much the clocks of two machines may differ.
const skew = 30 * time.Second

// checks returns what all checks found, in the order in which one thing depends
// on another. Pure.
func (e *evidence) checks() []Check {
	out := []Check{e.api(), e.provider(), e.rights()}
	if len(e.missing()) > 0 {
		return out
	}
	return append(out, e.configurations(), e.applications(), e.quotas(), e.stuck(), e.orphans(), e.unused())
}

// check returns a check with the verdict that follows from its findings.
func check(name, summary string, fs []Finding) Check {
	return Check{Name: name, Verdict: orElse(worst(fs), CheckFine), Summary: summary, Findings: fs}
}

// unknown returns a check of what the person may not see, which is no problem.
func (e *evidence) unknown(name, what string) Check {
	return Check{Name: name, Verdict: CheckUnknown, Summary: "you may not list " + what + e.denied[what]}
}

func (e *evidence) api() Check {
	if missing := e.missing(); len(missing) > 0 {
		return check("api", "the provider's API is not complete", []Finding{{
			Severity: Problem, Objects: missing, Message: "The API server does not serve these kinds", Advice: "Install the provider's CRDs. With Crossplane, see whether its Provider is Healthy.",
		}})
	}
	var fs []Finding
	if off := e.off(); len(off) > 0 {
		fs = append(fs, Finding{
			Severity: Note, Objects: off, Message: "These kinds of managed resources are not activated, so applications cannot use their services",
			Advice: "If they are wanted, activate them with a ManagedResourceActivationPolicy.",
		})
	}
	by := make(map[string][]string)
	for _, k := range e.known {
		if len(e.served[k]) == 0 {
			continue
		}
		versions := strings.Join(e.served[k], " and ")
		by[versions] = append(by[versions], k)
	}
	var texts []string
	for _, versions := range slices.Sorted(maps.Keys(by)) {
		kinds := by[versions]
		what := count(len(kinds), "kind")
		if len(kinds) == 1 {
			what = kinds[0]
		}
		texts = append(texts, what+" in "+versions)
	}
	return check("api", "served: "+strings.Join(texts, ", "), fs)
}

func (e *evidence) provider() Check {
	const name = "provider"
	if e.denied[seeLeases] != "" {
		return e.unknown(name, seeLeases)
	}
	var fs []Finding
	var holders []string
	for i := range e.leases {
		l := &e.leases[i]
		object := []string{"lease/" + l.GetNamespace() + "/" + l.GetName()}
		holder, renewed := "", time.Time{}
		if l.Spec.HolderIdentity != nil {
			holder = *l.Spec.HolderIdentity
		}
		if l.Spec.RenewTime != nil {
			renewed = l.Spec.RenewTime.Time
		}
		lasts := time.Minute
		if l.Spec.LeaseDurationSeconds != nil {
			lasts = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
		}
		switch {
		case holder == "":
			fs = append(fs, Finding{Severity: Problem, Objects: object, Message: "No provider holds the lease", Advice: "See why it does not run: its Deployment, its Pods and their log."})
		case e.now.After(renewed.Add(lasts + skew)):
			fs = append(fs, Finding{
				Severity: Problem, Objects: object, Message: fmt.Sprintf("%s holds the lease and has not renewed it since %s", holder, moment(&metav1.Time{Time: renewed}, e.now)),
				Advice: "See why the provider does not run: its Deployment, its Pods and their log.",
			})
		default:
			holders = append(holders, holder+" in namespace "+l.GetNamespace())
		}
	}
	switch {
	case len(e.leases) == 0:
		fs = append(fs, Finding{Severity: Warning, Message: "There is no lease of the provider: it has never run here, or runs without leader election", Advice: "See whether it runs: its Deployment, its Pods and their log."})
		return check(name, "cannot tell whether it runs", fs)
	case len(holders) > 1:
		fs = append(fs, Finding{Severity: Warning, Message: "Several providers run, with a lease each", Advice: "See that no namespace is served by two of them."})
	case len(holders) == 0:
		return check(name, "does not run", fs)
	}
	return check(name, "the leader is "+strings.Join(holders, " and "), fs)
}

func (e *evidence) configurations() Check {
	const name = "configurations"
	var fs []Finding
	for i := range e.configs {
		fs = append(fs, e.configs[i].findings(e.now)...)
	}
	if len(e.configs) == 0 {
		if e.denied[seeClusterConfigs] != "" {
			return e.unknown(name, seeClusterConfigs)
		}
		fs = append(fs, Finding{Severity: Problem, Message: "There is no ClusterProviderConfig and no ProviderConfig, so no token", Advice: "Make one: examples/clusterproviderconfig.yaml shows how."})
	}
	return check(name, count(len(e.configs), "configuration"), fs)
}

func (c config) findings(now time.Time) []Finding {
	var out []Finding
	object := []string{c.name}
	switch {
	case c.healthy.Status == corev1.ConditionTrue:
	case c.healthy.Reason == "":
		out = append(out, Finding{Severity: Warning, Objects: object, Message: "Its token was not tried yet", Advice: adviceProvider})
	default:
		severity := Problem
		if c.healthy.Status == corev1.ConditionUnknown {
			severity = Warning
		}
		out = append(out, Finding{Severity: severity, Objects: object, Reason: string(c.healthy.Reason), Message: orElse(c.healthy.Message, "The token does not work"), Advice: healthyAdvice[c.healthy.Reason]})
	}
	if c.deleted != nil {
		out = append(out, Finding{Severity: Warning, Objects: object, Message: "It waits to be deleted since " + moment(c.deleted, now), Advice: "Delete what uses it first: kubectl get providerconfigusages -A"})
	}
	if c.token == nil {
		return out
	}
	for _, p := range c.token.Projects {
		for _, r := range []struct{ seen, message, advice string }{
			{p.ReadServices, "may not read services", readyAdvice[v1.ReasonAccessDenied]},
			{p.ReadSecrets, "does not get to see credentials", readyAdvice[v1.ReasonCredentialsRedacted]},
			{p.WriteUsers, "may not write service users", readyAdvice[v1.ReasonAccessDenied]},
		} {
			if r.seen == "No" {
				out = append(out, Finding{Severity: Problem, Objects: object, Message: "In project " + p.Name + " the token " + r.message, Advice: r.advice})
			}
		}
	}
	return out
}

// applications groups those that are not well by what is wrong.
func (e *evidence) applications() Check {
	const name = "applications"
	if e.denied[seeApplications] != "" {
		return e.unknown(name, seeApplications)
	}
	var fs []Finding
	ready := 0
	for i := range e.apps {
		app := &e.apps[i]
		c := app.GetCondition(xpv2.TypeReady)
		if c.Status == corev1.ConditionTrue && c.ObservedGeneration == app.GetGeneration() {
			ready++
		}
		for _, f := range applicationFindings(app) {
			if f.Severity == Note || f.Reason == string(v1.ReasonQuotaExceeded) {
				continue // Of one application each, or a check of its own.
			}
			ends := f.Reason == string(v1.ReasonEndsWithinDay) || f.Reason == string(v1.ReasonEndsWithinHour)
			switch of := app.GetAnnotations()[AnnotationAccessTo]; {
			case of != "" && ends:
				continue // It was made to end.
			case f.Reason != string(v1.ReasonExpired):
			case of != "":
				f.Severity, f.Advice = Note, "It was a person's own access. Who had it removes it: kubectl aivenapp credentials NAME --revoke; or delete it."
			default:
				f.Severity = Note // As somebody wished.
			}
			f.Objects = []string{e.qualified(app.GetNamespace(), app.GetName())}
			fs = append(fs, f)
		}
	}
	return check(name, fmt.Sprintf("%d of %s ready", ready, count(len(e.apps), "application")), grouped(fs))
}

// quotas groups applications by the service that has no room for them.
func (e *evidence) quotas() Check {
	const name = "quotas"
	if e.denied[seeApplications] != "" {
		return e.unknown(name, seeApplications)
	}
	var fs []Finding
	for i := range e.apps {
		app := &e.apps[i]
		ready, quota := app.GetCondition(xpv2.TypeReady), app.GetCondition(v1.TypeQuotaAvailable)
		c, severity := quota, Warning
		if ready.Reason == v1.ReasonQuotaExceeded {
			c, severity = ready, Problem
		}
		if c.Reason == v1.ReasonQuotaExceeded && c.Status == corev1.ConditionFalse {
			fs = append(fs, Finding{Severity: severity, Objects: []string{e.qualified(app.GetNamespace(), app.GetName())}, Reason: string(c.Reason), Message: c.Message, Advice: adviceOn(c.Reason)})
		}
	}
	summary := "no service is full, as far as is known"
	if len(fs) > 0 {
		summary = count(len(fs), "application") + " without room at a service"
	}
	return check(name, summary, grouped(fs))
}

// stuck looks at managed resources: those that cannot be deleted, and those that
// belong to no application and are not ready.
func (e *evidence) stuck() Check {
	var fs []Finding
	for _, mg := range e.managed {
		ready, synced := mg.GetCondition(xpv2.TypeReady), mg.GetCondition(xpv2.TypeSynced)
		object := []string{e.kindOf(mg) + "/" + e.qualified(mg.GetNamespace(), mg.GetName())}
		switch {
		case isStuck(mg.GetDeletionTimestamp(), e.now):
			fs = append(fs, Finding{
				Severity: Problem, Objects: object, Reason: string(synced.Reason),
				Message: "It cannot be deleted, and its user is still at Aiven" + tail(synced.Message),
				Advice:  "Mend the token, its rights or Aiven, as the message says. For a token that is dead for good see docs/runbook.md.",
			})
		case mg.GetDeletionTimestamp() != nil, v1.ApplicationOf(mg) != "":
		case ready.Status == corev1.ConditionFalse && ready.Reason != v1.ReasonCreating:
			fs = append(fs, Finding{Severity: Problem, Objects: object, Reason: string(ready.Reason), Message: orElse(ready.Message, synced.Message), Advice: adviceOn(ready.Reason)})
		}
	}
	for i := range e.secrets {
		s := &e.secrets[i]
		if isStuck(s.GetDeletionTimestamp(), e.now) {
			fs = append(fs, Finding{
				Severity: Problem, Objects: []string{"secret/" + e.qualified(s.GetNamespace(), s.GetName())},
				Message: "It waits until its users are gone from Aiven", Advice: "See \"A Secret that hangs in deletion\" in docs/runbook.md.",
			})
		}
	}
	const name = "managed"
	for _, what := range slices.Sorted(maps.Keys(e.denied)) {
		if len(fs) == 0 && strings.HasSuffix(what, seeUsers) {
			return e.unknown(name, what)
		}
	}
	return check(name, count(len(e.managed), "managed resource"), grouped(fs))
}

// orphans passes on what the provider said lately. Kubernetes keeps events for an
// hour, and the provider repeats these.
func (e *evidence) orphans() Check {
	const name = "orphans"
	last := make(map[string]corev1.Event)
	for _, ev := range e.events {
		k := ev.Reason + " " + ev.InvolvedObject.Kind + "/" + ev.InvolvedObject.Namespace + "/" + ev.InvolvedObject.Name
		if was, ok := last[k]; !ok || said(was).Before(said(ev)) {
			last[k] = ev
		}
	}
	var fs []Finding
	for _, ev := range last {
		f := Finding{
			Severity: Note, Reason: ev.Reason, Message: ev.Message + " (" + distance(said(ev), e.now) + ")", Objects: []string{ev.InvolvedObject.Kind + "/" + ev.InvolvedObject.Name},
			Advice: "They may be another cluster's. When nobody else uses the service, delete them at Aiven.",
		}
		if ev.Reason == eventOrphaned {
			f.Severity, f.Advice = Warning, "Delete them at Aiven, or have it done: spec.orphans: Delete in the ClusterProviderConfig."
		}
		fs = append(fs, f)
	}
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), slices.Compare(a.Objects, b.Objects))
	})
	if len(fs) == 0 && e.denied[seeEvents] != "" {
		return e.unknown(name, seeEvents)
	}
	summary := "the provider has told of no users that nothing claims, within the last hour"
	if len(fs) > 0 {
		summary = "there are users at Aiven that nothing claims"
	}
	return check(name, summary, fs)
}

func said(ev corev1.Event) time.Time {
	return slices.MaxFunc([]time.Time{ev.LastTimestamp.Time, ev.EventTime.Time, ev.CreationTimestamp.Time}, time.Time.Compare)
}

// young is how old a Secret is before it is strange that nothing uses it.
const young = time.Hour

// unused looks for Secrets that no workload uses: access that nobody needs.
func (e *evidence) unused() Check {
	const name = "secrets"
	if e.denied[seeSecrets] != "" {
		return e.unknown(name, seeSecrets)
	}
	if len(e.uses.unknown) > 0 {
		return e.unknown(name, strings.Join(e.uses.unknown, ", "))
	}
	personal := make(map[string]bool)
	for i := range e.apps {
		personal[e.apps[i].GetNamespace()+"/"+e.apps[i].GetName()] = e.apps[i].GetAnnotations()[AnnotationAccessTo] != ""
	}
	var objects []string
	for i := range e.secrets {
		s := &e.secrets[i]
		if s.GetDeletionTimestamp() == nil && !personal[s.GetNamespace()+"/"+v1.ApplicationOf(s)] &&
			e.now.Sub(s.GetCreationTimestamp().Time) > young && len(e.uses.of(s.GetNamespace(), s.GetName())) == 0 {
			objects = append(objects, e.qualified(s.GetNamespace(), s.GetName()))
		}
	}
	summary := count(len(e.secrets), "published Secret") + ", each used or new"
	if len(objects) == 0 {
		return check(name, summary, nil)
	}
	return check(name, fmt.Sprintf("%d of %s used by nothing", len(objects), count(len(e.secrets), "published Secret")), []Finding{{
		Severity: Note, Objects: objects, Message: fmt.Sprintf("No workload has used them, and they are older than %s", duration.HumanDuration(young)),
		Advice: "Delete applications that nobody needs. What reads a Secret through the API is not seen here.",
	}})
}

// qualified returns a name, with its namespace where there are several.
func (e *evidence) qualified(namespace, name string) string {
	if e.alone != "" {
		return name
	}
	return namespace + "/" + name
}

// grouped joins findings that say the same, or are of one reason and differ in
// their messages only, those of most objects first.
func grouped(fs []Finding) []Finding {
	var out []Finding
	for _, f := range fs {
		i := slices.IndexFunc(out, func(o Finding) bool {
			return o.Severity == f.Severity && o.Reason == f.Reason && o.Advice == f.Advice && (f.Reason != "" || o.Message == f.Message)
		})
		if i < 0 {
			out = append(out, f)
			continue
		}
		if out[i].Message != f.Message && len(out[i].Objects) == 1 {
			out[i].Message += " (the others similar)"
		}
		out[i].Objects = append(out[i].Objects, f.Objects...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(len(b.Objects), len(a.Objects)) })
	return out
}

// examination writes what checks found.
func (p printer) examination(x *Examination) {
	where := "all namespaces"
	if x.Namespace != "" {
		where = "namespace " + x.Namespace
	}
	styles := map[string]style{CheckFine: good, Note: good, Warning: poor, Problem: bad, CheckUnknown: faint}
	root := node{cells: []cell{bold.as("Examination of %s", where)}}
	for _, c := range x.Checks {
		root.children = append(root.children, leaf(say("%s", c.Name), styles[c.Verdict].as("%s", c.Verdict), say("%s", c.Summary)))
	}
	p.tree(root)
	p.printf("\n")
	if x.Problems == 0 {
		text := "No problem was found."
		if len(x.NotSeen) > 0 {
			text = "No problem was found in what you may see."
		}
		p.printf("%s\n", good.as("%s", text))
	}
	for _, severity := range []string{Problem, Warning, Note} {
		for _, c := range x.Checks {
			for _, f := range c.Findings {
				if f.Severity == severity {
					p.finding("", f)
				}
			}
		}
	}
	p.notSeen(x.NotSeen)
}
