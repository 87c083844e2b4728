// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

const (
	// checkTimeout ends a check that hangs.
	checkTimeout = 2 * time.Minute

	jitter = 0.1
)

// Reasons of events are those of the condition Healthy.

// A checker says of configurations whether their tokens work.
type checker struct {
	client client.Client
	live   client.Reader
	kind   string
	new    func() client.Object

	configs  Configurations
	metrics  Metrics
	record   event.Recorder
	interval time.Duration
	now      func() time.Time

	mu     sync.Mutex
	checks map[types.NamespacedName]check
}

// A check is what is remembered of the latest of a configuration.
type check struct {
	// Of what: the client, which is another one for another token, the spec, and
	// whether the token's Secret was being deleted. The client is nil when the
	// check must be made again in any case.
	client     *aiven.Client
	generation int64
	leaving    bool
	at         time.Time

	// missed is true after a check that found out nothing.
	missed bool
	// failed is how many in a row did not find the token healthy.
	failed int
}

// changed checks configurations whose token changed.
func (c *checker) changed(tokens *providerconfig.TokenWatch) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		tokens.Subscribe(ctx, func(ch providerconfig.Changed) {
			for _, ref := range ch.Configs {
				if ref.Kind == c.kind {
					q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}})
				}
			}
		})
		return nil
	})
}

// answered checks configurations whose token Aiven refuses, or accepts again.
func (c *checker) answered(clients *providerconfig.Clients) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		context.AfterFunc(ctx, clients.SubscribeTokens(func(a providerconfig.Access) {
			if a.IsOwn() || a.Config.Kind != c.kind {
				return
			}
			n := types.NamespacedName{Namespace: a.Config.Namespace, Name: a.Config.Name}
			c.update(n, func(k *check) { k.client = nil })
			q.AddAfter(reconcile.Request{NamespacedName: n}, settle)
		}))
		return nil
	})
}

// Reconcile checks the token of a configuration.
func (c *checker) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(aiven.WithUrgency(ctx, aiven.Urgency{Class: aiven.ClassBackground}), checkTimeout)
	defer cancel()
	n, pc := req.NamespacedName, c.new()
	if err := c.client.Get(ctx, n, pc); err != nil {
		if kerrors.IsNotFound(err) {
			c.forget(n)
			c.metrics.ConfigGone(c.kind, n.Namespace, n.Name)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, errors.Wrap(err, "cannot get configuration")
	}
	settings, status := partsOf(pc)
	ref := refOf(c.kind, n)
	secret := locationOf(pc).Secret.Secret()
	now := check{generation: pc.GetGeneration(), leaving: c.leaving(ctx, secret), at: c.now()}
	cl, err := c.configs.Connect(ctx, providerconfig.Access{Config: ref})
	if errors.Is(err, providerconfig.ErrNoConfig) {
		return reconcile.Result{}, nil // It has just gone.
	}
	now.client = cl
	was := c.last(n)
	if left := was.at.Add(c.interval / 2).Sub(now.at); err == nil && was.same(now) && left > 0 && healthy(status, now.generation) {
		return reconcile.Result{RequeueAfter: left + c.interval/2}, nil
	}
	// What Aiven answers from here on may be news: it must not be overwritten.
	c.update(n, func(k *check) { k.client = now.client })

	var f finding
	if err != nil {
		f = notConnected(ref, err, whereOf(pc))
	} else {
		f = find(ctx, cl, projectsOf(settings), whereOf(pc))
	}
	if ctx.Err() != nil && f.passing() && errors.Is(context.Cause(ctx), context.Canceled) {
		return reconcile.Result{}, nil // The provider ends.
	}
	if now.leaving {
		f.message += " Secret " + secret.String() + " is being deleted, and stays until the managed resources that need its token are gone. To change the token, edit the Secret."
	}
	keep, is := f.passing() && !was.missed && known(status, now.generation), f.condition()
	if keep {
		is = status.GetCondition(v1alpha1.TypeHealthy)
	}
	c.metrics.Config(c.kind, n.Namespace, n.Name, is.Status == corev1.ConditionTrue, string(is.Reason))
	if !keep {
		if err := c.write(ctx, n, now, f); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{RequeueAfter: c.took(n, now, f)}, nil
}

// took remembers a check, and returns when the next is due: again soon, and then
// less and less often, as long as the token is not healthy.
func (c *checker) took(n types.NamespacedName, now check, f finding) time.Duration {
	next := c.interval
	c.update(n, func(k *check) {
		k.generation, k.leaving, k.at, k.missed = now.generation, now.leaving, now.at, f.passing()
		if f.reason == v1alpha1.ReasonTokenAccepted {
			k.failed = 0
			return
		}
		k.client = nil
		next = min(c.interval, retryInterval<<min(k.failed, 10))
		k.failed++
	})
	return next + time.Duration((rand.Float64()*2-1)*jitter*float64(next)) //nolint:gosec // No secret.
}

// write writes what was found into the status, and says in an event when that is
// something else than before. Others write the same status: each writes only on top
// of what it read.
func (c *checker) write(ctx context.Context, n types.NamespacedName, now check, f finding) error {
	var was, is xpv2.Condition
	var pc client.Object
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		pc = c.new()
		if err := c.client.Get(ctx, n, pc); err != nil {
			return client.IgnoreNotFound(err) //nolint:wrapcheck // See below.
		}
		_, s := partsOf(pc)
		was, is = s.GetCondition(v1alpha1.TypeHealthy), f.condition().WithObservedGeneration(now.generation)
		if was.Status == is.Status && !was.LastTransitionTime.IsZero() {
			is.LastTransitionTime = was.LastTransitionTime
		}
		s.SetConditions(is)
		s.Token = tokenStatus(s.Token, now, f)
		return client.IgnoreNotFound(c.client.Status().Update(ctx, pc)) //nolint:wrapcheck // See below.
	})
	if err != nil {
		return errors.Wrap(err, "cannot update status of configuration")
	}
	switch {
	case was.Status == is.Status && was.Reason == is.Reason:
	case f.reason == v1alpha1.ReasonTokenAccepted:
		c.record.Event(pc, event.Normal(event.Reason(f.reason), f.message))
	default:
		c.record.Event(pc, event.Warning(event.Reason(f.reason), errors.New(f.message)))
	}
	return nil
}

