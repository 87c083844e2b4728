// SPDX-License-Identifier: Apache-2.0

package application

import (
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// composed is a managed resource that can be made and compared.
type composed interface {
	resource.ModernManaged
	GetAuthSecretRef() *xpv2.LocalSecretKeySelector
	SetAuthSecretRef(r *xpv2.LocalSecretKeySelector)
	GetServiceUserParameters() v1alpha1.ServiceUserParameters
	GetServiceUserObservation() v1alpha1.ServiceUserObservation
}

// A kind of managed resource.
type kind struct {
	name string
	new  func() composed
	list func() client.ObjectList
}

// kinds are the managed resources that applications are composed of.
var kinds = []kind{
	{
		name: v1alpha1.KafkaServiceUserKind,
		new:  func() composed { return &v1alpha1.KafkaServiceUser{} },
		list: func() client.ObjectList { return &v1alpha1.KafkaServiceUserList{} },
	},
	{
		name: v1alpha1.OpenSearchServiceUserKind,
		new:  func() composed { return &v1alpha1.OpenSearchServiceUser{} },
		list: func() client.ObjectList { return &v1alpha1.OpenSearchServiceUserList{} },
	},
	{
		name: v1alpha1.ValkeyServiceUserKind,
		new:  func() composed { return &v1alpha1.ValkeyServiceUser{} },
		list: func() client.ObjectList { return &v1alpha1.ValkeyServiceUserList{} },
	},
}

// items returns the managed resources of a list.
func items(l client.ObjectList) []composed {
	out := make([]composed, 0, apimeta.LenList(l))
	_ = apimeta.EachListItem(l, func(o runtime.Object) error {
		if mg, ok := o.(composed); ok {
			out = append(out, mg)
		}
		return nil
	})
	return out
}
