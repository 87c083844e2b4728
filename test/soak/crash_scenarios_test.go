// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// A scenario is a stretch of an application's life that begins where the one
// before ended.
type scenario struct {
	name string
	// prepare makes what else its start needs, nil when that is nothing.
	prepare func(l *life)
	// trigger brings it about.
	trigger func(l *life)
	// hasten has the time pass that it waits for, nil when it does not wait.
	hasten func(l *life)
	// over tells whether it has come to its end, as far as that does not follow from
	// the world being as it should be. nil when it does.
	over func(l *life) bool
}

var (
	provision = &scenario{name: "provision", trigger: (*life).provision, hasten: (*life).skip, over: func(l *life) bool { return l.issued(1) }}
	rotate    = &scenario{name: "rotate", prepare: (*life).startPod, trigger: (*life).rotate, hasten: (*life).skip, over: func(l *life) bool { return l.issued(2) }}
	retire    = &scenario{name: "retire", prepare: (*life).wait, trigger: (*life).retire, over: func(l *life) bool { return l.credentials().Previous == nil }}
	expire    = &scenario{name: "expire", prepare: (*life).limit, trigger: (*life).expire}
	revoke    = &scenario{name: "revoke", prepare: (*life).startPod, trigger: (*life).lose, hasten: (*life).skip, over: func(l *life) bool { return l.issued(2) }}
	remove    = &scenario{name: "delete", prepare: (*life).endPod, trigger: (*life).leave, hasten: (*life).skip, over: func(l *life) bool { return len(l.nothingLeft()) == 0 }}
)

// lives are the ways that an application may go. The Secret is deleted by a person
// in revoke, and by the janitor in delete.
var lives = [][]*scenario{{provision, rotate, retire, expire}, {provision, revoke, remove}}

// scenarios returns all scenarios, each once.
func scenarios() []*scenario { return []*scenario{provision, rotate, retire, expire, revoke, remove} }

// credentials returns what the status of the application says of them.
func (l *life) credentials() *v1.CredentialsStatus {
	if a := l.view.apps[l.key]; a != nil && a.Status.Credentials != nil {
		return a.Status.Credentials
	}
	return &v1.CredentialsStatus{}
}

// issued tells whether a revision is published, and belongs to its Secret.
func (l *life) issued(revision int64) bool {
	c := l.credentials()
	return c.Revision == revision && !slices.ContainsFunc(c.Users, func(u v1.UserStatus) bool {
		mg := l.claim(u.ServiceName, u.Username)
		return mg == nil || l.holder(mg) == nil
	})
}

func (l *life) provision() {
	l.add(&v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.key.Namespace, Name: l.key.Name},
		Spec: v1.AivenApplicationSpec{
			Kafka:      &v1.KafkaSpec{Pool: pools[0]},
			OpenSearch: &v1.OpenSearchSpec{Instance: searches[0], Access: v1.AccessReadWrite},
			Valkey:     []v1.ValkeySpec{{Instance: withReplica, Access: v1.AccessReadWrite}},
			Rotation:   rotation(day, time.Hour),
		},
	})
}

func (l *life) startPod() { l.pod = l.run(l.secretKey()) }

func (l *life) endPod() {
	l.end(l.pod, false)
	l.pod = nil
}

func (l *life) rotate() { l.leap(l.credentials().RotateAt.Time) }

// wait lets a minute pass: a pod that starts earlier might hold what was replaced.
func (l *life) wait() { l.leap(l.credentials().Previous.Since.Add(time.Minute)) }

// retire has the pod read what is published now.
func (l *life) retire() {
	l.endPod()
	l.startPod()
	l.leap(l.credentials().Previous.RetireAfter.Time)
}

func (l *life) limit() {
	at := metav1.NewTime(clock.Now().Add(2 * time.Hour))
	l.edit(l.key, func(a *v1.AivenApplication) { a.Spec.ExpiresAt = &at })
}

func (l *life) expire() { l.leap(l.apps[l.key].want.Spec.ExpiresAt.Time) }

func (l *life) lose() { l.revoke(l.view.secrets[l.secretKey()]) }

func (l *life) leave() { l.remove(l.key) }

