// SPDX-License-Identifier: Apache-2.0

package clientfiles

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func kafkaData() map[string][]byte {
	return map[string][]byte{
		"AIVEN_CA":                 []byte("ca\n"),
		"KAFKA_BROKERS":            []byte("kafka:1"),
		"KAFKA_CERTIFICATE":        []byte("cert\n"),
		"KAFKA_PRIVATE_KEY":        []byte("key\n"),
		"KAFKA_CA":                 []byte("ca\n"),
		"KAFKA_CREDSTORE_PASSWORD": []byte("pass\\wörd"),
		"client.keystore.p12":      {0xff, 0},
		"client.truststore.jks":    {0xfe, 0},
	}
}

func with(data map[string][]byte, key, value string) map[string][]byte {
	data[key] = []byte(value)
	return data
}

func TestRender(t *testing.T) {
	t.Parallel()
	const comment = "# Credentials. Nobody but you may read this file.\n"
	cases := map[string]struct {
		reason string
		format Format
		data   map[string][]byte
		want   map[string]string
		err    string
	}{
		"Env": {
			reason: "Text becomes quoted variables; certificates and key stores become files that variables name.",
			format: Env, data: kafkaData(),
			want: map[string]string{
				"credentials.env": comment +
					"export AIVEN_CA_PATH='/dir/aiven-ca.crt'\nexport AIVEN_CA='ca\n'\n" +
					"export KAFKA_BROKERS='kafka:1'\n" +
					"export KAFKA_CA_PATH='/dir/kafka-ca.crt'\nexport KAFKA_CA='ca\n'\n" +
					"export KAFKA_CERTIFICATE_PATH='/dir/kafka.crt'\nexport KAFKA_CERTIFICATE='cert\n'\n" +
					"export KAFKA_CREDSTORE_PASSWORD='pass\\wörd'\n" +
					"export KAFKA_PRIVATE_KEY_PATH='/dir/kafka.key'\nexport KAFKA_PRIVATE_KEY='key\n'\n" +
					"export KAFKA_KEYSTORE_PATH='/dir/client.keystore.p12'\nexport KAFKA_TRUSTSTORE_PATH='/dir/client.truststore.jks'\n",
				"aiven-ca.crt": "ca\n", "kafka-ca.crt": "ca\n", "kafka.crt": "cert\n", "kafka.key": "key\n",
				"client.keystore.p12": "\xff\x00", "client.truststore.jks": "\xfe\x00",
			},
		},
		"EnvOfOthers": {
			reason: "Keys that others put into the Secret must not change the shell.",
			format: Env, data: map[string][]byte{"PATH": []byte("/evil"), "LD_PRELOAD": []byte("x"), "VALKEY_URI_CACHE": []byte("valkeys://a:1")},
			want: map[string]string{"credentials.env": comment + "export VALKEY_URI_CACHE='valkeys://a:1'\n"},
		},
		"Properties": {
			reason: "Java's clients read the key stores, and values as java.util.Properties has them.",
			format: Properties, data: kafkaData(),
			want: map[string]string{
				"client.properties": comment + `bootstrap.servers=kafka:1
security.protocol=SSL
ssl.keystore.type=PKCS12
ssl.keystore.location=/dir/client.keystore.p12
ssl.keystore.password=pass\\w\u00f6rd
ssl.key.password=pass\\w\u00f6rd
ssl.truststore.type=PKCS12
ssl.truststore.location=/dir/client.truststore.jks
ssl.truststore.password=pass\\w\u00f6rd
`,
				"client.keystore.p12": "\xff\x00", "client.truststore.jks": "\xfe\x00",
			},
		},
		"Kcat": {
			reason: "kcat reads files in PEM.",
			format: Kcat, data: kafkaData(),
			want: map[string]string{
				"kcat.conf": `# Credentials are in the files that this one names. Nobody but you may read them.
bootstrap.servers=kafka:1
security.protocol=ssl
ssl.ca.location=/dir/kafka-ca.crt
ssl.certificate.location=/dir/kafka.crt
ssl.key.location=/dir/kafka.key
`,
				"kafka-ca.crt": "ca\n", "kafka.crt": "cert\n", "kafka.key": "key\n",
			},
		},
		"KcatInjected": {
			reason: "A value with a second line must not become a setting, such as a plugin to load.",
			format: Kcat, data: with(kafkaData(), "KAFKA_BROKERS", "kafka:1\nplugin.library.paths=/evil"),
			err: "KAFKA_BROKERS or the folder's name has more than one line",
		},
		"NoKafka": {
			reason: "Without Kafka there is nothing to write for its clients.",
			format: Kcat, data: map[string][]byte{"VALKEY_URI_CACHE": []byte("valkeys://a:1")},
			err: "the application has no Kafka: there is no key KAFKA_BROKERS in its Secret. Use env instead",
		},
		"Unknown": {
			reason: "A form that is not known is refused.",
			format: "xml", err: `unknown form "xml": use env, properties, kcat`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := Render(tc.format, tc.data, "/dir")
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tc.err, text); diff != "" {
				t.Errorf("\n%s\nRender(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			var got map[string]string
			for n, content := range files {
				if got == nil {
					got = make(map[string]string)
				}
				got[n] = string(content)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nRender(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPropertiesWithRegistry(t *testing.T) {
	t.Parallel()
	data := with(with(with(kafkaData(), "KAFKA_SCHEMA_REGISTRY", "https://r:2"), "KAFKA_SCHEMA_REGISTRY_USER", "u"), "KAFKA_SCHEMA_REGISTRY_PASSWORD", "p")
	files, err := Render(Properties, data, "/dir")
	if err != nil {
		t.Fatalf("Render(...): %v", err)
	}
	const want = "schema.registry.url=https://r:2\nbasic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=u:p\n"
	got := string(files["client.properties"])
	if diff := cmp.Diff(want, got[max(len(got)-len(want), 0):]); diff != "" {
		t.Errorf("Render(...): the registry should be named where there is one: -want, +got:\n%s", diff)
	}
}

// TestEnvInAShell holds that a shell reads back what was written.
func TestEnvInAShell(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Quotes": `it's "quoted"`, "Expansions": "$HOME `id` $(id) \\", "Lines": "a\nb\n", "Blanks": " a  b ", "Unicode": "å∂",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := Render(Env, map[string][]byte{"VALKEY_PASSWORD_X": []byte(value)}, t.TempDir())
			if err != nil {
				t.Fatalf("Render(...): %v", err)
			}
			path := filepath.Join(t.TempDir(), "credentials.env")
			if err := os.WriteFile(path, files["credentials.env"], 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$0" && printf %s "$VALKEY_PASSWORD_X"`, path).Output()
			if err != nil {
				t.Fatalf("cannot read the file with a shell: %v", err)
			}
			if diff := cmp.Diff(value, string(out)); diff != "" {
				t.Errorf("a shell should read what was written: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/home/jane/x-credentials": "/home/jane/x-credentials", "/home/jane/my files": "'/home/jane/my files'", "a'b": `'a'\''b'`, "": "''"} {
		if diff := cmp.Diff(want, Word(in)); diff != "" {
			t.Errorf("Word(%q): -want, +got:\n%s", in, diff)
		}
	}
}
