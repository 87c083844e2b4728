// SPDX-License-Identifier: Apache-2.0

package valkey

import (
	"context"
	"testing"
	"time"

	"github.com/pkg/errors"
	"github.com/redis/go-redis/v9"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// overlap of credentials in TestRotation.
const overlap = 10 * time.Second

// TestRotation: an application that takes up new credentials while it runs notices nothing, and what it had
// before is worth nothing in the end.
func TestRotation(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "rotation")
	app := te.app("orders", v1.AccessReadWrite)
	app.Spec.Rotation.Overlap = &metav1.Duration{Duration: overlap}
	te.create(app)
	old := te.published("orders", 1, true)
	pod := te.pod("orders", old.GetName())
	te.owned(old) // The pod was seen.
	open := te.connection(old)
	p := te.probe(old.GetName())

	metadata := func(value string) func(a *v1.AivenApplication) {
		return func(a *v1.AivenApplication) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1.AnnotationRotate, value) }
	}
	te.change("orders", metadata("one"))
	fresh := te.published("orders", 2, false)
	for name, s := range map[string]*corev1.Secret{"old": old, "new": fresh} {
		if err := te.client(s).Set(t.Context(), name, "v", 0).Err(); err != nil {
			t.Errorf("the %s user during the rotation: %v", name, err)
		}
	}
	if err := open.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the old user's connection during the rotation: %v", err)
	}
	te.onlyUsers(old, fresh)

	p.uses(fresh)
	te.delete(pod, client.GracePeriodSeconds(0))
	te.published("orders", 2, true)
	te.retired(old)
	te.ended(open)
	te.onlyUsers(fresh)

	// And again, without anything that holds the overlap up.
	p.uses(fresh)
	te.change("orders", metadata("two"))
	last := te.published("orders", 3, false)
	p.uses(last)
	te.published("orders", 3, true)
	te.retired(fresh)
	te.onlyUsers(last)
	p.stop()
	t.Logf("the probe wrote and read over %d connections", p.rounds)
}

// A probe reads and writes all the time, with the credentials that are in the Secret at the moment: over a
// connection that it keeps, and over a new one.
type probe struct {
	te     tenant
	secret string
	cancel context.CancelFunc
	done   chan struct{}
	using  chan string // the user of each round that went well
	kept   *redis.Client

	rounds int
	failed error
}

func (te tenant) probe(secret string) *probe {
	te.t.Helper()
	ctx, cancel := context.WithCancel(te.t.Context())
	p := &probe{te: te, secret: secret, cancel: cancel, done: make(chan struct{}), using: make(chan string)}
	te.t.Cleanup(cancel)
	go p.run(ctx)
	p.uses(te.secret(secret))
	return p
}

func (p *probe) run(ctx context.Context) {
	defer close(p.done)
	defer func() {
		if p.kept != nil {
			_ = p.kept.Close()
		}
	}()
	for ctx.Err() == nil && p.failed == nil {
		began := time.Now()
		user, err := p.round(ctx)
		switch {
		case err == nil:
			p.rounds++
		case time.Since(began) < overlap/2:
			p.fail(ctx, err)
			return
		default: // Nobody is promised that credentials work so long after they were read.
			continue
		}
		select {
		case p.using <- user:
		default: // Nobody waits for it.
		}
	}
}

// round reads the Secret and uses what is in it, whose user it returns.
func (p *probe) round(ctx context.Context) (string, error) {
	s := &corev1.Secret{}
	if err := h.Kube.Get(ctx, client.ObjectKey{Namespace: p.te.namespace, Name: p.secret}, s); err != nil {
		return "", errors.Wrap(err, "cannot read the Secret")
	}
	fresh, err := connect(s)
	if err != nil {
		return "", err
	}
	defer func() {
		if fresh != nil {
			_ = fresh.Close()
		}
	}()
	if err := roundTrip(ctx, fresh); err != nil {
		return "", err
	}
	user := fresh.Options().Username
	if p.kept == nil || p.kept.Options().Username != user {
		fresh, p.kept = p.kept, fresh
	}
	return user, roundTrip(ctx, p.kept)
}

