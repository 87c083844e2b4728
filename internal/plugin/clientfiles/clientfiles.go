// SPDX-License-Identifier: Apache-2.0

// Package clientfiles turns the data of a published Secret into files that the
// programs on a person's machine read. Pure.
package clientfiles

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// A Format of files.
type Format string

// Formats.
const (
	// Env is a file of variables for a shell, with all services.
	Env Format = "env"
	// Properties are those of Java's Kafka clients.
	Properties Format = "properties"
	// Kcat is a configuration of kcat, and so of librdkafka.
	Kcat Format = "kcat"
)

// Formats returns all of them.
func Formats() []string { return []string{string(Env), string(Properties), string(Kcat)} }

// Main returns the name of the file that names all others.
func (f Format) Main() string {
	switch f {
	case Properties:
		return "client.properties"
	case Kcat:
		return "kcat.conf"
	case Env:
	}
	return "credentials.env"
}

// Keys of a published Secret that have a meaning here.
const (
	brokers          = "KAFKA_BROKERS"
	certificate      = "KAFKA_CERTIFICATE"
	privateKey       = "KAFKA_PRIVATE_KEY"
	kafkaCA          = "KAFKA_CA"
	storePassword    = "KAFKA_CREDSTORE_PASSWORD"
	keyStore         = "client.keystore.p12"
	trustStore       = "client.truststore.jks"
	registry         = "KAFKA_SCHEMA_REGISTRY"
	registryUser     = "KAFKA_SCHEMA_REGISTRY_USER"
	registryPassword = "KAFKA_SCHEMA_REGISTRY_PASSWORD"
	aivenCA          = "AIVEN_CA"
)

// beside are the keys that become files of their own, with the file's name and
// the variable that names the file. The variables are those that NAIS sets in pods.
var beside = map[string]struct{ file, variable string }{
	certificate: {"kafka.crt", "KAFKA_CERTIFICATE_PATH"},
	privateKey:  {"kafka.key", "KAFKA_PRIVATE_KEY_PATH"},
	kafkaCA:     {"kafka-ca.crt", "KAFKA_CA_PATH"},
	keyStore:    {keyStore, "KAFKA_KEYSTORE_PATH"},
	trustStore:  {trustStore, "KAFKA_TRUSTSTORE_PATH"},
	aivenCA:     {"aiven-ca.crt", "AIVEN_CA_PATH"},
}

// Render returns the files of a format by name, for a folder of which the
// absolute path is given.
func Render(f Format, data map[string][]byte, dir string) (map[string][]byte, error) {
	switch f {
	case Env:
		return env(data, dir), nil
	case Properties:
		return properties(data, dir)
	case Kcat:
		return kcat(data, dir)
	default:
		return nil, errors.Errorf("unknown form %q: use %s", f, strings.Join(Formats(), ", "))
	}
}

// variable are the keys that become variables of a shell. Others, which somebody else
// may have put into the Secret, do not: one called PATH would change more than credentials.
var variable = regexp.MustCompile(`^(AIVEN|KAFKA|OPEN_SEARCH|VALKEY|REDIS)_[A-Z0-9_]+$`)

func env(data map[string][]byte, dir string) map[string][]byte {
	files := make(map[string][]byte)
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Credentials. Nobody but you may read this file.")
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if own, ok := beside[key]; ok {
			files[own.file] = data[key]
			fmt.Fprintf(&b, "export %s=%s\n", own.variable, Quote(filepath.Join(dir, own.file)))
		}
		if variable.MatchString(key) && isText(data[key]) {
			fmt.Fprintf(&b, "export %s=%s\n", key, Quote(string(data[key])))
		}
	}
	files[Env.Main()] = b.Bytes()
	return files
}

func isText(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsRune(b, 0) }

// bare are words that a shell takes as they are.
var bare = regexp.MustCompile(`^[A-Za-z0-9_./=-]+$`)

// Word returns text as one word of a POSIX shell, quoted only where it has to be.
func Word(s string) string {
	if bare.MatchString(s) {
		return s
	}
	return Quote(s)
}

// Quote returns text as one quoted word of a POSIX shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func properties(data map[string][]byte, dir string) (map[string][]byte, error) {
	if err := require(data, brokers, keyStore, trustStore, storePassword); err != nil {
		return nil, err
	}
	password := string(data[storePassword])
	lines := [][2]string{
		{"bootstrap.servers", string(data[brokers])},
		{"security.protocol", "SSL"},
		{"ssl.keystore.type", "PKCS12"},
		{"ssl.keystore.location", filepath.Join(dir, keyStore)},
		{"ssl.keystore.password", password},
		{"ssl.key.password", password},
		{"ssl.truststore.type", "PKCS12"},
		{"ssl.truststore.location", filepath.Join(dir, trustStore)},
		{"ssl.truststore.password", password},
	}
	if url := string(data[registry]); url != "" {
		lines = append(lines,
			[2]string{"schema.registry.url", url},
			[2]string{"basic.auth.credentials.source", "USER_INFO"},
			[2]string{"basic.auth.user.info", string(data[registryUser]) + ":" + string(data[registryPassword])})
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Credentials. Nobody but you may read this file.")
	for _, l := range lines {
		fmt.Fprintf(&b, "%s=%s\n", l[0], escape(l[1]))
	}
	return map[string][]byte{Properties.Main(): b.Bytes(), keyStore: data[keyStore], trustStore: data[trustStore]}, nil
}

// escape returns a value as java.util.Properties reads it.
func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' && i == 0:
			b.WriteString(`\ `)
		case r < ' ' || r > '~':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func kcat(data map[string][]byte, dir string) (map[string][]byte, error) {
	if err := require(data, brokers, certificate, privateKey, kafkaCA); err != nil {
		return nil, err
	}
	// A second line in a value would be a setting of its own.
	if bytes.ContainsAny(data[brokers], "\r\n") || strings.ContainsAny(dir, "\r\n") {
		return nil, errors.Errorf("%s or the folder's name has more than one line", brokers)
	}
	files := make(map[string][]byte)
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Credentials are in the files that this one names. Nobody but you may read them.")
	fmt.Fprintf(&b, "bootstrap.servers=%s\nsecurity.protocol=ssl\n", data[brokers])
	for _, l := range []struct{ property, key string }{
		{"ssl.ca.location", kafkaCA}, {"ssl.certificate.location", certificate}, {"ssl.key.location", privateKey},
	} {
		files[beside[l.key].file] = data[l.key]
		fmt.Fprintf(&b, "%s=%s\n", l.property, filepath.Join(dir, beside[l.key].file))
	}
	files[Kcat.Main()] = b.Bytes()
	return files, nil
}

// require returns an error unless the Secret holds a Kafka user.
func require(data map[string][]byte, keys ...string) error {
	for _, k := range keys {
		if len(data[k]) == 0 {
			return errors.Errorf("the application has no Kafka: there is no key %s in its Secret. Use %s instead", k, Env)
		}
	}
	return nil
}
