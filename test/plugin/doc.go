// SPDX-License-Identifier: Apache-2.0

// Package plugin runs kubectl aivenapp against a real API server, the provider and
// a simulated Aiven, as a person would.
package plugin
