// SPDX-License-Identifier: Apache-2.0

// Package docs follows the links of docs, and runs what is marked there as package
// pages has it, against an API server, a provider and the simulator.
package docs