// leap has the clock show a time.
func (l *life) leap(to time.Time) {
	l.t.Helper()
	l.idle()
	if d := to.Sub(clock.Now()); d > 0 {
		clock.Step(d)
	}
	l.noteEnds()
	l.notef("it is %s", to.UTC().Format(time.DateTime))
}

// skip leaps over what only time brings: the first minute of a publication, in which
// users do not belong to their Secret yet, and the grace period of a Secret that is
// marked as unused.
func (l *life) skip() {
	s := l.view.secrets[l.secretKey()]
	if s == nil || s.GetDeletionTimestamp() != nil {
		return
	}
	if since, err := time.Parse(time.RFC3339, s.GetAnnotations()[v1.AnnotationUnusedSince]); err == nil && clock.Now().Before(since.Add(grace)) {
		l.leap(since.Add(grace))
	}
	c := l.credentials()
	if at, err := time.Parse(time.RFC3339, string(s.Data[connection.SecretUpdated])); err == nil && len(c.Users) > 0 && !l.issued(c.Revision) && clock.Now().Before(at.Add(time.Minute)) {
		l.leap(at.Add(time.Minute))
	}
}

// portrait describes the application and all that belongs to it in the cluster and
// at Aiven, less what is random and less all times.
func (l *life) portrait() []string {
	l.t.Helper()
	out := slices.Concat(l.portraitOfApplication(), l.portraitOfUsers(), l.portraitOfSecrets(), l.portraitOfAiven())
	for i := range out {
		out[i] = l.anonymous(out[i])
	}
	return out
}

func (l *life) portraitOfApplication() []string {
	a := &v1.AivenApplication{}
	if err := h.Kube.Get(l.t.Context(), l.key, a); kerrors.IsNotFound(err) {
		return []string{"no application"}
	} else if err != nil {
		l.t.Fatal(err)
	}
	out := []string{
		fmt.Sprintf("application: deleted %t, generation observed %t, %s", meta.WasDeleted(a), a.Status.ObservedGeneration == a.GetGeneration(), a.Status.SynchronizationState),
		"application: conditions " + conditions(a.Status.Conditions),
	}
	for _, s := range a.Status.Secrets {
		out = append(out, "application: publishes "+s.Name)
	}
	c := a.Status.Credentials
	if c == nil {
		return append(out, "application: no credentials")
	}
	out = append(out, fmt.Sprintf("application: revision %d of %v, rotates %t, ends %t", c.Revision, l.revisions(c.Users), c.RotateAt != nil, c.NotAfter != nil))
	if p := c.Previous; p != nil {
		out = append(out, fmt.Sprintf("application: revision %d before of %v, held by %d", p.Revision, l.revisions(p.Users), len(p.HeldBy)))
	}
	if n := c.Next; n != nil {
		out = append(out, fmt.Sprintf("application: revision %d next of %v: %s", n.Revision, n.Services, n.Reason))
	}
	return out
}

// revisions tells for which services there are users, and of which revisions.
func (l *life) revisions(users []v1.UserStatus) []string {
	out := make([]string, 0, len(users))
	for _, u := range users {
		out = append(out, fmt.Sprintf("%s r%d", u.Service, u.Revision))
	}
	return out
}

// uncollected returns what belongs to nothing that there is. Kubernetes removes it
// when it gets to it.
func (l *life) uncollected() []string {
	there := make(map[types.UID]bool)
	var all []client.Object
	for _, list := range append(composed(), &v1.AivenApplicationList{}, &corev1.SecretList{}) {
		if err := h.Kube.List(l.t.Context(), list, client.InNamespace(l.key.Namespace)); err != nil {
			l.t.Fatal(err)
		}
		_ = apimeta.EachListItem(list, func(i runtime.Object) error {
			if o, ok := i.(client.Object); ok {
				there[o.GetUID()] = true
				all = append(all, o)
			}
			return nil
		})
	}
	var out []string
	for _, o := range all {
		owners := o.GetOwnerReferences()
		if len(owners) > 0 && !slices.ContainsFunc(owners, func(r metav1.OwnerReference) bool { return there[r.UID] }) {
			out = append(out, kindOf(o)+" "+o.GetName()+" belongs to nothing")
		}
	}
	return out
}

