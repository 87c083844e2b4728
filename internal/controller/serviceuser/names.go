// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// An initializer gives a managed resource that has no external name one that
// is fixed before the first call and differs from that of every other managed
// resource, also of the same name in other namespaces.
type initializer struct {
	client client.Client
}

// Initialize sets the external name, if there is none.
func (i *initializer) Initialize(ctx context.Context, mg resource.Managed) error {
	if meta.GetExternalName(mg) != "" {
		return nil
	}
	name := username.For(username.Input{
		Namespace: mg.GetNamespace(), Name: mg.GetName(), UID: string(mg.GetUID()),
		Service: mg.GetObjectKind().GroupVersionKind().Kind,
	})
	meta.SetExternalName(mg, name)
	meta.AddAnnotations(mg, map[string]string{v1.AnnotationGeneratedUsername: name})
	return errors.Wrap(i.client.Update(ctx, mg), "cannot record the external name")
}

// annotations writes what must outlive a failed creation. The runtime's own
// records of success and failure are left out: names are fixed beforehand, so
// that a creation whose end is not known is simply tried again. Only that a name
// belongs to somebody else must not be forgotten.
type annotations struct {
	client client.Client
}

// UpdateCriticalAnnotations writes the mark of a taken username, if there is one.
func (a *annotations) UpdateCriticalAnnotations(ctx context.Context, o client.Object) error {
	name := o.GetAnnotations()[v1.AnnotationUsernameTaken]
	if name == "" {
		return nil
	}
	patch := client.RawPatch(mergePatch(v1.AnnotationUsernameTaken, name))
	err := retry.OnError(retry.DefaultBackoff, func(err error) bool { return ctx.Err() == nil && !kerrors.IsNotFound(err) }, func() error {
		return a.client.Patch(ctx, shallow(o), patch)
	})
	return errors.Wrap(err, "cannot record that the username is taken")
}
