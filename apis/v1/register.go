// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/scheme"
)

// Group and Version of this API.
const (
	Group   = "aiven.nais.io"
	Version = "v1"
)

var (
	// SchemeGroupVersion is the group and version of the objects in this package.
	SchemeGroupVersion = schema.GroupVersion{Group: Group, Version: Version}

	// SchemeBuilder registers this package's objects with a scheme.
	SchemeBuilder = &scheme.Builder{GroupVersion: SchemeGroupVersion}

	// AddToScheme adds this package's objects to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// AivenApplication's names.
var (
	AivenApplicationKind             = reflect.TypeFor[AivenApplication]().Name()
	AivenApplicationGroupKind        = schema.GroupKind{Group: Group, Kind: AivenApplicationKind}
	AivenApplicationGroupVersionKind = SchemeGroupVersion.WithKind(AivenApplicationKind)
)

func init() {
	SchemeBuilder.Register(&AivenApplication{}, &AivenApplicationList{})
}
