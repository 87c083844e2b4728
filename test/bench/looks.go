// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

const (
	// looksEach is how many Secrets a look at the credentials is at, lookShare how
	// much longer the pause after it is than the look, and maxPause its bound.
	looksEach = 10
	lookShare = 4
	maxPause  = 2 * time.Second
)

// Looks count how often a Secret was looked at, and how often what it held was
// incomplete or did not work.
type Looks struct {
	Taken, Refused int
}

// take looks at the Secrets of a few applications at a time, in turn, until it is
// enough. Most of the time it rests, as it runs on the machine that is measured.
func (l *Looks) take(ctx context.Context, e *Environment, apps []*v1.AivenApplication, enough <-chan struct{}) error {
	for next := 0; ; next += looksEach {
		began := time.Now()
		some := make([]*v1.AivenApplication, 0, looksEach)
		for i := range min(looksEach, len(apps)) {
			some = append(some, apps[(next+i)%len(apps)])
		}
		found, err := look(ctx, e, some)
		if err != nil {
			return err
		}
		l.Taken += found.Taken
		l.Refused += found.Refused
		pause := time.NewTimer(min(lookShare*time.Since(began), maxPause))
		select {
		case <-enough:
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// look tells whether what the Secrets hold works. A Secret that changed during
// the look is not counted: nobody knows what it held when the simulator told
// its users.
func look(ctx context.Context, e *Environment, apps []*v1.AivenApplication) (Looks, error) {
	before, err := secretsOf(ctx, e.Kube, apps)
	if err != nil {
		return Looks{}, err
	}
	state, err := e.Simulator.State(ctx)
	if err != nil {
		return Looks{}, err
	}
	after, err := secretsOf(ctx, e.Kube, apps)
	if err != nil {
		return Looks{}, err
	}
	return compare(index(state), before, after), nil
}

// compare counts the Secrets that did not change, and those of them that do not
// work.
func compare(known Known, before, after []*corev1.Secret) Looks {
	l := Looks{}
	for i, s := range before {
		if s.GetUID() != after[i].GetUID() || s.GetResourceVersion() != after[i].GetResourceVersion() {
			continue
		}
		l.Taken++
		if !known.works(s.GetNamespace(), s.Data) {
			l.Refused++
		}
	}
	return l
}

// secretsOf returns the Secrets of applications, empty ones for those that are not there.
func secretsOf(ctx context.Context, r client.Reader, apps []*v1.AivenApplication) ([]*corev1.Secret, error) {
	out := make([]*corev1.Secret, 0, len(apps))
	for _, a := range apps {
		s := &corev1.Secret{}
		if err := r.Get(ctx, secretName(a), s); client.IgnoreNotFound(err) != nil {
			return nil, errors.Wrap(err, "cannot get a Secret")
		}
		s.SetNamespace(a.GetNamespace())
		out = append(out, s)
	}
	return out, nil
}
