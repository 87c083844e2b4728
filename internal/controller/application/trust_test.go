// SPDX-License-Identifier: Apache-2.0

package application

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/connection"
)

// bundle returns CA certificates of these names, in PEM.
func bundle(names ...string) []byte {
	var out []byte
	for _, n := range names {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(n)})...)
	}
	return out
}

// unbundle returns the names of CA certificates.
func unbundle(ca []byte) []string {
	var out []string
	for b, rest := pem.Decode(ca); b != nil; b, rest = pem.Decode(rest) {
		out = append(out, string(b.Bytes))
	}
	return out
}

// project of the CAs of the tests.
const project = "project"

// authority returns what is remembered of a CA certificate.
func authority(name string, since time.Duration, until ...time.Duration) v1.AuthorityStatus {
	sum := sha256.Sum256([]byte(name))
	a := v1.AuthorityStatus{Fingerprint: hex.EncodeToString(sum[:]), Project: project, Since: at(since)}
	if len(until) > 0 {
		a.Until = new(at(until[0]))
	}
	return a
}

// byFingerprint orders what is remembered as the status does.
func byFingerprint(as ...v1.AuthorityStatus) []v1.AuthorityStatus {
	slices.SortFunc(as, func(a, b v1.AuthorityStatus) int {
		if a.Fingerprint < b.Fingerprint {
			return -1
		}
		return 1
	})
	return as
}

func TestTrust(t *testing.T) {
	const issued = -10 * day
	trusting := func(as ...v1.AuthorityStatus) func(c *v1.CredentialsStatus) {
		return func(c *v1.CredentialsStatus) { c.Authorities = as }
	}
	type want struct {
		ca          []string
		authorities []v1.AuthorityStatus
		look        time.Time
	}
	cases := map[string]struct {
		reason string
		only   connection.Service // Empty: it is the same for all.
		c      *v1.CredentialsStatus
		aiven  []byte
		held   []byte // What the Secret holds, nil when there is none.
		want   want
	}{
		"First": {
			reason: "The CA of the first publication is as old as the credentials, and nothing to rotate for.",
			aiven:  bundle("ca"),
			want:   want{ca: []string{"ca"}, authorities: []v1.AuthorityStatus{authority("ca", issued)}},
		},
		"Same": {
			reason: "As long as nothing changes there is nothing to remember or to look for.",
			c:      credentials(1, first, trusting(authority("ca", issued))), aiven: bundle("ca"), held: bundle("ca"),
			want: want{ca: []string{"ca"}, authorities: []v1.AuthorityStatus{authority("ca", issued)}},
		},
		"Changed": {
			reason: "The CA before is published with a new one, for an overlap.",
			c:      credentials(1, first, trusting(authority("old", issued))), aiven: bundle("new"), held: bundle("old"),
			want: want{ca: []string{"new", "old"}, authorities: byFingerprint(authority("old", issued, day), authority("new", 0)), look: noon.Add(day)},
		},
		"Both": {
			reason: "The overlap is not begun again each time, and the order stays.",
			c:      credentials(1, first, trusting(authority("old", issued, time.Hour), authority("new", -day))), aiven: bundle("new"), held: bundle("new", "old"),
			want: want{ca: []string{"new", "old"}, authorities: byFingerprint(authority("old", issued, time.Hour), authority("new", -day)), look: noon.Add(time.Hour)},
		},
		"Over": {
			reason: "After it, and when there are no users of its time, the one before is left out and forgotten.",
			c:      credentials(2, second, trusting(authority("old", -90*day, 0), authority("new", issued-time.Hour))), aiven: bundle("new"), held: bundle("new", "old"),
			want: want{ca: []string{"new"}, authorities: []v1.AuthorityStatus{authority("new", issued-time.Hour)}},
		},
		"StillNeeded": {
			reason: "But not while users of its time are valid: pods that hold them hold the CA too.",
			c:      credentials(2, second, previous(1, -day, first...), trusting(authority("old", -90*day, -day), authority("new", issued-time.Hour))), aiven: bundle("new"), held: bundle("new", "old"),
			want: want{ca: []string{"new", "old"}, authorities: byFingerprint(authority("old", -90*day, -day), authority("new", issued-time.Hour))},
		},
		"NotRotatedYet": {
			reason: "Nor while certificates that it signed are published, because they are not replaced yet.", only: connection.Kafka,
			c: credentials(1, first, trusting(authority("old", issued, -time.Minute), authority("new", -time.Hour))), aiven: bundle("new"), held: bundle("new", "old"),
			want: want{ca: []string{"new", "old"}, authorities: byFingerprint(authority("old", issued, -time.Minute), authority("new", -time.Hour))},
		},
		"NothingSigned": {
			reason: "Users without certificates do not wait for a rotation, which does not come for that.", only: connection.Valkey,
			c: credentials(1, first, trusting(authority("old", issued, -time.Minute), authority("new", -time.Hour))), aiven: bundle("new"), held: bundle("new", "old"),
			want: want{ca: []string{"new"}, authorities: []v1.AuthorityStatus{authority("new", -time.Hour)}},
		},
		"ChangedTwice": {
			reason: "Each CA has an overlap of its own, and what is held keeps its order.",
			c:      credentials(1, first, trusting(authority("oldest", issued, time.Hour), authority("old", -day))), aiven: bundle("new"), held: bundle("old", "oldest"),
			want: want{
				ca: []string{"new", "old", "oldest"}, look: noon.Add(time.Hour),
				authorities: byFingerprint(authority("oldest", issued, time.Hour), authority("old", -day, day), authority("new", 0)),
			},
		},
		"Back": {
			reason: "A CA that Aiven goes back to is the present one again, since when it first was.",
			c:      credentials(1, first, trusting(authority("old", issued, time.Hour), authority("new", -day))), aiven: bundle("old"), held: bundle("new", "old"),
			want: want{ca: []string{"old", "new"}, authorities: byFingerprint(authority("old", issued), authority("new", -day, day)), look: noon.Add(day)},
		},
		"AivenNamesBoth": {
			reason: "What Aiven itself names is in Aiven's order and has no end.",
			c:      credentials(1, first, trusting(authority("old", issued))), aiven: bundle("old", "new"), held: bundle("old"),
			want: want{ca: []string{"old", "new"}, authorities: byFingerprint(authority("old", issued), authority("new", 0))},
		},
		"Smuggled": {
			reason: "A certificate that somebody puts into the Secret is not trusted.",
			c:      credentials(1, first, trusting(authority("old", issued))), aiven: bundle("new"), held: bundle("theirs", "old", "theirs too"),
			want: want{ca: []string{"new", "old"}, authorities: byFingerprint(authority("old", issued, day), authority("new", 0)), look: noon.Add(day)},
		},
		"NoSecret": {
			reason: "Without a Secret to take it from the CA before is still remembered, for others that hold it.",
			c:      credentials(1, first, trusting(authority("old", issued))), aiven: bundle("new"),
			want: want{ca: []string{"new"}, authorities: byFingerprint(authority("old", issued, day), authority("new", 0)), look: noon.Add(day)},
		},
	}
	for name, tc := range cases {
		for service, held := range map[connection.Service]string{connection.Kafka: connection.SecretKafkaCA, connection.Valkey: connection.SecretCA} {
			if tc.only != "" && tc.only != service {
				continue
			}
			t.Run(name+"/"+string(service), func(t *testing.T) {
				parts := []connection.Part{{Service: service, Details: connection.Details{connection.KeyCA: tc.aiven, connection.KeyUsername: []byte("user")}}}
				var s *corev1.Secret
				if tc.held != nil {
					s = &corev1.Secret{Data: map[string][]byte{held: tc.held}}
				}
				trust := newTrust(lifeOf(tc.c), parts, []string{project}, noon.Add(700*time.Millisecond).In(time.FixedZone("", 3600)))
				extended := trust.extend(s, parts)
				got := want{unbundle(extended[0].Details[connection.KeyCA]), trust.remember(at(issued)), trust.look.UTC().Truncate(time.Second)}
				if trust.look.IsZero() {
					got.look = time.Time{}
				}
				if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
					t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
				}
				if string(extended[0].Details[connection.KeyUsername]) != "user" || !bytes.Equal(parts[0].Details[connection.KeyCA], tc.aiven) {
					t.Error("extend changes the CA of what it returns, and nothing else")
				}
			})
		}
	}
}

