// SPDX-License-Identifier: Apache-2.0

package providerconfig

import (
	"context"

	"github.com/pkg/errors"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrInstanceNotReady means that the object of an instance that a configuration
// requires does not exist, or is not RUNNING.
var ErrInstanceNotReady = errors.New("the required instance is not ready")

// instanceKinds are the kinds of aiven.io/v1alpha1 that stand for services, by
// Aiven's code. Aiven: its operator's objects are named as their services.
var instanceKinds = map[string]string{"opensearch": "OpenSearch", "valkey": "Valkey"}

// Instances look for objects of Aiven's own operator. They are read from the API
// server when a user is to be made: nobody needs the operator, so that nothing of
// it can be watched.
type Instances struct {
	// Live reads from the API server.
	Live client.Reader
}

// Ready fails with ErrInstanceNotReady unless the service's object is in the
// namespace and RUNNING. Services that have no such objects are ready.
func (i *Instances) Ready(ctx context.Context, u Use) error {
	kind, ok := instanceKinds[u.Type]
	if !ok {
		return nil
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: "aiven.io", Version: "v1alpha1", Kind: kind})
	err := i.Live.Get(ctx, types.NamespacedName{Namespace: u.Namespace, Name: u.Service}, o)
	switch {
	case apimeta.IsNoMatchError(err):
		return errors.Wrapf(ErrInstanceNotReady, "the cluster has no kind %s of aiven.io/v1alpha1, which requireInstance of the configuration needs", kind)
	case kerrors.IsNotFound(err):
		return errors.Wrapf(ErrInstanceNotReady, "there is no %s %s of aiven.io in namespace %s", kind, u.Service, u.Namespace)
	case err != nil:
		return errors.Wrapf(err, "cannot get %s %s", kind, u.Service)
	}
	state, _, _ := unstructured.NestedString(o.Object, "status", "state")
	project, found, _ := unstructured.NestedString(o.Object, "spec", "project")
	switch {
	case found && project != u.Project:
		return errors.Wrapf(ErrInstanceNotReady, "%s %s of aiven.io is in another project", kind, u.Service)
	case state != "RUNNING":
		return errors.Wrapf(ErrInstanceNotReady, "%s %s of aiven.io is not RUNNING", kind, u.Service)
	}
	return nil
}
