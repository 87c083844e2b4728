// SPDX-License-Identifier: Apache-2.0

// Package apis holds the API types of the provider.
package apis

import (
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	v2 "github.com/provider-aiven/provider-aiven/apis/v2"
)

// AddToScheme adds all objects of the provider's API to the supplied scheme.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{v1.AddToScheme, v2.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}
