// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the managed resources (one Aiven service user each)
// and the configurations that say which token is used.
//
// +kubebuilder:object:generate=true
// +groupName=aiven.nais.io
// +versionName=v1alpha1
package v1alpha1
