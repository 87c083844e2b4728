// SPDX-License-Identifier: Apache-2.0

// Package aivensim is the Aiven API as an http.Handler, for tests, benchmarks and work without a cloud.
//
// It serves the operations below /v1 that concern service users, their access control and what they
// connect to, with real X.509 certificates, and is as awkward as the real API: answers in which users
// are not there yet, null passwords, redaction, quotas, rate limits, states, and faults of every kind
// (Fault). Where it is not known what the real API does, Policy decides. It shares no code with any
// client, and imports the standard library only.
//
// Requests with unknown properties, and names or rules that are not valid, are answered with 400.
// The query parameter limit is ignored. Tokens are accepted as "aivenv1 <token>" and "Bearer <token>".
//
// Client certificates have RSA keys from a small pool that all servers of a process share: making keys
// is slow, and would be most of what a benchmark measures. Keys are reused round robin, never for two
// certificates of one user in a row; certificates, serial numbers and passwords are unique. The keys of
// the projects' CAs come from such a pool too, their names are unique. With client keys of 3072 bits a
// Kafka user is about 4.3 KiB of an answer, as in the real API; with the default of 2048 bits 3.2 KiB.
//
// The server has a clock of its own (WithClock, Server.Advance) that certificates, renewals, delays and
// rate limits go by. Certificates are renewed by themselves 90 days before their end, at the next request
// to their service.
//
// # Inspection API
//
// Beside the API there is another for people and scripts, without authentication; so serve a Server to
// the local machine or to a test's cluster only.
//
//	GET    /-/state                              projects, services, users; ?secrets=true with credentials
//	GET    /-/requests                           the log; ?secrets=true with bodies
//	DELETE /-/requests                           forget the log and the statistics
//	GET    /-/stats                              calls and bytes by operation
//	POST   /-/faults                             a Fault as JSON: {"operation":"CreateUser","status":502,"after":true,"count":1}
//	DELETE /-/faults                             remove all faults
//	PUT    /-/services/{project}/{service}       add a Service ({"type":"valkey"}), or change {"state":…,"user_limit":…}
//	DELETE /-/users/{project}/{service}/{user}   remove a user behind the API's back
//	POST   /-/logins/{project}/{service}         try to log in: {"username":…,"password":…} or {"certificate":…,"key":…}; 204 or 401
//	POST   /-/clock                              move the clock: {"advance":"720h"}
package aivensim
