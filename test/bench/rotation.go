// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// A Rotation is what was measured while all applications got new credentials.
type Rotation struct {
	// Published is the time from the first request to the last application that
	// had published its new revision, and Retired to the last user before that
	// was gone, from the cluster and from Aiven.
	Published, Retired time.Duration
	// Cost from the first request until all was quiet.
	Cost Cost
	// Looks at the Secrets meanwhile.
	Looks Looks
	// Check of everything at the end.
	Check Check
}

// A Target is a service user.
type Target struct {
	Service, Username string
}

// Replaced is what a rotation brings to an end.
type Replaced struct {
	// Objects are the managed resources, Users the service users.
	Objects map[types.UID]bool
	Users   []Target
}

// rotate asks for new credentials of all applications that there are, and
// measures until all is handed over to the Secrets, and quiet.
func (r *Rotation) rotate(ctx context.Context, c Config, e *Environment, apps []*v1.AivenApplication) error {
	before, err := quiet(ctx, c, e)
	if err != nil {
		return err
	}
	sayf("rotating")
	if err := r.follow(ctx, c, e, apps); err != nil {
		return err
	}
	after, err := quiet(ctx, c, e)
	if err != nil {
		return err
	}
	requested := Request{Verb: verbPatch, Group: v1.Group, Resource: applications, Code: "200"}
	if r.Cost, err = spent(ctx, e, before, after); err != nil {
		return err
	}
	r.Cost.Requests = r.Cost.Requests.without(requested, len(apps))
	r.Check, err = verify(ctx, e, apps)
	return err
}

// follow asks for the rotation and follows it to its end, with a look at the
// Secrets now and then until the users before are gone.
func (r *Rotation) follow(ctx context.Context, c Config, e *Environment, apps []*v1.AivenApplication) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := watch(ctx, e, c.Timeout)
	if err != nil {
		return err
	}
	old, err := toReplace(ctx, w)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	enough := make(chan struct{})
	g.Go(func() error { return r.Looks.take(gctx, e, apps, enough) })
	g.Go(func() error {
		defer close(enough)
		return r.replace(gctx, c, w, apps, old)
	})
	if err := g.Wait(); err != nil {
		return err //nolint:wrapcheck // It is this package's.
	}
	return w.HandedOver(ctx, usersEach*len(apps))
}

// replace asks for the rotation, and measures until what it replaces is gone.
func (r *Rotation) replace(ctx context.Context, c Config, w Watch, apps []*v1.AivenApplication, old Replaced) error {
	first := time.Now()
	if err := request(ctx, c, w.e, apps); err != nil {
		return err
	}
	if err := w.Published(ctx, apps, 2); err != nil {
		return err
	}
	r.Published = time.Since(first)
	at, err := w.Gone(ctx, old)
	r.Retired = at.Sub(first)
	return err
}

// request asks for the rotation of all applications, so many at a time.
func request(ctx context.Context, c Config, e *Environment, apps []*v1.AivenApplication) error {
	at := time.Now().UTC().Format(time.RFC3339)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Creators)
	for _, a := range apps {
		g.Go(func() error {
			asked := a.DeepCopy()
			asked.SetAnnotations(map[string]string{v1.AnnotationRotate: at})
			return errors.Wrap(e.Kube.Patch(ctx, asked, client.MergeFrom(a)), "cannot ask for a rotation")
		})
	}
	return g.Wait() //nolint:wrapcheck // It is wrapped above.
}

// toReplace returns all there is, which is of the first revision.
func toReplace(ctx context.Context, w Watch) (Replaced, error) {
	objects, err := w.users(ctx)
	if err != nil {
		return Replaced{}, err
	}
	out := Replaced{Objects: make(map[types.UID]bool, len(objects))}
	for i := range objects {
		out.Objects[objects[i].GetUID()] = true
	}
	l := &v1.AivenApplicationList{}
	if err := w.cached.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return Replaced{}, errors.Wrap(err, "cannot list applications")
	}
	for i := range l.Items {
		c := l.Items[i].Status.Credentials
		if c == nil || c.Revision != 1 {
			return Replaced{}, errors.Errorf("application %s does not have its first credentials", l.Items[i].GetName())
		}
		for _, u := range c.Users {
			out.Users = append(out.Users, Target{u.ServiceName, u.Username})
		}
	}
	if n := usersEach * len(l.Items); len(out.Objects) != n || len(out.Users) != n {
		return Replaced{}, errors.Errorf("there are %d managed resources and %d published users, want %d of each", len(out.Objects), len(out.Users), n)
	}
	return out, nil
}
