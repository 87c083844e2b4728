// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// DefaultBaseURL is where Aiven's own API is.
const DefaultBaseURL = "https://api.aiven.io"

// Defaults of Options and Limits.
const (
	// DefaultRequestsPerSecond is a cap of politeness, about what DefaultMaxInFlight calls reach at the 0.3 to 1 seconds
	// that Aiven takes for one. Aiven's own limit is not published; what it answers with status 429 is obeyed in any case.
	DefaultRequestsPerSecond = 50
	// DefaultMaxInFlight bounds the requests that wait for an answer at one time.
	DefaultMaxInFlight = 32

	defaultCallTimeout  = 30 * time.Second
	defaultPollInterval = 5 * time.Minute
	defaultErrorTTL     = 10 * time.Second
	defaultSettleTime   = 30 * time.Second
	defaultACLInterval  = time.Second
	defaultRateWindow   = time.Minute
)

// Limits bound what one client asks of Aiven.
type Limits struct {
	// RequestsPerSecond is the mean rate of requests. 0 means DefaultRequestsPerSecond, a negative value no limit.
	RequestsPerSecond float64
	// Burst is how many requests may be made at once after a quiet time. 0 means twice RequestsPerSecond, at least 1.
	Burst int
	// MaxInFlight is how many requests may wait for an answer at one time. 0 or less means DefaultMaxInFlight.
	MaxInFlight int
}

// Options configure a Client. Only Token is required; the zero value of every other field means its default.
type Options struct {
	// Token of the Aiven API. White space around it is ignored.
	Token string
	// BaseURL is scheme, host and optionally a path in front of "/v1". Default DefaultBaseURL.
	BaseURL string
	// UserAgent is appended to the client library's own.
	UserAgent string
	// Limits of requests.
	Limits Limits
	// RateWindow is what Aiven's limit on the number of calls is taken to be per, or what Aiven asks to wait if that is
	// longer. After a 429 as many calls start in any such window as Aiven named, or as were answered in the last one. Aiven:
	// the window is not stated. Default 1 minute.
	RateWindow time.Duration
	// CallTimeout is how long Aiven may take for one request, and as long again may be waited for the limiter before
	// it. It holds also when the caller's context has no deadline. Default 30 seconds.
	CallTimeout time.Duration
	// PollInterval is how old a snapshot may be before Service reads again. The poller refreshes each snapshot in use
	// once per interval, jittered, and drops one that nobody asked for during three. While reads fail for a passing
	// reason the last good snapshot is served until it is two intervals old. Default 5 minutes.
	PollInterval time.Duration
	// ErrorTTL is how long a failed read is remembered, so that not each of many waiting callers asks again. Default 10
	// seconds. Refusals (401, 403, 404) and exhausted quotas are remembered three times as long.
	ErrorTTL time.Duration
	// SettleTime is how long Aiven may take until reads show a write. Own writes win over reads that began before they
	// were made or within this time after. Default 30 seconds.
	SettleTime time.Duration
	// ACLInterval is the least time between the starts of two batches of the OpenSearch access control of one service.
	// While batch follows batch it grows, to 20 times as much. Default 1 second.
	ACLInterval time.Duration
	// Documents are shared by all clients that may write the same services with other tokens. nil means there are none.
	Documents *Documents
	// Transport makes the requests. Default is an own http.Transport that keeps MaxInFlight connections alive.
	Transport http.RoundTripper
	// Recorder is told of every request. nil means nobody is.
	Recorder Recorder
	// Logger for what is worth knowing when debugging. nil means none.
	Logger Logger
	// Now is the clock. Default time.Now. Waiting is done on real timers.
	Now func() time.Time
}

// A Recorder counts requests. Its methods are called concurrently and must not block.
type Recorder interface {
	// Call is told of a request that was made: the operation's name (GetService, CreateUser, …), the status code or 0
	// when there was no answer, how long it took, and the bytes of the bodies sent and received.
	Call(op string, code int, d time.Duration, sent, received int64)
	// LimiterWait is told how long a request of a class waited before it was made or given up. 0 is told too.
	LimiterWait(class Class, d time.Duration)
}

// A Logger takes debug messages with alternating keys and values. It never gets a credential.
type Logger interface {
	Debug(msg string, keysAndValues ...any)
}

type nopRecorder struct{}

func (nopRecorder) Call(string, int, time.Duration, int64, int64) {}
func (nopRecorder) LimiterWait(Class, time.Duration)              {}

type nopLogger struct{}

func (nopLogger) Debug(string, ...any) {}

// withDefaults returns the options with every zero value replaced.
func (o Options) withDefaults() Options {
	o.Token = strings.TrimSpace(o.Token)
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&o.CallTimeout, defaultCallTimeout},
		{&o.PollInterval, defaultPollInterval},
		{&o.ErrorTTL, defaultErrorTTL},
		{&o.SettleTime, defaultSettleTime},
		{&o.ACLInterval, defaultACLInterval},
		{&o.RateWindow, defaultRateWindow},
	} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	if o.Recorder == nil {
		o.Recorder = nopRecorder{}
	}
	if o.Logger == nil {
		o.Logger = nopLogger{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	if o.Transport == nil {
		o.Transport = newTransport(o.Limits.MaxInFlight)
	}
	return o
}

func (l Limits) withDefaults() Limits {
	if l.RequestsPerSecond == 0 {
		l.RequestsPerSecond = DefaultRequestsPerSecond
	}
	if l.Burst <= 0 {
		l.Burst = max(1, int(2*l.RequestsPerSecond))
	}
	if l.MaxInFlight <= 0 {
		l.MaxInFlight = DefaultMaxInFlight
	}
	return l
}

// newTransport keeps as many connections alive as are used at once. The default of two per host would open a new one for
// most requests.
func newTransport(inFlight int) http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConns = 2 * inFlight
	t.MaxIdleConnsPerHost = inFlight
	return t
}

// parseBaseURL accepts an absolute http or https URL without credentials, query and fragment. A final "/v1" is dropped,
// as it is part of every request's path.
func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("cannot parse base URL") // The cause quotes the URL, which may hold a password.
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("base URL is not an absolute http or https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("base URL holds more than scheme, host and path")
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1")
	u.RawPath = ""
	return u, nil
}

// validToken refuses what cannot be sent in a header.
func validToken(token string) error {
	if token == "" {
		return errors.New("token is empty")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return errors.New("token holds a character that no token of Aiven has")
		}
	}
	return nil
}