// fail keeps the first failure, unless it comes of the end.
func (p *probe) fail(ctx context.Context, err error) {
	if p.failed == nil && ctx.Err() == nil {
		p.failed = err
	}
}

func roundTrip(ctx context.Context, c *redis.Client) error {
	want := time.Now().String()
	if err := c.Set(ctx, "probe", want, 0).Err(); err != nil {
		return errors.Wrap(err, "cannot write")
	}
	got, err := c.Get(ctx, "probe").Result()
	if err == nil && got != want {
		err = errors.New("it is not what was written")
	}
	return errors.Wrap(err, "cannot read")
}

// uses waits until the probe has used the user of a Secret.
func (p *probe) uses(s *corev1.Secret) {
	p.te.t.Helper()
	harness.Eventually(p.te.t, "the probe uses the credentials", func(ctx context.Context) error {
		select {
		case user := <-p.using:
			if user != string(s.Data["VALKEY_USERNAME_CACHE"]) {
				return errors.Errorf("it uses %s", user)
			}
			return nil
		case <-p.done:
			p.te.t.Fatalf("the probe failed in round %d: %v", p.rounds, p.failed)
		case <-ctx.Done():
		}
		return ctx.Err()
	})
}

// stop ends the probe, and fails the test if anything ever failed.
func (p *probe) stop() {
	p.te.t.Helper()
	p.cancel()
	<-p.done
	if p.failed != nil {
		p.te.t.Errorf("the probe failed in round %d: %v", p.rounds, p.failed)
	}
}

// TestRevoked: however credentials end, nobody can use them from then on, nor goes on to.
func TestRevoked(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason   string
		workload bool // uses the Secret from the start
		end      func(te tenant, s *corev1.Secret)
		again    bool
	}{
		"DeletedSecret": {
			reason: "Who deletes the Secret revokes the credentials, and gets others.",
			end:    func(te tenant, s *corev1.Secret) { te.delete(s) },
			again:  true,
		},
		"DeletedApplication": {
			reason: "Without an application nobody has access.",
			end:    func(te tenant, _ *corev1.Secret) { te.delete(te.app("orders", "")) },
		},
		"Janitor": {
			reason: "A workload keeps its access until it is gone too.", workload: true,
			end: func(te tenant, s *corev1.Secret) {
				te.owned(s)
				te.delete(te.app("orders", ""))
				te.gone(te.app("orders", ""))
				te.client(s)
				te.delete(te.replicaSet(s.GetName()))
			},
		},
		"Expired": {
			reason: "Access ends when it was said to, whoever uses it.",
			end: func(te tenant, s *corev1.Secret) {
				te.pod("orders", s.GetName())
				te.change("orders", func(a *v1.AivenApplication) { a.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(2 * time.Second))) })
			},
		},
		"DeletedAtAiven": {
			reason: "Who deletes the user at Aiven has it replaced.",
			end: func(te tenant, s *corev1.Secret) {
				h.Sim.DeleteUser(te.project, te.service(), string(s.Data["VALKEY_USERNAME_CACHE"]))
			},
			again: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			te := newTenant(t, "revoked")
			if tc.workload {
				te.create(te.replicaSet("orders-aiven"))
			}
			te.create(te.app("orders", v1.AccessReadWrite))
			s := te.published("orders", 1, true)
			open := te.connection(s)
			tc.end(te, s.DeepCopy())
			te.retired(s)
			te.ended(open)
			if !tc.again {
				te.gone(s.DeepCopy())
				te.onlyUsers()
				return
			}
			next := te.published("orders", 2, true)
			if err := te.client(next).Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Errorf("\n%s\nthe new user: %v", tc.reason, err)
			}
			te.onlyUsers(next)
		})
	}
}

// replicaSet returns one without replicas that refers to a Secret, as a rollout leaves behind for rollbacks.
func (te tenant) replicaSet(secret string) *appsv1.ReplicaSet {
	labels := map[string]string{"app": "orders"}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: te.namespace},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec(secret)},
		},
	}
}
