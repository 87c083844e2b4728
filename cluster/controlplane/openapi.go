// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"

	"github.com/pkg/errors"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/discovery"
)

// WaitForOpenAPI waits until the API server serves the discovery and the
// OpenAPI document of every version of the installed definitions. It publishes
// both a moment after it calls a definition established; until then clients
// do not find the kinds, and kubectl refuses to validate them.
func (e *Environment) WaitForOpenAPI(ctx context.Context) error {
	want := groupVersions(e.plane.CRDs)
	if len(want) == 0 {
		return nil
	}
	dc, err := discovery.NewDiscoveryClientForConfig(e.Config)
	if err != nil {
		return errors.Wrap(err, "cannot make a discovery client")
	}
	err = poll(ctx, func(context.Context) (bool, error) {
		// Errors are those of an API server that is not there yet.
		paths, err := dc.OpenAPIV3().Paths()
		if err != nil {
			return false, nil //nolint:nilerr // See above.
		}
		for gv, resources := range want {
			if _, ok := paths["apis/"+gv]; !ok {
				return false, nil
			}
			l, err := dc.ServerResourcesForGroupVersion(gv)
			if err != nil {
				return false, nil //nolint:nilerr // See above.
			}
			for _, r := range l.APIResources {
				delete(resources, r.Name)
			}
			if len(resources) > 0 {
				return false, nil
			}
		}
		return true, nil
	})
	return errors.Wrap(err, "cannot wait for the API server to serve the definitions")
}

// groupVersions returns the resources by the group and version that serves
// them, the latter in the form group/version.
func groupVersions(crds []*apiextensionsv1.CustomResourceDefinition) map[string]map[string]struct{} {
	out := map[string]map[string]struct{}{}
	for _, c := range crds {
		for _, v := range c.Spec.Versions {
			if !v.Served {
				continue
			}
			gv := c.Spec.Group + "/" + v.Name
			if out[gv] == nil {
				out[gv] = map[string]struct{}{}
			}
			out[gv][c.Spec.Names.Plural] = struct{}{}
		}
	}
	return out
}