// composed returns empty lists of what is made for applications, less Secrets.
func composed() []client.ObjectList {
	return []client.ObjectList{&v1alpha1.KafkaServiceUserList{}, &v1alpha1.OpenSearchServiceUserList{}, &v1alpha1.ValkeyServiceUserList{}, &v1alpha1.ProviderConfigUsageList{}}
}

func (l *life) portraitOfUsers() []string {
	var out []string
	for _, list := range composed() {
		if err := h.Kube.List(l.t.Context(), list, client.InNamespace(l.key.Namespace)); err != nil {
			l.t.Fatal(err)
		}
		_ = apimeta.EachListItem(list, func(o runtime.Object) error {
			switch o := o.(type) {
			case managedUser:
				_, exists := h.Sim.User(project, o.GetServiceUserParameters().ServiceName, meta.GetExternalName(o))
				a := o.GetAnnotations()
				out = append(out, fmt.Sprintf("%s %s: revision %s for Secret %s, of %v, finalizers %v, deleted %t, user exists %t", kindOf(o), o.GetName(),
					a[v1.AnnotationRevision], a[v1.AnnotationSecret], ownersIn(o), o.GetFinalizers(), meta.WasDeleted(o), exists))
				if c, ok := o.(interface {
					GetCondition(t xpv2.ConditionType) xpv2.Condition
				}); ok {
					out = append(out, fmt.Sprintf("%s %s: conditions %s", kindOf(o), o.GetName(), conditions([]xpv2.Condition{c.GetCondition(xpv2.TypeReady), c.GetCondition(xpv2.TypeSynced)})))
				}
			case *v1alpha1.ProviderConfigUsage:
				out = append(out, fmt.Sprintf("usage of %s by %s", o.ProviderConfigReference.Name, o.ResourceReference.Kind))
			}
			return nil
		})
	}
	slices.Sort(out)
	return out
}

func (l *life) portraitOfSecrets() []string {
	list := &corev1.SecretList{}
	if err := h.Kube.List(l.t.Context(), list, client.InNamespace(l.key.Namespace)); err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		s := &list.Items[i]
		out = append(out, fmt.Sprintf("Secret %s: of %v, finalizers %v, deleted %t, keys %v", s.GetName(), ownersIn(s), s.GetFinalizers(), s.GetDeletionTimestamp() != nil, sorted(s.Data)),
			fmt.Sprintf("Secret %s: labels %v, annotations %v", s.GetName(), sorted(s.GetLabels()), sorted(s.GetAnnotations())))
		if v1.ApplicationOf(s) == "" {
			continue
		}
		for _, c := range credentialsIn(s) {
			revision := "unknown"
			for _, mg := range l.view.users {
				if meta.GetExternalName(mg) == c.username {
					revision = mg.GetAnnotations()[v1.AnnotationRevision]
				}
			}
			out = append(out, fmt.Sprintf("Secret %s: holds %s, revision %s, works %t", s.GetName(), c.id, revision, c.works() == nil))
		}
	}
	slices.Sort(out)
	return out
}

func (l *life) portraitOfAiven() []string {
	var out []string
	for _, service := range l.services() {
		var may []string
		for _, u := range made(service) {
			may = append(may, fmt.Sprintf("%v", u.AccessControl))
		}
		slices.Sort(may)
		out = append(out, fmt.Sprintf("Aiven: %s has %d users %v", service, len(may), may))
		for _, row := range h.Sim.OpenSearchACL(project, service).ACLs {
			_, exists := h.Sim.User(project, service, row.Username)
			out = append(out, fmt.Sprintf("Aiven: %s has %v for a user that exists: %t", service, row.Rules, exists))
		}
	}
	return out
}

// conditions tells statuses and reasons.
func conditions(cs []xpv2.Condition) string {
	out := make([]string, 0, len(cs))
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// ownersIn returns what an object belongs to.
func ownersIn(o metav1.Object) []string {
	var out []string
	for _, r := range o.GetOwnerReferences() {
		out = append(out, r.Kind+"/"+r.Name)
	}
	slices.Sort(out)
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
