// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// An action is something that people, or Aiven, do. It returns false when there
// is nothing to do it to.
type action struct {
	weight int
	do     func(w *world) bool
}

var actions = []action{
	{6, (*world).changeAccess},
	{5, (*world).changeValkey},
	{3, (*world).changeKafka},
	{3, (*world).changeOpenSearch},
	{5, (*world).changeSecretName},
	{3, (*world).changeSectionSecret},
	{8, (*world).changeRotation},
	{5, (*world).requestRotation},
	{4, (*world).changeExpiry},
	{2, (*world).changeProtection},
	{5, (*world).createApplication},
	{4, (*world).deleteApplication},
	{4, (*world).deleteSecret},
	{4, (*world).editSecret},
	{4, (*world).deleteUser},
	{3, (*world).renewCertificate},
	{1, (*world).rotateAuthority},
	{24, (*world).startPod},
	{5, (*world).endPod},
}

// act does something at random.
func (w *world) act() {
	w.t.Helper()
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for {
		n := w.rng.IntN(total)
		for _, a := range actions {
			if n -= a.weight; n >= 0 {
				continue
			}
			if a.do(w) {
				return
			}
			break
		}
	}
}

// pick returns one of many at random.
func pick[T any](w *world, from []T) T { return from[w.rng.IntN(len(from))] }

// any returns an application at random.
func (w *world) any() (types.NamespacedName, bool) {
	keys := w.keys()
	if len(keys) == 0 {
		return types.NamespacedName{}, false
	}
	return pick(w, keys), true
}

// change edits an application at random.
func (w *world) change(what string, fn func(a *v1.AivenApplication) bool) bool {
	w.t.Helper()
	key, ok := w.any()
	if !ok {
		return false
	}
	fresh := w.apps[key].want.DeepCopy()
	if !fn(fresh) {
		return false
	}
	w.edit(key, func(a *v1.AivenApplication) { a.Spec, a.Annotations = fresh.Spec, fresh.Annotations })
	w.notef("%s: %s", key, what)
	return true
}

var levels = []v1.Access{v1.AccessRead, v1.AccessWrite, v1.AccessReadWrite, v1.AccessAdmin}

func (w *world) changeAccess() bool {
	level := pick(w, levels)
	return w.change("access "+string(level), func(a *v1.AivenApplication) bool {
		if a.Spec.OpenSearch != nil {
			a.Spec.OpenSearch.Access = level
		}
		for i := range a.Spec.Valkey {
			a.Spec.Valkey[i].Access = level
		}
		return a.Spec.OpenSearch != nil || len(a.Spec.Valkey) > 0
	})
}

func (w *world) changeValkey() bool {
	instance := pick(w, stores)
	return w.change("Valkey "+instance+" in or out", func(a *v1.AivenApplication) bool {
		n := len(a.Spec.Valkey)
		a.Spec.Valkey = slices.DeleteFunc(a.Spec.Valkey, func(s v1.ValkeySpec) bool { return s.Instance == instance })
		if len(a.Spec.Valkey) == n {
			a.Spec.Valkey = append(a.Spec.Valkey, v1.ValkeySpec{Instance: instance, Access: v1.AccessReadWrite})
		}
		return len(sections(a)) > 0
	})
}

func (w *world) changeKafka() bool {
	pool := pick(w, append(slices.Clone(pools), ""))
	return w.change("Kafka pool "+pool, func(a *v1.AivenApplication) bool {
		a.Spec.Kafka = nil
		if pool != "" {
			a.Spec.Kafka = &v1.KafkaSpec{Pool: pool}
		}
		return len(sections(a)) > 0
	})
}

func (w *world) changeOpenSearch() bool {
	instance := pick(w, append(slices.Clone(searches), ""))
	return w.change("OpenSearch "+instance, func(a *v1.AivenApplication) bool {
		a.Spec.OpenSearch = nil
		if instance != "" {
			a.Spec.OpenSearch = &v1.OpenSearchSpec{Instance: instance, Access: v1.AccessRead}
		}
		return len(sections(a)) > 0
	})
}

// changeSecretName goes back to an earlier name now and then.
func (w *world) changeSecretName() bool {
	n := w.rng.IntN(3)
	return w.change(fmt.Sprintf("Secret name %d", n), func(a *v1.AivenApplication) bool {
		a.Spec.SecretName = ""
		if n > 0 {
			a.Spec.SecretName = fmt.Sprintf("%s-secret-%d", a.GetName(), n)
		}
		return true
	})
}

func (w *world) changeSectionSecret() bool {
	return w.change("Secret of its own for a section, or not", func(a *v1.AivenApplication) bool {
		toggle := func(name *string, own string) {
			if *name == "" {
				*name = own
			} else {
				*name = ""
			}
		}
		switch {
		case a.Spec.Kafka != nil:
			toggle(&a.Spec.Kafka.SecretName, a.GetName()+"-kafka")
		case len(a.Spec.Valkey) > 0:
			toggle(&a.Spec.Valkey[0].SecretName, a.GetName()+"-valkey")
		default:
			return false
		}
		return true
	})
}

