// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxBody bounds an answer. Aiven: a service with 1,000 Kafka users takes 4.2 MiB.
	maxBody = 128 << 20
	// maxErrorBody bounds the part of a failed answer that is looked at.
	maxErrorBody = 1 << 20
)

// A callInfo travels with a request's context: the operation's name to the transport, what it saw back to the caller.
type callInfo struct {
	op     string
	answer answer
}

type callInfoKey struct{}

func withCallInfo(ctx context.Context, info *callInfo) context.Context {
	return context.WithValue(ctx, callInfoKey{}, info)
}

// A transport is what every request to Aiven passes. It returns answers whose body was read completely.
type transport struct {
	base     *url.URL
	next     http.RoundTripper
	limiter  *limiter
	token    *tokenState
	timeout  time.Duration
	recorder Recorder
	now      func() time.Time
}

// RoundTrip makes one request: when it is admitted, with a deadline of its own.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	info, ok := req.Context().Value(callInfoKey{}).(*callInfo)
	if !ok {
		info = &callInfo{op: "Other"}
	}
	asked := t.now()
	release, err := t.limiter.admit(req.Context(), t.timeout)
	t.recorder.LimiterWait(t.limiter.class(req.Context()), t.now().Sub(asked))
	if err != nil {
		return nil, err
	}
	defer release()

	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	began := t.now()
	resp, body, err := t.exchange(t.prepare(req.WithContext(ctx)))
	code := 0
	if resp != nil {
		code = resp.StatusCode
	}
	t.recorder.Call(info.op, code, t.now().Sub(began), max(req.ContentLength, 0), int64(len(body)))
	if err != nil {
		return nil, err
	}
	info.answer = parseAnswer(resp.StatusCode, body)
	t.limiter.observe(began, resp.StatusCode, resp.Header, info.answer.message)
	t.token.answered(info.answer)
	if code < 300 && !isObject(body) {
		// The client library takes an empty answer for a good one and panics where it uses it.
		return nil, &callError{kind: ErrUnavailable, detail: "Aiven's answer is not a JSON object"}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// prepare returns the request as it is sent. The client library keeps its base URL in a variable of the process, so this
// client's own is put in here.
func (t *transport) prepare(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	path := req.URL.EscapedPath()
	if i := strings.Index(path, "/v1/"); i > 0 { // A prefix of the process-wide base URL.
		path = path[i:]
	}
	u := *t.base
	u.RawPath = t.base.EscapedPath() + path
	u.Path, _ = url.PathUnescape(u.RawPath) // It was escaped by the library.
	query := req.URL.Query()
	if req.Method == http.MethodGet && strings.Contains(path, "/service/") {
		query.Set("include_secrets", "true")
	}
	if !strings.HasSuffix(path, "/service") && !strings.HasSuffix(path, "/project") {
		// The library asks every endpoint for 999 entries, which means something to lists only. Aiven has refused it elsewhere.
		query.Del("limit")
	}
	u.RawQuery = query.Encode()
	out.URL, out.Host = &u, u.Host
	return out
}

// exchange sends the request and reads the whole answer.
func (t *transport) exchange(req *http.Request) (*http.Response, []byte, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // It was read to its end or failed already.
	limit := int64(maxBody)
	if resp.StatusCode >= 300 {
		limit = maxErrorBody
	}
	var body bytes.Buffer
	if resp.ContentLength > 0 {
		body.Grow(int(min(resp.ContentLength, limit)) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return resp, body.Bytes(), err
	case n > limit && resp.StatusCode < 300:
		return resp, nil, &callError{kind: ErrUnavailable, detail: "Aiven's answer is too long"}
	}
	return resp, body.Bytes(), nil
}

func isObject(body []byte) bool {
	b := bytes.TrimLeft(body, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

// parseAnswer reads what Aiven says about a failure. Aiven: "errors" is usually a list of objects, but lists of strings
// and plain strings occur.
func parseAnswer(status int, body []byte) answer {
	a := answer{status: status}
	if status < 300 {
		a.readable = isObject(body)
		return a
	}
	var in struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if !isObject(body) || json.Unmarshal(body, &in) != nil {
		return a
	}
	var list []struct {
		Message string `json:"message"`
		Code    string `json:"error_code"`
	}
	a.message = in.Message
	if json.Unmarshal(in.Errors, &list) == nil && len(list) > 0 {
		a.code = list[0].Code
		if a.message == "" {
			a.message = list[0].Message
		}
	}
	a.readable = a.message != "" || a.code != ""
	return a
}
