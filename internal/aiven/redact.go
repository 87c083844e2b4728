// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// placeholder is what Aiven puts in the place of a secret that it withholds.
	placeholder = "<redacted>"
	// removed is what this package puts there.
	removed = "[REDACTED]"

	// maxDetail bounds the text of an error, maxMessage what is looked at to make it.
	maxDetail  = 300
	maxMessage = 32 << 10
	// minSecret is the length from which a known secret is looked for. Aiven: passwords have 8 to 256 characters. Shorter
	// ones would tear innocent words apart.
	minSecret = 6
)

// secretPatterns match what looks like a credential, known or not.
var secretPatterns = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN.*?(-----END[^-]*-----|$)`), removed},
	{regexp.MustCompile(`AVNS_[A-Za-z0-9_-]*`), removed},
	{regexp.MustCompile(`://[^/\s@]*@`), "://" + removed + "@"},
	{regexp.MustCompile(`(?i)\b(aivenv1|bearer)\s+[^\s"',;]+`), "${1} " + removed},
	{regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`), removed},
}

// unstablePatterns match what differs from one answer to the next.
var unstablePatterns = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)try again in\s+[0-9.]+\s*[a-z]*`), "try again later"},
	{regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "[id]"},
	{regexp.MustCompile(`(?i)(request[ _-]?id\W{0,3})[0-9a-z-]+`), "${1}[id]"},
	{regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9:]+)?`), "[time]"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "[id]"},
	{regexp.MustCompile(`[\s\p{Cc}]+`), " "},
}

func isPlaceholder(s string) bool {
	return strings.TrimSpace(s) == placeholder
}

// scrub returns a message of Aiven without the known secrets, without what looks like one, and without what differs from
// one answer to the next, cut to maxDetail bytes. A message too long to be one is not quoted at all.
func scrub(message string, known iter.Seq[string]) string {
	if len(message) > maxMessage {
		return "the message is too long"
	}
	message = strings.ToValidUTF8(message, "")
	for secret := range known {
		if len(secret) >= minSecret && strings.Contains(message, secret) {
			message = strings.ReplaceAll(message, secret, removed)
		}
	}
	for _, p := range secretPatterns {
		message = p.re.ReplaceAllString(message, p.with)
	}
	for _, p := range unstablePatterns {
		message = p.re.ReplaceAllString(message, p.with)
	}
	return cut(strings.TrimSpace(message), maxDetail)
}

// cut shortens a text to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "…"
	n -= len(more)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + more
}
