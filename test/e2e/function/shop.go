// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	xpv1 "github.com/crossplane/crossplane-runtime/v2/apis/common/v1"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/crossplane/function-sdk-go/request"
	"github.com/crossplane/function-sdk-go/resource"
	"github.com/crossplane/function-sdk-go/response"
	"github.com/pkg/errors"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Names of the composed resources within the composition.
const (
	nameApplication resource.Name = "application"
	nameDeployment  resource.Name = "deployment"
)

// A shopSpec is the spec of a ShopApplication, less what is Crossplane's own.
type shopSpec struct {
	KafkaPool          string `json:"kafkaPool"`
	OpenSearchInstance string `json:"openSearchInstance"`
	Image              string `json:"image"`
	ProbeArgs          []any  `json:"probeArgs"`
}

// shop composes ShopApplications.
type shop struct {
	fnv1.UnimplementedFunctionRunnerServiceServer
}

// RunFunction adds the composed resources to the desired state, says which of them are
// ready, and sets the status of the composite. An error is a fatal result: Crossplane
// then changes nothing and shows it on the composite.
func (*shop) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	rsp := response.To(req, response.DefaultTTL)
	if err := compose(req, rsp); err != nil {
		response.Fatal(rsp, err)
	}
	return rsp, nil
}

func compose(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse) error {
	xr, err := request.GetObservedCompositeResource(req)
	if err != nil {
		return errors.Wrap(err, "cannot read the composite")
	}
	spec := shopSpec{}
	if err := xr.Resource.GetValueInto("spec", &spec); err != nil {
		return errors.Wrap(err, "cannot read the spec of the composite")
	}
	observed, err := request.GetObservedComposedResources(req)
	if err != nil {
		return errors.Wrap(err, "cannot read the composed resources")
	}
	desired, err := request.GetDesiredComposedResources(req)
	if err != nil {
		return errors.Wrap(err, "cannot read the desired resources")
	}

	name := xr.Resource.GetName()
	desired[nameApplication] = &resource.DesiredComposed{
		Resource: application(name, spec),
		Ready:    ready(observed[nameApplication], xpv1.TypeReady),
	}
	desired[nameDeployment] = &resource.DesiredComposed{
		Resource: deployment(name, spec),
		Ready:    ready(observed[nameDeployment], xpv1.ConditionType(appsv1.DeploymentAvailable)),
	}
	if err := response.SetDesiredComposedResources(rsp, desired); err != nil {
		return errors.Wrap(err, "cannot return the composed resources")
	}
	return setStatus(req, rsp, secretName(name))
}

// setStatus tells in the status of the composite where the credentials are.
func setStatus(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, secret string) error {
	xr, err := request.GetDesiredCompositeResource(req)
	if err != nil {
		return errors.Wrap(err, "cannot read the desired composite")
	}
	if err := xr.Resource.SetString("status.secretName", secret); err != nil {
		return errors.Wrap(err, "cannot set the status of the composite")
	}
	return errors.Wrap(response.SetDesiredCompositeResource(rsp, xr), "cannot return the composite")
}

// ready tells whether the condition is True, and of the generation that is there now. A
// resource that Crossplane has not created yet is not ready.
func ready(o resource.ObservedComposed, t xpv1.ConditionType) resource.Ready {
	if o.Resource == nil {
		return resource.ReadyFalse
	}
	// GetGeneration wants an integer, and a request holds floating-point numbers only.
	generation, err := o.Resource.GetInteger("metadata.generation")
	if err != nil {
		return resource.ReadyFalse
	}
	seen, err := o.Resource.GetInteger("status.observedGeneration")
	if err != nil || seen < generation || o.Resource.GetCondition(t).Status != corev1.ConditionTrue {
		return resource.ReadyFalse
	}
	return resource.ReadyTrue
}
