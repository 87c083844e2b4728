// SPDX-License-Identifier: Apache-2.0

// Package apis holds the API types of the provider.
package apis

import (
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// AddToScheme adds all objects of the provider's API to the supplied scheme.
func AddToScheme(s *runtime.Scheme) error {
	if err := v1.AddToScheme(s); err != nil {
		return err
	}
	return v1alpha1.AddToScheme(s)
}
