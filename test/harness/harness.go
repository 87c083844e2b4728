// SPDX-License-Identifier: Apache-2.0

// Package harness runs the provider in the test process, against a real API
// server with a controller manager and a simulated Aiven.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
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
)

// Token is what the simulator accepts, beside what a test adds.
const Token = "harness-token-7f3a9c"

const (
	patience = 60 * time.Second
	interval = 25 * time.Millisecond
)

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
	cancel context.CancelFunc
	done   chan error
}

// New starts everything. Stop ends it.
func New(ctx context.Context) (*Harness, error) {
	crds, err := crdDir()
	if err != nil {
		return nil, err
	}
	env, err := controlplane.Start(ctx, controlplane.Options{CRDs: []string{crds}, ControllerManager: true, Progress: os.Stderr})
	if err != nil {
		return nil, errors.Wrap(err, "cannot start control plane")
	}
	h := &Harness{env: env, Log: &Buffer{}}
	h.Sim = aivensim.New(aivensim.WithSeed(aivensim.Seed{Tokens: []aivensim.Token{{Token: Token, Permissions: "admin"}}}))
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

// StartProvider starts a provider with intervals that suit tests.
func (h *Harness) StartProvider() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.done, h.Registry = cancel, make(chan error, 1), prometheus.NewRegistry()
	zl := zap.New(zap.WriteTo(h.Log), zap.Level(zapcore.Level(-10)))
	o := provider.Options{
		PollInterval: 2 * time.Second, Registry: h.Registry, AllowedBaseURLs: []string{h.URL},
		Logger: logging.NewLogrLogger(zl), SkipNameValidation: true, UserAgent: "harness",
		Aiven: func(o *aiven.Options) {
			o.ErrorTTL, o.SettleTime, o.ACLInterval = 200*time.Millisecond, time.Second, 50*time.Millisecond
			o.CallTimeout = 2 * time.Second
		},
	}
	go func() { h.done <- provider.Run(ctx, h.env.Config, o) }()
}

// StopProvider ends the provider as a kill would as far as its state goes: what
// is in memory is lost.
func (h *Harness) StopProvider() error {
	if h.cancel == nil {
		return nil
	}
	h.cancel()
	h.cancel = nil
	return <-h.done
}

// Stop ends everything.
func (h *Harness) Stop() error {
	err := h.StopProvider()
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := fn(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
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

// Scan returns where any credential that the simulator ever issued stands in
// the texts, which are named by their keys.
func (h *Harness) Scan(texts map[string]string) []string {
	var found []string
	for _, secret := range h.Sim.Issued() {
		for name, text := range texts {
			if len(secret) > 3 && strings.Contains(text, secret) {
				found = append(found, fmt.Sprintf("%s holds a credential of %d characters", name, len(secret)))
			}
		}
	}
	return found
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
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p) //nolint:wrapcheck // It never fails.
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
