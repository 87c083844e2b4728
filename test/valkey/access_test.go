// SPDX-License-Identifier: Apache-2.0

package valkey

import (
	"context"
	"net/url"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

// Commands by what they do. Arguments are separated by a space, or by a tab where one has spaces itself.
var (
	connecting = []string{"PING", "HELLO 3", "SELECT 0", "CLIENT SETNAME app", "CLIENT ID", "INFO server", "PUBLISH news m", "EVAL\treturn 1\t0"}
	reading    = []string{"GET k", "MGET k l", "EXISTS k", "TYPE k", "TTL k", "STRLEN k", "LRANGE l 0 -1", "HGETALL h", "SMEMBERS s", "SCAN 0", "KEYS *", "DBSIZE", "EVAL\treturn redis.call('GET', KEYS[1])\t1\tk"}
	writing    = []string{"SET k w", "SETEX k 60 w", "APPEND k w", "INCR n", "EXPIRE k 60", "RENAME k k2", "LPUSH l w", "HSET h f w", "SADD s w", "EVAL\treturn redis.call('SET', KEYS[1], 'w')\t1\tk", "DEL k2"}
	// fetching commands take away what they answer: they are counted among those that write.
	fetching    = []string{"GETDEL k", "LPOP l", "SPOP s"}
	emptying    = []string{"FLUSHDB", "FLUSHALL"}
	disturbing  = []string{"CLIENT LIST", "CLIENT KILL ID 0", "CLIENT PAUSE 0 WRITE", "CLIENT UNPAUSE"}
	programming = []string{"FUNCTION FLUSH"}
	managing    = []string{"SLOWLOG GET", "LATENCY LATEST", "MODULE LIST", "ROLE"}
	// denied are what Aiven lets nobody use, and would let an application make users for itself that no rotation ends.
	denied = []string{"ACL LIST", "ACL SETUSER own on >password ~* +@all", "CONFIG GET *", "CONFIG SET maxclients 1", "MONITOR", "REPLICAOF NO ONE", "MIGRATE localhost 1 k 0 1", "BGSAVE", "SHUTDOWN ABORT"}
)

func TestAccess(t *testing.T) {
	te := newTenant(t, "access")
	cases := map[string]struct {
		reason string
		access v1.Access
		may    [][]string
		mayNot [][]string
	}{
		"Default": {
			reason: "Who asks for nothing else reads.",
			may:    [][]string{connecting, reading}, mayNot: [][]string{disturbing, programming, writing, fetching, emptying, managing, denied},
		},
		"Read": {
			reason: "Who reads cannot write, not even in a script.", access: v1.AccessRead,
			may: [][]string{connecting, reading}, mayNot: [][]string{disturbing, programming, writing, fetching, emptying, managing, denied},
		},
		"Write": {
			reason: "Who writes cannot read, but for what goes with it.", access: v1.AccessWrite,
			may: [][]string{connecting, writing, fetching, emptying}, mayNot: [][]string{disturbing, reading, managing, denied},
		},
		"ReadWrite": {
			reason: "Who reads and writes does not manage the server.", access: v1.AccessReadWrite,
			may: [][]string{connecting, reading, writing, fetching, emptying}, mayNot: [][]string{disturbing, managing, denied},
		},
		"Admin": {
			reason: "Who manages may still not do what Aiven lets nobody do.", access: v1.AccessAdmin,
			may: [][]string{connecting, reading, writing, fetching, emptying, managing}, mayNot: [][]string{denied},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { // One at a time: they share the data.
			te := te
			te.t = t
			app := strings.ToLower(name)
			te.create(te.app(app, tc.access))
			c := te.client(te.published(app, 1, true))
			te.fill()
			before := te.dump()
			for _, commands := range tc.mayNot {
				for _, command := range commands {
					if err := do(t.Context(), c, command); !refused(err) {
						t.Errorf("\n%s\n%s may %s: %v", tc.reason, app, command, err)
					}
				}
			}
			if diff := cmp.Diff(before, te.dump()); diff != "" {
				t.Errorf("\n%s\nwhat was refused changed the data: -want, +got:\n%s", tc.reason, diff)
			}
			for _, commands := range tc.may {
				te.fill()
				for _, command := range commands {
					if err := do(t.Context(), c, command); err != nil && !errors.Is(err, redis.Nil) {
						t.Errorf("\n%s\n%s may not %s: %v", tc.reason, app, command, err)
					}
				}
			}
		})
	}
}

// do runs a command.
func do(ctx context.Context, c redis.UniversalClient, command string) error {
	separator := " "
	if strings.Contains(command, "\t") {
		separator = "\t"
	}
	var args []any
	for arg := range strings.SplitSeq(command, separator) {
		args = append(args, arg)
	}
	return c.Do(ctx, args...).Err()
}

// refused tells whether the server said that the user may not do this, by itself or in a script.
func refused(err error) bool {
	return err != nil && (strings.HasPrefix(err.Error(), "NOPERM") || strings.Contains(err.Error(), "can't run this command"))
}

// fill makes the data what the commands are about.
func (te tenant) fill() {
	te.t.Helper()
	_, err := te.server.Client().TxPipelined(te.t.Context(), func(p redis.Pipeliner) error {
		p.FlushAll(te.t.Context())
		p.Set(te.t.Context(), "k", "v", 0)
		p.Set(te.t.Context(), "n", "1", 0)
		p.RPush(te.t.Context(), "l", "v")
		p.HSet(te.t.Context(), "h", "f", "v")
		p.SAdd(te.t.Context(), "s", "v")
		return nil
	})
	if err != nil {
		te.t.Fatalf("cannot fill the server: %v", err)
	}
}

// dump returns the data.
func (te tenant) dump() map[string]string {
	te.t.Helper()
	keys, err := te.server.Client().Keys(te.t.Context(), "*").Result()
	if err != nil {
		te.t.Fatal(err)
	}
	out := make(map[string]string, len(keys))
	for _, k := range keys {
		if out[k], err = te.server.Client().Dump(te.t.Context(), k).Result(); err != nil {
			te.t.Fatal(err)
		}
	}
	return out
}

// TestURI connects in the ways that client libraries know.
func TestURI(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "uri")
	te.create(te.app("orders", v1.AccessReadWrite))
	s := te.published("orders", 1, true)
	d := func(key string) string { return string(s.Data[key+"_CACHE"]) }

	at := d("VALKEY_HOST") + ":" + d("VALKEY_PORT")
	if diff := cmp.Diff([]string{"valkeys://" + at, "rediss://" + at}, []string{d("VALKEY_URI"), d("REDIS_URI")}); diff != "" {
		t.Errorf("URIs: -want, +got:\n%s", diff)
	}
	cases := map[string]struct {
		reason string
		with   func(o *redis.Options)
		want   string
	}{
		"AsPublished": {reason: "All parts of the Secret together log in.", with: func(*redis.Options) {}},
		"CredentialsInURI": {
			reason: "Some libraries take everything from one URI.",
			with: func(o *redis.Options) {
				u := url.URL{Scheme: "rediss", Host: at, User: url.UserPassword(d("REDIS_USERNAME"), d("REDIS_PASSWORD"))}
				parsed, err := redis.ParseURL(u.String())
				if err != nil {
					t.Fatal(err)
				}
				o.Addr, o.Username, o.Password = parsed.Addr, parsed.Username, parsed.Password
			},
		},
		"WithoutCA":       {reason: "The certificate is of the project's CA, which nobody else knows.", with: func(o *redis.Options) { o.TLSConfig.RootCAs = nil }, want: "certificate signed by unknown authority"},
		"WrongPassword":   {reason: "The password matters.", with: func(o *redis.Options) { o.Password += "x" }, want: "WRONGPASS"},
		"WithoutUsername": {reason: "The password is this user's, not the built-in one's.", with: func(o *redis.Options) { o.Username = "" }, want: "WRONGPASS"},
		"WithoutPassword": {reason: "Nobody gets in without.", with: func(o *redis.Options) { o.Username, o.Password = "", "" }, want: "NOAUTH"},
		"WithoutTLS":      {reason: "There is nothing but TLS.", with: func(o *redis.Options) { o.TLSConfig = nil }, want: "EOF"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := options(s)
			if err != nil {
				t.Fatal(err)
			}
			tc.with(o)
			c := redis.NewClient(o)
			defer func() { _ = c.Close() }()
			err = c.Set(t.Context(), "k", "v", 0).Err()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("\n%s\nSET: want %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// TestChangedAccess: what an application may do changes while it is connected, with the same credentials.
func TestChangedAccess(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "change")
	te.create(te.app("orders", v1.AccessRead))
	s := te.published("orders", 1, true)
	c := te.connection(s)
	for _, tc := range []struct {
		access v1.Access
		may    bool
	}{{v1.AccessReadWrite, true}, {v1.AccessRead, false}} {
		te.change("orders", func(a *v1.AivenApplication) { a.Spec.Valkey[0].Access = tc.access })
		harness.Eventually(t, "access is "+string(tc.access), func(ctx context.Context) error {
			err := c.Set(ctx, "k", "v", 0).Err()
			if tc.may {
				return err
			}
			if !refused(err) {
				return errors.Errorf("SET: %v", err)
			}
			return nil
		})
	}
	if diff := cmp.Diff(s.Data, te.published("orders", 1, true).Data); diff != "" {
		t.Errorf("the credentials changed: -want, +got:\n%s", diff)
	}
}

// TestManagedUser: a user of people's own is held to its commands, keys and channels.
func TestManagedUser(t *testing.T) {
	t.Parallel()
	te := newTenant(t, "managed")
	u := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Name: "reports", Namespace: te.namespace}}
	u.Spec.ForProvider = v1alpha1.ValkeyServiceUserParameters{
		ServiceUserParameters: v1alpha1.ServiceUserParameters{Project: te.project, ServiceName: te.service()},
		Categories:            []string{"-@all", "+@connection", "+@read", "+@write", "+@pubsub"}, Commands: []string{"-del", "+config|get"},
		Keys: []string{"session:*", "count"}, Channels: []string{"news:*"},
	}
	u.SetProviderConfigReference(te.config())
	u.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: "reports"})
	te.create(u)
	harness.Eventually(t, "the user is ready", func(ctx context.Context) error {
		if err := h.Kube.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return err
		}
		if c := u.GetCondition(xpv2.TypeReady); c.Status != corev1.ConditionTrue {
			return errors.Errorf("%s: %s", c.Reason, c.Message)
		}
		return nil
	})
	d := te.secret("reports").Data
	s := &corev1.Secret{Data: map[string][]byte{
		"REDIS_URI_CACHE":       []byte("rediss://" + string(d["endpoint"]) + ":" + string(d["port"])),
		"VALKEY_USERNAME_CACHE": d["username"], "VALKEY_PASSWORD_CACHE": d["password"], "AIVEN_CA": d["clusterCA"],
	}}
	c := te.client(s)
	for _, tc := range []struct {
		may      bool
		commands []string // In this order: what is read was written.
	}{
		{true, []string{"SET session:1 v", "GET session:1", "INCR count", "PUBLISH news:a m"}},
		{false, []string{"SET other v", "GET other", "MGET session:1 other", "PUBLISH other m", "DEL session:1", "CONFIG GET *", "EVAL\treturn 1\t0"}},
	} {
		for _, command := range tc.commands {
			if err := do(t.Context(), c, command); tc.may && err != nil || !tc.may && !refused(err) {
				t.Errorf("%s: allowed should be %t, got %v", command, tc.may, err)
			}
		}
	}
	te.delete(u)
	te.gone(u)
	te.retired(s)
	te.onlyUsers()
}
