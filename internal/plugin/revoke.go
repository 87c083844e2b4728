// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"slices"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// revoke ends the access and waits until it has ended at Aiven.
func (g *grab) revoke(ctx context.Context) error {
	key := client.ObjectKey{Namespace: g.cluster.namespace, Name: personalName(g.of, g.person)}
	secret := key.Name + "-aiven"
	app := &v1.AivenApplication{}
	err := g.cluster.kube.Get(ctx, key, app)
	switch {
	case kerrors.IsNotFound(err):
	case err != nil:
		return errors.Wrap(err, "cannot get your application")
	default:
		if err := checkMine(app, g.of, g.person); err != nil {
			return err
		}
		secret = app.SecretName("")
		// First, so that it asks for no others when the Secret goes.
		uid := app.GetUID()
		if err := g.cluster.kube.Delete(ctx, app, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return errors.Wrap(err, "cannot delete your application")
		}
		g.progress(fmt.Sprintf("Deleted the AivenApplication %s", key.Name))
	}
	if err := g.deleteSecret(ctx, key.Name, secret); err != nil {
		return err
	}
	if err := g.gone(ctx, key.Name, secret); err != nil {
		return err
	}
	removed, err := clearFolder(g.dir, key.Namespace, key.Name)
	if err != nil {
		return err
	}
	p, users := g.printer(), "there are no users of yours left"
	if g.blind {
		users = "your Secret is gone. You may not see whether its users are gone from Aiven"
	}
	p.printf("%s your access to the services of %s has ended: %s.\n", good.as("Done:"), g.of, users)
	if removed {
		p.printf("The files in %s are removed.\n", g.dir)
	}
	return nil
}

// deleteSecret revokes what the Secret holds, if it is the application's.
func (g *grab) deleteSecret(ctx context.Context, app, name string) error {
	s := &corev1.Secret{}
	err := g.cluster.kube.Get(ctx, client.ObjectKey{Namespace: g.cluster.namespace, Name: name}, s)
	if kerrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return errors.Wrap(err, "cannot read your Secret")
	}
	if v1.ApplicationOf(s) != app {
		return nil
	}
	uid := s.GetUID()
	return errors.Wrap(client.IgnoreNotFound(g.cluster.kube.Delete(ctx, s, client.Preconditions{UID: &uid})), "cannot delete your Secret")
}

// gone waits until nothing of the access is left.
func (g *grab) gone(ctx context.Context, app, secret string) error {
	var left []string
	said := ""
	err := g.every(ctx, g.options.timeout, func(ctx context.Context) (bool, error) {
		var err error
		if left, err = g.left(ctx, app, secret); err != nil || len(left) == 0 {
			return err == nil, err
		}
		if text := "Waiting for Aiven: " + first(left); text != said {
			g.progress(text)
			said = text
		}
		return false, nil
	})
	if errors.Is(err, errTimeout) {
		return wrongError{text: fmt.Sprintf("still there after %s: %s. It goes on by itself; see kubectl aivenapp doctor. The files stay.", g.options.timeout, first(left))}
	}
	return err
}

// left returns what is left of the access: its Secret and its users.
func (g *grab) left(ctx context.Context, app, secret string) ([]string, error) {
	v := newView(g.cluster.kube, g.cluster.namespace)
	all, err := v.managed(ctx)
	if err != nil {
		return nil, err
	}
	g.blind = len(v.denied) > 0
	var out []string
	for _, mg := range all {
		if v1.ApplicationOf(mg) == app {
			out = append(out, v.kindOf(mg)+"/"+mg.GetName())
		}
	}
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err = g.cluster.kube.Get(ctx, client.ObjectKey{Namespace: g.cluster.namespace, Name: secret}, m)
	switch {
	case err == nil && v1.ApplicationOf(m) == app:
		out = append(out, "secret/"+secret)
	case client.IgnoreNotFound(err) != nil:
		return nil, errors.Wrap(err, "cannot read your Secret")
	}
	slices.Sort(out)
	return out, nil
}