// policies are how applications may rotate. nil is the default.
var policies = []*v1.RotationSpec{
	nil, nil,
	rotation(time.Hour, 30*time.Minute), rotation(6*time.Hour, 0), rotation(day, time.Hour), rotation(7*day, day),
	rotation(30*day, 7*day), rotation(90*day, day), rotation(0, day),
}

// hurried is how many applications rotate each hour at most: the world settles
// only when none of them is about to.
const hurried = 3

// policy returns how an application may rotate.
func (w *world) policy() *v1.RotationSpec {
	p := pick(w, policies)
	if p == nil || p.Interval.Duration != time.Hour {
		return p.DeepCopy()
	}
	n := 0
	for _, a := range w.apps {
		if r := a.want.Spec.Rotation; r != nil && r.Interval != nil && r.Interval.Duration == time.Hour {
			n++
		}
	}
	if n >= hurried {
		return nil
	}
	return p.DeepCopy()
}

func rotation(interval, overlap time.Duration) *v1.RotationSpec {
	return &v1.RotationSpec{Interval: &metav1.Duration{Duration: interval}, Overlap: &metav1.Duration{Duration: overlap}}
}

func (w *world) changeRotation() bool {
	p := w.policy()
	what := "rotation as by default"
	if p != nil {
		what = fmt.Sprintf("rotation every %s, overlap %s", p.Interval.Duration, p.Overlap.Duration)
	}
	return w.change(what, func(a *v1.AivenApplication) bool {
		requested := requestedAt(a)
		a.Spec.Rotation = p.DeepCopy()
		if requested != nil && p != nil {
			a.Spec.Rotation.RequestedAt = requested
		}
		return true
	})
}

func (w *world) requestRotation() bool {
	if w.rng.IntN(2) == 0 {
		return w.change("rotation requested by annotation", func(a *v1.AivenApplication) bool {
			metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, clock.Now().Format(time.RFC3339))
			return true
		})
	}
	return w.change("rotation requested", func(a *v1.AivenApplication) bool {
		at := metav1.NewTime(clock.Now())
		if a.Spec.Rotation == nil {
			a.Spec.Rotation = &v1.RotationSpec{}
		}
		a.Spec.Rotation.RequestedAt = &at
		return true
	})
}

func (w *world) changeExpiry() bool {
	in := pick(w, []time.Duration{-time.Hour, 30 * time.Minute, 20 * time.Hour, 10 * day, 0, 0, 0})
	return w.change(fmt.Sprintf("expires in %s (0: never)", in), func(a *v1.AivenApplication) bool {
		if in == 0 && a.Spec.ExpiresAt == nil {
			return false
		}
		a.Spec.ExpiresAt = nil
		if in != 0 {
			at := metav1.NewTime(clock.Now().Add(in))
			a.Spec.ExpiresAt = &at
		}
		return true
	})
}

func (w *world) changeProtection() bool {
	return w.change("protected, or not any more", func(a *v1.AivenApplication) bool {
		a.Spec.Protected = !a.Spec.Protected
		return true
	})
}

