// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"net/http"
	"strings"
	"sync"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/listeners"
)

// opAdmit is the operation in errors about requests of any kind.
const opAdmit = "Admit"

// A Client speaks to Aiven with one token. It is safe for concurrent use, and meant to be shared by all who use the token.
type Client struct {
	opts    Options
	sdk     *sdk.Client
	inner   http.RoundTripper
	limiter *limiter
	token   tokenState

	ctx    context.Context //nolint:containedctx // The client's lifetime: shared reads must not end with the caller who happened to start them.
	cancel context.CancelFunc
	work   sync.WaitGroup

	life   sync.Mutex // guards closed; taken last
	closed bool

	mu      sync.Mutex // taken before the lock of an entry or a writer
	entries map[ServiceRef]*entry
	writers map[ServiceRef]*aclWriter

	subscribers listeners.Listeners[UserRef]
	away        away
	cas         *cache
	kafkas      *cache
}

// New returns a client and starts its poller. It makes no call. The error says that the base URL or the token is unusable.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	base, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if err := validToken(o.Token); err != nil {
		return nil, err
	}
	c := &Client{
		opts:    o,
		inner:   o.Transport,
		limiter: newLimiter(o.Limits, o.RateWindow, o.Now),
		entries: map[ServiceRef]*entry{},
		writers: map[ServiceRef]*aclWriter{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cas = newCache(c, caTTL)
	c.kafkas = newCache(c, kafkaServiceTTL)
	c.sdk = &sdk.Client{APIKey: o.Token, UserAgent: o.UserAgent, Client: &http.Client{
		Transport: &transport{
			base: base, next: o.Transport, limiter: c.limiter, token: &c.token,
			timeout: o.CallTimeout, recorder: o.Recorder, now: o.Now,
		},
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.sdk.Init()
	c.spawn(c.poll)
	return c, nil
}

// Close stops the poller, the shared reads and the access control writers, and waits for them. What is pending there is
// not written. Requests that wait for the limiter, and calls afterwards that would make one, fail with ErrClosed. It may be
// called many times.
func (c *Client) Close() {
	c.life.Lock()
	c.closed = true
	c.life.Unlock()
	c.cancel()
	c.limiter.close()
	c.work.Wait()
	if t, ok := c.inner.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// SetLimits replaces the limits of requests, with defaults as for New. Requests in flight and what was learned of Aiven's own
// limit are not touched, and as many connections are kept alive as before.
func (c *Client) SetLimits(l Limits) {
	c.limiter.setLimits(l.withDefaults())
}

// spawn runs fn in the background unless the client is closed.
func (c *Client) spawn(fn func()) bool {
	c.life.Lock()
	defer c.life.Unlock()
	if c.closed {
		return false
	}
	c.work.Go(fn)
	return true
}

// scrub takes out of a message of Aiven what must not be seen or is not stable.
func (c *Client) scrub(message string) string {
	return scrub(message, c.secrets)
}

// secrets yields the token and every credential in the current snapshots.
func (c *Client) secrets(yield func(string) bool) {
	if !yield(c.opts.Token) {
		return
	}
	for _, e := range c.allEntries() {
		e.mu.Lock()
		view := e.view
		e.mu.Unlock()
		if view == nil {
			continue
		}
		for u := range view.users.each {
			for _, secret := range []string{u.Password, strings.TrimSpace(u.AccessKey), strings.TrimSpace(u.AccessCert)} {
				if !yield(secret) {
					return
				}
			}
		}
	}
}

// CheckToken asks for the list of projects: whether the token is accepted at all.
func (c *Client) CheckToken(ctx context.Context) error {
	_, err := do(ctx, c, newCall(opListProjects, "list projects").reading(), c.sdk.Projects.List)
	return err
}

func (c *Client) getService(ctx context.Context, ref ServiceRef) (*sdk.Service, error) {
	cl := serviceCall(opGetService, "get service", ref).reading()
	return do(ctx, c, cl, func(ctx context.Context) (*sdk.Service, error) {
		s, err := c.sdk.Services.Get(ctx, ref.Project, ref.Service)
		if err == nil && s == nil {
			err = errors.New("answer holds no service")
		}
		if err == nil {
			c.token.showed(ref.Project, s.Users)
		}
		return s, err
	})
}
