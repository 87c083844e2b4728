// SPDX-License-Identifier: Apache-2.0

// Package application reconciles AivenApplications: it composes one managed
// resource per service user, waits until all have their credentials, and
// publishes these in Secrets. It makes and changes nothing at Aiven; managed
// resources do, and the two meet at the API server. It looks whether a username
// is free before it reserves it.
package application