func (w *world) createApplication() bool {
	if len(w.apps) >= w.most {
		return false
	}
	w.count["applications"]++
	// Now and then one comes back that was deleted.
	key := types.NamespacedName{Namespace: pick(w, w.namespaces), Name: fmt.Sprintf("app-%d", w.count["applications"])}
	if len(w.deleted) > 0 && w.rng.IntN(3) == 0 {
		key = pick(w, w.deleted)
		if w.apps[key] != nil || w.view.apps[key] != nil {
			return false
		}
	}
	a := &v1.AivenApplication{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	for len(sections(a)) == 0 {
		if w.rng.IntN(3) > 0 {
			a.Spec.Kafka = &v1.KafkaSpec{Pool: pick(w, pools)}
		}
		if w.rng.IntN(2) > 0 {
			a.Spec.OpenSearch = &v1.OpenSearchSpec{Instance: pick(w, searches), Access: pick(w, levels)}
		}
		for _, i := range stores {
			if w.rng.IntN(3) == 0 {
				a.Spec.Valkey = append(a.Spec.Valkey, v1.ValkeySpec{Instance: i, Access: pick(w, levels)})
			}
		}
	}
	a.Spec.Rotation = w.policy()
	w.add(a)
	return true
}

// add creates an application.
func (w *world) add(a *v1.AivenApplication) {
	w.t.Helper()
	w.create(a)
	w.apps[client.ObjectKeyFromObject(a)] = &application{want: a}
	w.notef("%s/%s: created", a.GetNamespace(), a.GetName())
	w.seen("AivenApplication", a)
}

func (w *world) deleteApplication() bool {
	key, ok := w.any()
	if !ok || len(w.apps) < w.most/2 {
		return false
	}
	w.remove(key)
	return true
}

// remove deletes an application.
func (w *world) remove(key types.NamespacedName) {
	w.t.Helper()
	w.delete(w.apps[key].want)
	delete(w.apps, key)
	w.deleted = append(w.deleted, key)
	w.notef("%s: deleted", key)
}

// anySecret returns a published Secret at random that nobody deletes yet.
func (w *world) anySecret() *corev1.Secret {
	var out []*corev1.Secret
	for _, s := range w.view.secrets {
		if s.GetDeletionTimestamp() == nil {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, func(a, b *corev1.Secret) int {
		return compareKeys(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
	})
	return pick(w, out)
}

func (w *world) deleteSecret() bool {
	s := w.anySecret()
	if s == nil {
		return false
	}
	w.revoke(s)
	return true
}

// revoke deletes a Secret as a person would.
func (w *world) revoke(s *corev1.Secret) {
	w.t.Helper()
	key := client.ObjectKeyFromObject(s)
	w.revoked[s.GetUID()] = true
	if app := w.apps[types.NamespacedName{Namespace: s.GetNamespace(), Name: v1.ApplicationOf(s)}]; app != nil {
		app.lost = true
	}
	uid := s.GetUID()
	w.delete(s.DeepCopy(), client.Preconditions{UID: &uid})
	w.notef("%s: Secret deleted", key)
	harness.Within(w.t, patience, "the view shows that the Secret is deleted", func(context.Context) error {
		w.look()
		if s := w.view.secrets[key]; s != nil && s.GetUID() == uid && s.GetDeletionTimestamp() == nil {
			return errors.New("it does not")
		}
		return nil
	})
}

// editSecret damages a Secret: what is published comes back.
func (w *world) editSecret() bool {
	s := w.anySecret()
	if s == nil || !w.wanted(s) {
		return false
	}
	damage := pick(w, []string{"AIVEN_CA", "KAFKA_CA", "KAFKA_SCHEMA_REGISTRY_PASSWORD", "OPEN_SEARCH_PASSWORD", "client.keystore.p12"})
	remove := w.rng.IntN(2) == 0
	if len(s.Data[damage]) == 0 {
		return false
	}
	value := `"ZGFtYWdlZA=="`
	if remove {
		value = "null"
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"yes"}},"data":{%q:%s}}`, tamper, damage, value)
	o := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.GetNamespace(), Name: s.GetName()}}
	if err := h.Kube.Patch(w.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))); client.IgnoreNotFound(err) != nil {
		w.t.Fatalf("cannot edit Secret: %v", err)
	} else if err != nil {
		return false
	}
	w.notef("%s/%s: Secret's %s damaged", s.GetNamespace(), s.GetName(), damage)
	w.seen("Secret", o)
	return true
}

func (w *world) deleteUser() bool {
	a, u, ok := w.anyUser(func(v1.UserStatus) bool { return true })
	if !ok {
		return false
	}
	w.vanished[u.Username] = true
	h.Sim.DeleteUser(project, u.ServiceName, u.Username)
	w.notef("%s/%s: user %s of %s deleted at Aiven", a.GetNamespace(), a.GetName(), u.Username, u.Service)
	return true
}

func (w *world) renewCertificate() bool {
	a, u, ok := w.anyUser(func(u v1.UserStatus) bool { return u.Service == "kafka" })
	if !ok {
		return false
	}
	h.Sim.RenewCertificate(project, u.ServiceName, u.Username)
	w.notef("%s/%s: certificate of %s renewed at Aiven", a.GetNamespace(), a.GetName(), u.Username)
	return true
}

// anyUser returns a user at random that is published, or was before, and exists.
func (w *world) anyUser(which func(v1.UserStatus) bool) (*v1.AivenApplication, v1.UserStatus, bool) {
	key, ok := w.any()
	if !ok || w.view.apps[key] == nil || w.view.apps[key].Status.Credentials == nil {
		return nil, v1.UserStatus{}, false
	}
	a := w.view.apps[key]
	users := slices.Clone(a.Status.Credentials.Users)
	if p := a.Status.Credentials.Previous; p != nil {
		users = append(users, p.Users...)
	}
	users = slices.DeleteFunc(users, func(u v1.UserStatus) bool {
		_, exists := h.Sim.User(project, u.ServiceName, u.Username)
		return !exists || !which(u)
	})
	if len(users) == 0 {
		return nil, v1.UserStatus{}, false
	}
	return a, pick(w, users), true
}

func (w *world) rotateAuthority() bool {
	if len(w.authorities) > 3 {
		return false
	}
	w.authorities = append(w.authorities, clock.Now())
	h.Sim.RotateProjectCA(project)
	w.notef("the project has another CA")
	return true
}

func (w *world) startPod() bool {
	s := w.anySecret()
	if !w.startable(s) || len(w.pods) >= w.most {
		return false
	}
	p := w.run(client.ObjectKeyFromObject(s))
	w.notef("%s/%s: pod %s started", s.GetNamespace(), s.GetName(), p.object.GetName())
	return true
}

func (w *world) endPod() bool {
	keys := w.podKeys()
	if len(keys) == 0 {
		return false
	}
	p := w.pods[pick(w, keys)]
	w.end(p, w.rng.IntN(2) == 0)
	w.notef("%s/%s: pod %s ended", p.secret.Namespace, p.secret.Name, p.object.GetName())
	return true
}
