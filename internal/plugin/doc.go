// SPDX-License-Identifier: Apache-2.0

// Package plugin is kubectl aivenapp: what a person asks about applications and
// their credentials, and what they do about them, with their own rights at the API server.
//
// Each command that reads first gathers what it needs (view), then decides what
// to say about it in pure functions, and writes that as text, JSON or YAML. No
// credential is ever written to a stream; the only place for them are files that belong
// to the person who asked.
package plugin
