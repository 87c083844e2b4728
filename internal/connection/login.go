// SPDX-License-Identifier: Apache-2.0

package connection

import "slices"

// Login returns the user of a service that a published Secret holds, and the
// user's password. Both are empty when it does not hold both.
func Login(s Service, instance string, data map[string][]byte) (username, password string) {
	of := func(detail string) string {
		rows := entries(s)
		i := slices.IndexFunc(rows, func(e entry) bool { return e.from == detail && len(data[secretKey(s, e.Name, instance)]) > 0 })
		if i < 0 {
			return ""
		}
		return string(data[secretKey(s, rows[i].Name, instance)])
	}
	if username, password = of(KeyUsername), of(KeyPassword); username == "" || password == "" {
		return "", ""
	}
	return username, password
}
