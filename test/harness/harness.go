// SPDX-License-Identifier: Apache-2.0

// Package harness runs the provider in the test process, against a real API
// server with a controller manager and a simulated Aiven.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/pkg/errors"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/provider-aiven/provider-aiven/cluster/controlplane"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/provider"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
)

// Token is what the simulator accepts, beside what a test adds.
const Token = "harness-token-7f3a9c"

// Patience is how long Eventually waits. A good run takes no longer for it, on a
// slow machine either.
const Patience = 5 * time.Minute

const interval = 25 * time.Millisecond

// MostVerbose is the level of the log. At the next one controller-runtime v0.23.1 logs the
// items of its queues while they are changed, which the race detector finds.
const MostVerbose = zapcore.Level(-4)

// A Harness is a control plane, a simulator and a provider.
type Harness struct {
	// Kube reads and writes without a cache.
	Kube client.Client
	// Sim is the simulated Aiven, and URL where it listens.
	Sim *aivensim.Server
	URL string
	// Log is everything that the provider logged, at the most verbose level.
	Log *Buffer
	// Registry holds the metrics of the current provider.
	Registry *prometheus.Registry

	env    *controlplane.Environment
	server *httptest.Server
	gate   *Gate
	cancel context.CancelFunc
	done   chan error
}

// New starts a control plane and a simulator with the supplied options. Stop
// ends them.
func New(ctx context.Context, sim ...aivensim.Option) (*Harness, error) {
	crds, err := crdDir()
	if err != nil {
		return nil, err
	}
	env, err := controlplane.Start(ctx, controlplane.Options{CRDs: []string{crds}, ControllerManager: true, Progress: os.Stderr})
	if err != nil {
		return nil, errors.Wrap(err, "cannot start control plane")
	}
	h := &Harness{env: env, Log: &Buffer{}}
	seed := aivensim.WithSeed(aivensim.Seed{Tokens: []aivensim.Token{{Token: Token, Permissions: "admin"}}})
	h.Sim = aivensim.New(append([]aivensim.Option{seed}, sim...)...)
	h.server = httptest.NewServer(h.Sim)
	h.URL = h.server.URL
	scheme, err := provider.NewScheme()
	if err == nil {
		cfg := rest.CopyConfig(env.Config)
		cfg.QPS = -1
		h.Kube, err = client.New(cfg, client.Options{Scheme: scheme})
	}
	if err != nil {
		_ = h.Stop()
		return nil, errors.Wrap(err, "cannot make a client")
	}
	return h, nil
}

// A Process says how a provider is started.
type Process struct {
	// Options of the provider. Its Aiven clients go by the same clock.
	provider.Options

	// Gate that everything leads through that the provider does. Default: one of
	// its own.
	Gate *Gate

	// Config adjusts how the provider reaches the API server, which is with all
	// rights. Default: not at all.
	Config func(cfg *rest.Config)
}

// WriteKubeconfig writes a kubeconfig file for the control plane, with all rights.
func (h *Harness) WriteKubeconfig(path string) error {
	return h.env.WriteKubeconfig(path) //nolint:wrapcheck // It says what cannot be written.
}

// Config returns a configuration for a client of the control plane, to change.
func (h *Harness) Config() *rest.Config { return rest.CopyConfig(h.env.Config) }

// StartProvider starts a provider with intervals that suit tests, or what is
// made of them.
func (h *Harness) StartProvider(with ...func(p *Process)) {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done, h.Registry = cancel, make(chan error, 1), prometheus.NewRegistry()
	zl := zap.New(zap.WriteTo(h.Log), zap.Level(MostVerbose))
	p := &Process{Gate: NewGate(), Options: provider.Options{
		PollInterval: 2 * time.Second, JanitorGrace: 5 * time.Second, Namespace: "default", OrphanInterval: 500 * time.Millisecond, Registry: h.Registry, BaseURLs: providerconfig.BaseURLs{Allowed: []string{h.URL}},
		Logger: logging.NewLogrLogger(zl), UserAgent: "harness",
		Aiven: func(o *aiven.Options) {
			o.ErrorTTL, o.SettleTime, o.ACLInterval = 200*time.Millisecond, time.Second, 50*time.Millisecond
			o.CallTimeout = 10 * time.Second
		},
	}}
	for _, w := range with {
		w(p)
	}
	h.gate = p.Gate
	cfg := h.Config()
	cfg.Wrap(p.Gate.Wrap)
	if p.Config != nil {
		p.Config(cfg)
	}
	adjust, transport := p.Aiven, p.Gate.Wrap(newTransport())
	p.Aiven = func(o *aiven.Options) {
		o.Transport = transport
		if p.Clock != nil {
			o.Now = p.Clock.Now
		}
		adjust(o)
	}
	done := h.done
	go func() { done <- h.run(ctx, cfg, p) }()
}

