// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/scheme"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// Version of this API, whose group is v1.Group.
const Version = "v2"

var (
	// SchemeGroupVersion is the group and version of the objects in this package.
	SchemeGroupVersion = schema.GroupVersion{Group: v1.Group, Version: Version}

	// SchemeBuilder registers this package's objects with a scheme.
	SchemeBuilder = &scheme.Builder{GroupVersion: SchemeGroupVersion}

	// AddToScheme adds this package's objects to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func init() {
	SchemeBuilder.Register(&AivenApplication{}, &AivenApplicationList{})
}
