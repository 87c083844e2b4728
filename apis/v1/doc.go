// SPDX-License-Identifier: Apache-2.0

// Package v1 holds AivenApplication, with which a team says what Aiven services
// its application uses.
//
// +kubebuilder:object:generate=true
// +groupName=aiven.nais.io
// +versionName=v1
package v1