// run runs a provider until the context ends, and again, as the kubelet would, when it
// ended as one does on a machine that is too busy. Any other end is a failure, which
// StopProvider returns, and so is too many of these.
func (h *Harness) run(ctx context.Context, cfg *rest.Config, p *Process) error {
	for left := maxRestarts; ; left-- {
		err := provider.Run(ctx, cfg, p.Options)
		if ctx.Err() != nil || p.Gate.IsShut() {
			return err
		}
		if err == nil {
			err = errors.New("it was not asked to")
		}
		// Tests wait in vain from here on, or longer: whoever reads their output should know why.
		fmt.Fprintln(io.MultiWriter(h.Log, os.Stderr), "The provider ended:", err)
		if left == 0 || !isStuck(err) && !isLate(err) {
			return errors.Wrap(err, "the provider ended")
		}
	}
}

// newTransport returns one that keeps as many connections alive as an Aiven
// client uses at once.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = aiven.DefaultMaxInFlight
	return t
}

// stuckQueue is in the error of a manager that did not end in time. controller-runtime
// v0.23.1 (its issue 3538): a priority queue that hands out an item when a worker leaves
// waits for ever, and holds the lock that the others need to leave. What matters
// is done by then.
const stuckQueue = "failed waiting for all runnables to end within grace period"

// StopProvider ends the provider as Kubernetes would. What is in memory is lost.
func (h *Harness) StopProvider() error {
	if h.cancel == nil {
		return nil
	}
	h.cancel()
	h.cancel = nil
	err := <-h.done
	if isStuck(err) {
		return nil
	}
	return err
}

func isStuck(err error) bool { return err != nil && strings.Contains(err.Error(), stuckQueue) }

// maxRestarts is how often a provider of a test is started again.
const maxRestarts = 10

// lostLease is in the error of a manager that did not renew its lease in time.
const lostLease = "leader election lost"

func isLate(err error) bool { return err != nil && strings.Contains(err.Error(), lostLease) }

// KillProvider ends the provider as a kill would: at any point, and nothing that
// it does from then on has an effect.
func (h *Harness) KillProvider() {
	if h.cancel == nil {
		return
	}
	h.gate.Shut()
	_ = h.StopProvider() // What is left to do fails.
}

// Stop ends everything.
func (h *Harness) Stop() error {
	err := h.StopProvider()
	if err != nil {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1) // What does not end is in it.
	}
	h.server.Close()
	if stop := h.env.Stop(); stop != nil {
		return stop //nolint:wrapcheck // It says what could not be stopped.
	}
	return err
}

// Eventually fails the test unless fn returns nil in time. The error of the last
// attempt says what was missing.
func Eventually(t *testing.T, what string, fn func(ctx context.Context) error) {
	t.Helper()
	Within(t, Patience, what, fn)
}

// Within is Eventually with a patience of one's own.
func Within(t *testing.T, patience time.Duration, what string, fn func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last error
	for {
		err := fn(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil {
			last = err // Not of an attempt that was cut short.
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, last)
		case <-tick.C:
		}
	}
}

// Namespace makes a namespace for one test, with a name that begins as given.
func (h *Harness) Namespace(t *testing.T, prefix string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}
	if err := h.Kube.Create(t.Context(), ns); err != nil {
		t.Fatalf("cannot create namespace: %v", err)
	}
	return ns.GetName()
}

// shortest is the length from which a credential is looked for. No password of
// the simulator has fewer characters.
const shortest = 8

// Scan returns where any credential that the simulator ever issued stands in
// the texts, which are named by their keys. It goes through each text once, however many
// credentials there are.
func (h *Harness) Scan(texts map[string]string) []string { return Scan(h.Sim, texts) }

// Scan is Harness.Scan for a simulator without a harness.
func Scan(sim *aivensim.Server, texts map[string]string) []string {
	byStart := make(map[string][]string)
	for _, secret := range sim.Issued() {
		if len(secret) >= shortest {
			byStart[secret[:shortest]] = append(byStart[secret[:shortest]], secret)
		}
	}
	var found []string
	for name, text := range texts {
		for i := 0; i+shortest <= len(text); i++ {
			for _, secret := range byStart[text[i:i+shortest]] {
				if strings.HasPrefix(text[i:], secret) {
					found = append(found, fmt.Sprintf("%s holds a credential of %d characters", name, len(secret)))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func crdDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", errors.Wrap(err, "cannot find the working directory")
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if crds := filepath.Join(dir, "package", "crds"); exists(crds) {
			return crds, nil
		}
	}
	return "", errors.New("cannot find package/crds above the working directory")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A Buffer is a bytes.Buffer that may be used concurrently.
type Buffer struct {
	// Limit is how many bytes are kept at least, the latest. 0 keeps all.
	Limit int

	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Limit > 0 && b.b.Len() > 2*b.Limit {
		b.b.Next(b.b.Len() - b.Limit)
	}
	return b.b.Write(p) //nolint:wrapcheck // It never fails.
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
