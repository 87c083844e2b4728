// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strconv"
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

	// maxRounds bounds how often a message is gone through.
	maxRounds = 8
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
	{regexp.MustCompile(`(?i)(request[ _-]?id[^\w\[]{0,3})[0-9a-z-]+`), "${1}[id]"},
	{regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9:]+)?`), "[time]"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "[id]"},
}

var (
	space = regexp.MustCompile(`[\s\p{Z}\p{Cc}\p{Cf}]+`)
	// percent matches a run of what stands for bytes in URLs, backslash what stands for a character in JSON and in programs.
	percent   = regexp.MustCompile(`(%[0-9A-Fa-f]{2})+`)
	backslash = regexp.MustCompile(`(\\u[0-9A-Fa-f]{4})+|(\\x[0-9A-Fa-f]{2})+|\\U[0-9A-Fa-f]{8}|\\.`)
)

func isPlaceholder(s string) bool {
	return strings.TrimSpace(s) == placeholder
}

// scrub returns a message of Aiven without the known secrets, without what looks like one, and without what differs from
// one answer to the next, cut to maxDetail bytes. A message too long to be one is not quoted at all, and neither is one
// that holds a known secret in another form than its own: the text is then empty. To scrub it again changes nothing.
func scrub(message string, known iter.Seq[string]) string {
	if len(message) > maxMessage {
		message = "the message is too long"
	}
	message = strings.ToValidUTF8(message, "")
	found, escaped := find(message, known)
	if escaped {
		return ""
	}
	message = hide(message, found)
	// What replaces one thing may bring about another.
	for range maxRounds {
		was := message
		if message = tidy(message); message != was {
			continue
		}
		if found, escaped = find(message, known); escaped || len(found) > 0 {
			return ""
		}
		return message
	}
	return ""
}

// find returns the secrets that a text holds, and whether it holds any that are escaped.
func find(text string, known iter.Seq[string]) (found []string, escaped bool) {
	others := unescaped(text)
	for secret := range known {
		switch {
		case len(secret) < minSecret:
		case strings.Contains(text, secret):
			found = append(found, secret)
		case slices.ContainsFunc(others, func(o string) bool { return strings.Contains(o, secret) }):
			return nil, true
		}
	}
	return found, false
}

// unescaped returns what a text says where that is not what it is: as part of an URL, of HTML or of JSON.
func unescaped(text string) []string {
	var out []string
	for _, u := range []string{
		percent.ReplaceAllStringFunc(text, unquote),
		percent.ReplaceAllStringFunc(strings.ReplaceAll(text, "+", " "), unquote),
		html.UnescapeString(text),
		backslash.ReplaceAllStringFunc(text, unquote),
	} {
		if u != text && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// unquote returns what an escape sequence of percent or backslash stands for, itself when that is nothing.
func unquote(seq string) string {
	var u string
	var err error
	if seq[0] == '%' {
		u, err = url.PathUnescape(seq)
	} else if err = json.Unmarshal([]byte(`"`+seq+`"`), &u); err != nil {
		if u, err = strconv.Unquote(`"` + seq + `"`); err != nil {
			u, err = seq[1:], nil
		}
	}
	if err != nil {
		return seq
	}
	return u
}

// hide returns a text without secrets that it holds. Where these overlap, nothing stays of any.
func hide(text string, secrets []string) string {
	if len(secrets) == 0 {
		return text
	}
	hidden := make([]bool, len(text))
	for _, secret := range secrets {
		for at := 0; ; {
			i := strings.Index(text[at:], secret)
			if i < 0 {
				break
			}
			at += i
			for j := range len(secret) {
				hidden[at+j] = true
			}
			at++
		}
	}
	var out strings.Builder
	for i, h := range hidden {
		switch {
		case !h:
			out.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			out.WriteString(removed)
		}
	}
	return out.String()
}

// tidy returns a text on one line without what looks like a secret and without what is not stable, cut to maxDetail bytes.
func tidy(text string) string {
	text = space.ReplaceAllString(text, " ")
	for _, p := range secretPatterns {
		text = p.re.ReplaceAllString(text, p.with)
	}
	for _, p := range unstablePatterns {
		text = p.re.ReplaceAllString(text, p.with)
	}
	return cut(strings.TrimSpace(text), maxDetail)
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
