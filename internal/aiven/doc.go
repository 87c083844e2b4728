// SPDX-License-Identifier: Apache-2.0

// Package aiven is the only package that speaks to the Aiven API.
//
// A Client is shared by everybody who uses the same token and base URL. It offers
//
//   - snapshots of services (Service, Refresh): Aiven has no list of service users, one GET of a service brings all of
//     them, so that read is shared by all users of the service and repeated once per poll interval by one poller;
//   - writes of service users (CreateUser, SetAccessControl, DeleteUser), written through to the snapshot and protected
//     there against reads that are older than they are;
//   - one writer per OpenSearch service for its access control document (SubmitRules, Rules, WaitRules), which has no
//     version and would otherwise lose updates;
//   - events (Subscribe) about what a read found changed;
//   - what the answers tell of the token: whether it is accepted (SubscribeToken) and what it may do (Rights).
//
// Every request passes one transport: base URL, include_secrets, rate limit, a deadline, a bounded body. The limiter admits
// the most urgent first (WithUrgency), learns from each 429 what Aiven allows, and tells those who can come again later that
// the line is long (Congested). Errors are of type *Error, carry one of the Err… kinds for
// errors.Is, have a stable text and never hold a credential.
//
// The package imports nothing of Kubernetes or Crossplane.
package aiven
