// SPDX-License-Identifier: Apache-2.0

// Package username makes up the names of service users. Pure.
package username

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxTeam = 20
	maxApp  = 30

	suffixLength = 3
	base         = 36
)

// generated matches what For returns. An application's name may hold dots, a
// namespace's cannot.
var generated = regexp.MustCompile(`^[a-z0-9-]{1,20}_[a-z0-9.-]{1,30}_[0-9a-f]{8}_[a-z0-9]{3}$`)

// An Input is what a username depends on.
type Input struct {
	// Namespace and Name of the object that the user is for.
	Namespace, Name string
	// UID of that object, so that another object of the same name later gets
	// another user.
	UID string
	// Service tells the users of one object apart.
	Service string
	// Revision of the credentials.
	Revision int64
	// Attempt counts the names that were found to be taken.
	Attempt int
}

// For returns <team>_<app>_<crc32>_<suffix>: at most 64 characters out of
// [-._a-z0-9]. The first three parts are those of NAIS, to which its Kafka ACLs
// are written; the suffix is three characters out of a hash of everything else.
func For(i Input) string {
	return Prefix(i.Namespace, i.Name) + suffix(i)
}

// IsGenerated tells whether a name looks like one that For returned, here or in
// another cluster. Names of aivenator look the same.
func IsGenerated(name string) bool { return generated.MatchString(name) }

// Prefix returns what the names of all users of one object begin with, ending
// in "_". NAIS: liberator, kafka.nais.io/v1 ServiceUserNameWithSuffix.
func Prefix(namespace, name string) string {
	return fmt.Sprintf("%s_%s_%08x_", shorten(namespace, "team", maxTeam), shorten(name, namespace, maxApp),
		crc32.ChecksumIEEE([]byte(namespace+name)))
}

// patterned matches names that fall under a pattern as ACLs are written for:
// what Prefix returns, and anything.
var patterned = regexp.MustCompile(`^[a-z0-9-]{1,20}_[a-z0-9.-]{1,30}_[0-9a-f]{8}_`)

// PrefixOf returns the part of a name that Prefix returned for somebody, or could
// have, ending in "_". Empty: the name has another form.
func PrefixOf(name string) string { return patterned.FindString(name) }

// shorten follows NAIS: without the prefix unless nothing would be left, without
// leading dashes, cut, without trailing dashes.
func shorten(s, prefix string, length int) string {
	if s != prefix {
		s = strings.TrimPrefix(s, prefix)
	}
	s = strings.TrimLeft(s, "-")
	if len(s) > length {
		s = s[:length]
	}
	return strings.TrimRight(s, "-")
}

func suffix(i Input) string {
	h := sha256.New()
	for _, p := range []string{i.UID, i.Service, strconv.FormatInt(i.Revision, 10), strconv.Itoa(i.Attempt)} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	n := binary.BigEndian.Uint64(h.Sum(nil))
	var b [suffixLength]byte
	for j := range b {
		b[j] = strconv.FormatUint(n%base, base)[0]
		n /= base
	}
	return string(b[:])
}
