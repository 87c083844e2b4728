// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"
)

func TestMissing(t *testing.T) {
	cases := map[string]struct {
		reason string
		part   Part
		want   []string
	}{
		"NothingOfKafka": {
			reason: "Everything a Kafka client needs should be missing, what is optional should not.",
			part:   Part{Service: Kafka},
			want:   []string{"clientCert", "clientKey", "clusterCA", "password", "uri", "username"},
		},
		"NothingOfOpenSearch": {
			reason: "Everything an OpenSearch client needs should be missing, and the CA for AIVEN_CA.",
			part:   Part{Service: OpenSearch},
			want:   []string{"clusterCA", "endpoint", "password", "port", "uri", "username"},
		},
		"NothingOfValkey": {
			reason: "Everything a Valkey client needs should be missing, and the CA for AIVEN_CA.",
			part:   Part{Service: Valkey, Instance: "a"},
			want:   []string{"clusterCA", "endpoint", "password", "port", "uri", "username"},
		},
		"Kafka":           {reason: "Kafka without a registry is complete.", part: kafkaPart()},
		"KafkaRegistry":   {reason: "Kafka with a registry is complete.", part: kafkaWithRegistry()},
		"OpenSearch":      {reason: "OpenSearch without dashboards is complete.", part: openSearchPart()},
		"Valkey":          {reason: "Valkey without a replica is complete.", part: valkeyPart("a")},
		"ValkeyReplica":   {reason: "Valkey with a replica is complete.", part: valkeyWithReplica("a")},
		"Unknown":         {reason: "A user of any service has a name, a password and a CA.", part: Part{Service: "Redis"}, want: []string{"clusterCA", "password", "username"}},
		"EmptyValue":      {reason: "Aiven's password is empty for a while.", part: Part{Service: OpenSearch, Details: openSearchPart().Details.with(KeyPassword, "")}, want: []string{"password"}},
		"Redacted":        {reason: "A redacted password is no password.", part: Part{Service: OpenSearch, Details: openSearchPart().Details.with(KeyPassword, "<redacted>")}, want: []string{"password"}},
		"RedactedWithin":  {reason: "An address with a redacted part is no address.", part: Part{Service: Valkey, Details: valkeyPart("a").Details.with(KeyURI, "valkeys://u:<redacted>@h:1")}, want: []string{"uri"}},
		"RedactedReplica": {reason: "What is optional may be absent, not redacted.", part: Part{Service: Valkey, Details: valkeyWithReplica("a").Details.with(KeyReplicaURI, "<redacted>")}, want: []string{"replicaURI"}},
		"HalfAReplica":    {reason: "What is optional should be there in full or not at all.", part: Part{Service: Valkey, Details: valkeyPart("a").Details.with(KeyReplicaHost, "h")}, want: []string{"replicaPort", "replicaURI"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.part.Missing()); diff != "" {
				t.Errorf("\n%s\nMissing(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// expand returns the text values of a Secret, and for the key stores only that
// they can be opened with the password beside them.
func expand(t *testing.T, data map[string][]byte) map[string]string {
	t.Helper()
	if data == nil {
		return nil
	}
	out := make(map[string]string, len(data))
	for key, value := range data {
		out[key] = string(value)
	}
	password := out["KAFKA_CREDSTORE_PASSWORD"]
	if b, ok := data["client.keystore.p12"]; ok {
		if _, _, _, err := pkcs12.DecodeChain(b, password); err != nil {
			t.Errorf("cannot open key store: %v", err)
		}
		out["client.keystore.p12"] = "(key store)"
	}
	if b, ok := data["client.truststore.jks"]; ok {
		if _, err := pkcs12.DecodeTrustStore(b, password); err != nil {
			t.Errorf("cannot open trust store: %v", err)
		}
		out["client.truststore.jks"] = "(trust store)"
	}
	return out
}

func TestRender(t *testing.T) {
	cert, key := string(testPair().cert), string(testPair().key)
	main := "CA of the main project\n"

	kafka := map[string]string{
		"AIVEN_CA": cert, "KAFKA_BROKERS": "kafka.example:1", "KAFKA_CA": cert, "KAFKA_CERTIFICATE": cert, "KAFKA_PRIVATE_KEY": key,
		"KAFKA_CREDSTORE_PASSWORD": "changeme", "client.keystore.p12": "(key store)", "client.truststore.jks": "(trust store)",
	}
	openSearch := map[string]string{
		"AIVEN_CA": main, "OPEN_SEARCH_USERNAME": "os-user", "OPEN_SEARCH_PASSWORD": "os-password",
		"OPEN_SEARCH_URI": "https://os.example:2", "OPEN_SEARCH_HOST": "os.example", "OPEN_SEARCH_PORT": "2",
	}
	valkey := map[string]string{
		"AIVEN_CA": main, "VALKEY_USERNAME_MY_CACHE": "user of my-cache", "VALKEY_PASSWORD_MY_CACHE": "password of my-cache",
		"VALKEY_URI_MY_CACHE": "valkeys://my-cache.example:3", "VALKEY_HOST_MY_CACHE": "my-cache.example", "VALKEY_PORT_MY_CACHE": "3",
		"REDIS_USERNAME_MY_CACHE": "user of my-cache", "REDIS_PASSWORD_MY_CACHE": "password of my-cache",
		"REDIS_URI_MY_CACHE": "rediss://my-cache.example:3", "REDIS_HOST_MY_CACHE": "my-cache.example", "REDIS_PORT_MY_CACHE": "3",
	}
	and := func(ms ...map[string]string) map[string]string {
		out := make(map[string]string)
		for _, m := range ms {
			maps.Copy(out, m)
		}
		return out
	}

	cases := map[string]struct {
		reason string
		parts  []Part
		opts   Options
		want   map[string]string
	}{
		"Kafka": {
			reason: "Without a schema registry there should be no key of it.",
			parts:  []Part{kafkaPart()},
			want:   kafka,
		},
		"KafkaRegistryAndPassword": {
			reason: "The registry's keys should hold the user's name and password; a configured password should be the stores'.",
			parts:  []Part{kafkaWithRegistry()},
			opts:   Options{KeyStorePassword: "other"},
			want: and(kafka, map[string]string{
				"KAFKA_CREDSTORE_PASSWORD": "other", "KAFKA_SCHEMA_REGISTRY": "https://registry.example:4",
				"KAFKA_SCHEMA_REGISTRY_USER": "kafka-user", "KAFKA_SCHEMA_REGISTRY_PASSWORD": "kafka-password",
			}),
		},
		"OpenSearch": {
			reason: "Without dashboards there should be no key of them.",
			parts:  []Part{openSearchPart()},
			want:   openSearch,
		},
		"OpenSearchDashboard": {
			reason: "Dashboards should be published where they are.",
			parts:  []Part{openSearchWithDashboard()},
			want: and(openSearch, map[string]string{
				"OPEN_SEARCH_DASHBOARD_URI": "https://dash.example:443", "OPEN_SEARCH_DASHBOARD_HOST": "dash.example", "OPEN_SEARCH_DASHBOARD_PORT": "443",
			}),
		},
		"Valkey": {
			reason: "Without a replica there should be no key of it; every key has a Redis twin.",
			parts:  []Part{valkeyPart("my-cache")},
			want:   valkey,
		},
		"ValkeyReplica": {
			reason: "A replica should be published where it is; it has no Redis twin.",
			parts:  []Part{valkeyWithReplica("my-cache")},
			want: and(valkey, map[string]string{
				"VALKEY_REPLICA_URI_MY_CACHE": "valkeys://replica.example:5", "VALKEY_REPLICA_HOST_MY_CACHE": "replica.example", "VALKEY_REPLICA_PORT_MY_CACHE": "5",
			}),
		},
		"All": {
			reason: "All services should share one Secret, with the CA of each project once, Kafka's first.",
			parts:  []Part{valkeyPart("my-cache"), openSearchPart(), kafkaPart()},
			want:   and(kafka, openSearch, valkey, map[string]string{"AIVEN_CA": cert + main}),
		},
		"TheSameTwice": {
			reason: "Two parts that agree on every value do not collide.",
			parts:  []Part{openSearchPart(), openSearchPart()},
			want:   openSearch,
		},
		"UnterminatedCA": {
			reason: "A CA without a line end should not run into the next, nor count as another for its lack.",
			parts: []Part{
				{Service: OpenSearch, Details: openSearchPart().Details.with(KeyCA, "one")},
				{Service: Valkey, Instance: "my-cache", Details: valkeyPart("my-cache").Details.with(KeyCA, "two")},
				{Service: Valkey, Instance: "my-cache", Details: valkeyPart("my-cache").Details.with(KeyCA, "two\n")},
			},
			want: and(openSearch, valkey, map[string]string{"AIVEN_CA": "one\ntwo"}),
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Render(tc.parts, tc.opts)
			if err != nil {
				t.Fatalf("\n%s\nRender(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, expand(t, got)); diff != "" {
				t.Errorf("\n%s\nRender(...): -want, +got:\n%s", tc.reason, diff)
			}

			// Same input in another order, same bytes.
			slices.Reverse(tc.parts)
			again, err := Render(tc.parts, tc.opts)
			if err != nil {
				t.Fatalf("\n%s\nRender(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("\n%s\nRender(...): -first, +reversed:\n%s", tc.reason, diff)
			}

			var services []Service
			for _, p := range tc.parts {
				services = append(services, p.Service)
			}
			for key := range got {
				if !Owned(key, services...) {
					t.Errorf("\n%s\nRender(...): rendered %s, which Owned denies", tc.reason, key)
				}
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	other := func(p Part, kv ...string) Part {
		p.Details = p.Details.with(kv...)
		return p
	}
	cases := map[string]struct {
		reason string
		parts  []Part
		want   string
	}{
		"Nothing": {
			reason: "A Secret is never empty.",
			want:   "cannot render Secret without credentials",
		},
		"UnknownService": {
			reason: "A service that nobody knows cannot be published.",
			parts:  []Part{{Service: "Redis"}},
			want:   "cannot render credentials of Redis: service is not known",
		},
		"NoInstance": {
			reason: "A Valkey instance without a name has no keys.",
			parts:  []Part{valkeyPart("")},
			want:   `cannot render credentials of Valkey instance "": instance has no name`,
		},
		"Incomplete": {
			reason: "A Secret is never partly filled.",
			parts:  []Part{openSearchPart(), other(valkeyPart("a"), KeyPassword, "<redacted>", KeyPort, "")},
			want:   `cannot render credentials of Valkey instance "a": connection details are incomplete: missing password, port`,
		},
		"BadScheme": {
			reason: "The twin of an address of another scheme cannot be told.",
			parts:  []Part{other(valkeyPart("a"), KeyURI, "redis://h:1")},
			want:   `cannot render credentials of Valkey instance "a": connection detail uri does not start with valkeys://`,
		},
		"BadCertificate": {
			reason: "Key stores cannot be made of something else.",
			parts:  []Part{other(kafkaPart(), KeyClientKey, "no PEM")},
			want:   "cannot render credentials of Kafka: cannot parse private key: no PEM block found",
		},
		"SameSuffix": {
			reason: "Two instances whose keys are the same should be named.",
			parts:  []Part{valkeyPart("a_b"), valkeyPart("ok"), valkeyPart("a-b")},
			want:   `cannot publish Valkey instance "a-b" and Valkey instance "a_b" in one Secret: both need the key REDIS_HOST_A_B`,
		},
		"SameSuffixDot": {
			reason: "A dot becomes an underscore as well.",
			parts:  []Part{valkeyPart("a_b"), valkeyPart("a.b")},
			want:   `cannot publish Valkey instance "a.b" and Valkey instance "a_b" in one Secret: both need the key REDIS_HOST_A_B`,
		},
		"TwoUsersOfOneService": {
			reason: "A Secret holds one OpenSearch user.",
			parts:  []Part{openSearchPart(), other(openSearchPart(), KeyUsername, "z")},
			want:   "cannot publish OpenSearch and OpenSearch in one Secret: both need the key OPEN_SEARCH_USERNAME",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				got, err := Render(tc.parts, Options{})
				if err == nil || err.Error() != tc.want {
					t.Fatalf("\n%s\nRender(...): want error %q, got %v", tc.reason, tc.want, err)
				}
				if got != nil {
					t.Fatalf("\n%s\nRender(...): got data with an error", tc.reason)
				}
				slices.Reverse(tc.parts)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	at := time.Date(2026, 11, 20, 13, 14, 15, 999, time.FixedZone("CET", 3600))
	cases := map[string]struct {
		reason string
		data   map[string][]byte
		want   map[string][]byte
	}{
		"Kafka": {
			reason: "A Secret with a Kafka user should have both stamps, in UTC and whole seconds.",
			data:   map[string][]byte{"KAFKA_BROKERS": nil},
			want: map[string][]byte{
				"KAFKA_BROKERS": nil, "AIVEN_SECRET_UPDATED": []byte("2026-11-20T12:14:15Z"), "KAFKA_SECRET_UPDATED": []byte("2026-11-20T12:14:15Z"),
			},
		},
		"Other": {
			reason: "A Secret without a Kafka user should have no stamp of Kafka's, and an old stamp should go.",
			data:   map[string][]byte{"AIVEN_SECRET_UPDATED": []byte("old")},
			want:   map[string][]byte{"AIVEN_SECRET_UPDATED": []byte("2026-11-20T12:14:15Z")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			Stamp(tc.data, at)
			if diff := cmp.Diff(tc.want, tc.data); diff != "" {
				t.Errorf("\n%s\nStamp(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
