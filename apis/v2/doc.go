// SPDX-License-Identifier: Apache-2.0

// Package v2 is aiven.nais.io/v2, under which newer releases of aivenator serve
// AivenApplications with the fields of v1. It is another name for the same objects: they
// are stored as v1, the API server renames them, and the provider works with v1.
//
// +kubebuilder:object:generate=true
// +groupName=aiven.nais.io
// +versionName=v2
package v2