// TestTrustSettles publishes what was published before, as after a restart.
func TestTrustSettles(t *testing.T) {
	parts := []connection.Part{{Service: connection.Kafka, Details: connection.Details{connection.KeyCA: bundle("new")}}}
	c := credentials(1, first, func(c *v1.CredentialsStatus) { c.Authorities = []v1.AuthorityStatus{authority("old", -10*day)} })
	s := &corev1.Secret{Data: map[string][]byte{connection.SecretKafkaCA: bundle("old")}}
	var texts []string
	var remembered [][]v1.AuthorityStatus
	for i := range 3 {
		trust := newTrust(lifeOf(c), parts, []string{project}, noon.Add(time.Duration(i)*time.Hour))
		ca := trust.extend(s, parts)[0].Details[connection.KeyCA]
		s.Data[connection.SecretKafkaCA], c.Authorities = ca, trust.remember(*c.IssuedAt)
		texts, remembered = append(texts, string(ca)), append(remembered, c.Authorities)
	}
	for i := range texts {
		if diff := cmp.Diff(texts[0], texts[i]); diff != "" {
			t.Errorf("the CA of publication %d differs from the first: -want, +got:\n%s", i+1, diff)
		}
		if diff := cmp.Diff(remembered[0], remembered[i]); diff != "" {
			t.Errorf("what is remembered after publication %d differs: -want, +got:\n%s", i+1, diff)
		}
	}
}

func TestLaterAndEarlier(t *testing.T) {
	cases := map[string]struct {
		reason          string
		a, b            time.Time
		later, earliest time.Time
	}{
		"Ordered":  {"Either may be the first.", noon, noon.Add(1), noon.Add(1), noon},
		"Reversed": {"Or the second.", noon.Add(1), noon, noon.Add(1), noon},
		"NoFirst":  {"A time that there is not is no time to look at anything.", time.Time{}, noon, noon, noon},
		"NoSecond": {"Whichever it is.", noon, time.Time{}, noon, noon},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := laterOf(tc.a, tc.b); !got.Equal(tc.later) {
				t.Errorf("%s: the later is %s, got %s", tc.reason, tc.later, got)
			}
			if got := earliest(tc.a, tc.b); !got.Equal(tc.earliest) {
				t.Errorf("%s: the earlier is %s, got %s", tc.reason, tc.earliest, got)
			}
		})
	}
}
