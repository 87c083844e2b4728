// SPDX-License-Identifier: Apache-2.0

// Package providerconfig turns a reference to a configuration into the
// configuration, its Aiven token, and the Aiven client that all users of that
// token share.
package providerconfig
