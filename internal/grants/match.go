// SPDX-License-Identifier: Apache-2.0

package grants

import "strings"

// What stands for something else in patterns.
const (
	placeNamespace = "{namespace}"
	placeInstance  = "{instance}"
	wildcards      = "*?"
)

// Wildcards in a glob. No character is negative.
const (
	anyText rune = -1
	anyChar rune = -2
)

// A glob is a text with wildcards. Characters are Unicode's. No two anyText follow
// one another.
type glob []rune

// Match tells whether a text matches a pattern: * stands for any characters, ? for one,
// {namespace} for the namespace.
//
// The time it takes is at most the product of both lengths, also of a pattern
// that was made to take long. The same goes for Covers and Overlaps.
func Match(pattern, namespace, text string) bool {
	return compile(pattern, namespace).covers(glob(text))
}

// Covers tells whether everything that the requested pattern may stand for
// matches the pattern: its * are matched by * alone, its ? by * and ?. {namespace}
// has no meaning in what is requested. It never says so of what is not covered; it may not say so of two
// patterns that mean the same and are written in different ways, as ?* and *?.
func Covers(pattern, namespace, requested string) bool {
	return compile(pattern, namespace).covers(parse(nil, requested))
}

// Overlaps tells whether there is a text that matches both the pattern and
// the requested one.
func Overlaps(pattern, namespace, requested string) bool {
	return compile(pattern, namespace).overlaps(parse(nil, requested))
}

// Owner returns to which namespace something belongs, of those that it fits: to
// the holder if it fits him, else to that with the longest name. Wildcards beside {namespace} make it possible
// that it fits several names of that length; the first in order has it then. It returns "" if it
// fits none.
func Owner(namespaces []string, holder string, fits func(namespace string) bool) string {
	if holder != "" && fits(holder) {
		return holder
	}
	var out string
	for _, n := range namespaces {
		if n != "" && (out == "" || outranks(n, out)) && fits(n) {
			out = n
		}
	}
	return out
}

// outranks tells whether what fits both namespaces belongs to a rather than b.
func outranks(a, b string) bool {
	return len(a) > len(b) || len(a) == len(b) && a < b
}

// fitsInstance tells whether a name is what a pattern of instanceNames leads to
// for some instance.
func fitsInstance(pattern, namespace, name string) bool {
	parts := strings.Split(pattern, placeInstance)
	length := len(name)
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], placeNamespace, namespace)
		length -= len(parts[i])
	}
	n := len(parts) - 1
	if n == 0 {
		return parts[0] == name
	}
	// Every {instance} stands for the same, so its length is known.
	length /= n
	if length < 1 {
		return false
	}
	instance := name[len(parts[0]) : len(parts[0])+length]
	return !strings.ContainsFunc(instance, func(c rune) bool { return !isInstance(c) }) && strings.Join(parts, instance) == name
}

// isInstance tells whether a character may be in the name of an instance.
func isInstance(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

// compile returns the pattern for a namespace, whose name is taken as it is.
func compile(pattern, namespace string) glob {
	var g glob
	for i, p := range strings.Split(pattern, placeNamespace) {
		if i > 0 {
			g = append(g, []rune(namespace)...)
		}
		g = parse(g, p)
	}
	return g
}

// parse appends a text with wildcards.
func parse(g glob, pattern string) glob {
	for _, c := range pattern {
		switch {
		case c == '?':
			g = append(g, anyChar)
		case c != '*':
			g = append(g, c)
		case len(g) == 0 || g[len(g)-1] != anyText:
			g = append(g, anyText)
		}
	}
	return g
}

// covers takes the wildcards of the other for characters that only a wildcard
// matches. When it is stuck it lets the last anyText match one more: those before
// need not be looked at again.
func (g glob) covers(other glob) bool {
	i, last, from := 0, -1, 0
	for j := 0; j < len(other); {
		switch {
		case i < len(g) && g[i] == anyText:
			last, from = i, j
			i++
		case i < len(g) && (g[i] == other[j] && other[j] != anyText || g[i] == anyChar && other[j] != anyText):
			i++
			j++
		case last >= 0:
			from++
			i, j = last+1, from
		default:
			return false
		}
	}
	for i < len(g) && g[i] == anyText {
		i++
	}
	return i == len(g)
}