// tokenStatus returns what is known of a token after a check, nil when nothing is.
func tokenStatus(was *v1alpha1.TokenStatus, now check, f finding) *v1alpha1.TokenStatus {
	switch {
	case !f.asked && f.passing():
		return was
	case !f.asked:
		return nil
	}
	out := &v1alpha1.TokenStatus{CheckedAt: metav1.NewTime(now.at), Projects: f.projects}
	if f.passing() && was != nil {
		out.Projects = was.Projects
	}
	return out
}

// leaving tells whether a Secret is kept for its token although it was deleted.
func (c *checker) leaving(ctx context.Context, n types.NamespacedName) bool {
	if n.Name == "" {
		return false
	}
	s := metadata()
	return c.live.Get(ctx, n, s) == nil && !s.GetDeletionTimestamp().IsZero() && slices.Contains(s.GetFinalizers(), v1alpha1.FinalizerToken)
}

// same tells whether another check would be of the same.
func (k check) same(o check) bool {
	return k.client != nil && k.client == o.client && k.generation == o.generation && k.leaving == o.leaving
}

func (c *checker) last(n types.NamespacedName) check {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.checks[n]
}

func (c *checker) update(n types.NamespacedName, fn func(k *check)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.checks[n]
	fn(&k)
	c.checks[n] = k
}

func (c *checker) forget(n types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.checks, n)
}

// known tells whether the status says of this generation whether the token works.
func known(s *v1alpha1.ProviderConfigStatus, generation int64) bool {
	c := s.GetCondition(v1alpha1.TypeHealthy)
	return c.Status != corev1.ConditionUnknown && c.ObservedGeneration == generation
}

func healthy(s *v1alpha1.ProviderConfigStatus, generation int64) bool {
	return known(s, generation) && s.GetCondition(v1alpha1.TypeHealthy).Status == corev1.ConditionTrue
}

// partsOf returns the parts that configurations of both kinds have.
func partsOf(o client.Object) (v1alpha1.ServiceSettings, *v1alpha1.ProviderConfigStatus) {
	switch pc := o.(type) {
	case *v1alpha1.ProviderConfig:
		return pc.Spec.ServiceSettings, &pc.Status
	case *v1alpha1.ClusterProviderConfig:
		return pc.Spec.ServiceSettings, &pc.Status
	}
	return v1alpha1.ServiceSettings{}, &v1alpha1.ProviderConfigStatus{}
}
