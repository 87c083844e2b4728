// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

// Kinds of errors, for errors.Is. Every error of this package that came of a call has exactly one of them.
var (
	// ErrUnauthorized means that the token is not accepted (401).
	ErrUnauthorized = errors.New("token is not accepted")
	// ErrForbidden means that the token may not do that (403). Aiven: it may pass after permissions were changed.
	ErrForbidden = errors.New("not permitted")
	// ErrServiceNotFound means that the project or the service does not exist (404).
	ErrServiceNotFound = errors.New("service not found")
	// ErrUserNotFound means that the service exists and the user does not (404).
	ErrUserNotFound = errors.New("service user not found")
	// ErrUserExists means that there is a user of that name already (409).
	ErrUserExists = errors.New("service user already exists")
	// ErrQuota means that the service has as many users or access control entries as it may have.
	ErrQuota = errors.New("quota is exhausted")
	// ErrServiceNotRunning means that the service is powered off or being rebuilt.
	ErrServiceNotRunning = errors.New("service is not running")
	// ErrRateLimited means that Aiven (429) or the client's own limit demands to wait longer than the caller could.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable means that the outcome is not known: server error, network error, deadline, an answer that cannot be
	// read. A write may have had its effect.
	ErrUnavailable = errors.New("unavailable")
	// ErrInvalid means that Aiven, or this package on its behalf, refuses the request as such (400 and other 4xx).
	ErrInvalid = errors.New("invalid request")
	// ErrAmbiguousService means that a project has several services where one is expected.
	ErrAmbiguousService = errors.New("more than one such service")
	// ErrNoService means that a project has no service of the kind.
	ErrNoService = errors.New("no such service")
	// ErrACLUnmanageable means that OpenSearch security management is on: Aiven's access control no longer applies.
	ErrACLUnmanageable = errors.New("access control is not managed by Aiven")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("client is closed")
)

// An Error is a call that failed. Its text is stable and holds no credential.
type Error struct {
	// Op is the operation: GetService, CreateUser, …
	Op string
	// Kind is one of the Err… values; errors.Is finds it.
	Kind error
	// Status is the HTTP status code, 0 without an answer.
	Status int

	action string // what could not be done, to what
	detail string
	cause  error // only context.Canceled or context.DeadlineExceeded
}

// Error says what could not be done and why.
func (e *Error) Error() string {
	return "cannot " + e.action + ": " + e.detail
}

// Is finds the error's kind.
func (e *Error) Is(target error) bool {
	return target == e.Kind
}

// Unwrap returns context.Canceled or context.DeadlineExceeded when that was the reason, else nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// An answer is what of a failed call decides its kind.
type answer struct {
	status  int
	code    string // errors[].error_code
	message string
	// readable is false for bodies that are not Aiven's JSON.
	readable bool
}

var (
	notPowered   = regexp.MustCompile(`(?i)not powered|powered off`)
	userQuota    = regexp.MustCompile(`(?i)maximum number of users`)
	userMissing  = regexp.MustCompile(`(?i)^\W*(service )?user\b.*(not exist|not found)`)
	internalLag  = regexp.MustCompile(`(?i)user (avnadmin|root) with component \S+ not found`)
	alreadyThere = regexp.MustCompile(`(?i)already exists`)
)

// kindOf decides on the kind of a failed call. Aiven: error_code is added progressively, so texts are matched as well.
func kindOf(a answer) error {
	switch {
	case a.readable && a.status >= 400 && a.status < 500 && userQuota.MatchString(a.message):
		return ErrQuota
	case a.readable && a.status >= 400 && (a.code == "not_powered" || notPowered.MatchString(a.message)):
		return ErrServiceNotRunning
	}
	switch a.status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return kindOf404(a)
	case http.StatusConflict:
		if alreadyThere.MatchString(a.message) {
			return ErrUserExists
		}
		return ErrInvalid
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusRequestTimeout, http.StatusExpectationFailed: // Aiven: 417 while dependents of what is deleted are pending.
		return ErrUnavailable
	}
	if a.status >= 400 && a.status < 500 {
		return ErrInvalid
	}
	return ErrUnavailable
}

// kindOf404 tells a missing user from a missing service. What is not Aiven's JSON comes from something else on the way,
// and says nothing about what exists at Aiven.
func kindOf404(a answer) error {
	switch {
	case !a.readable, internalLag.MatchString(a.message):
		return ErrUnavailable
	case userMissing.MatchString(a.message):
		return ErrUserNotFound
	}
	return ErrServiceNotFound
}

// refused tells whether a failed read says something about the service or the token, rather than about the moment.
func refused(err error) bool {
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) || errors.Is(err, ErrServiceNotFound)
}

// newError translates what the client library returned. Errors of the library that are not Aiven's quote bodies, so none
// of their text is used.
func newError(cl call, info *callInfo, err error, scrub func(string) string) *Error {
	e := &Error{Op: cl.op, Status: info.answer.status, action: cl.action}
	var own *callError
	var refusal sdk.Error
	var transport *url.Error
	switch {
	case errors.As(err, &own):
		e.Kind, e.detail, e.cause = own.kind, own.detail, own.cause
	case info.answer.status >= 300:
		e.Kind, e.detail = kindOf(info.answer), info.answer.message
	case errors.As(err, &refusal) && refusal.Status != info.answer.status: // status 200 with errors in the body
		a := answer{status: refusal.Status, message: refusal.Message, readable: true}
		e.Kind, e.detail, e.Status = kindOf(a), refusal.Message, refusal.Status
	case errors.As(err, &transport):
		e.Kind = ErrUnavailable
		e.detail, e.cause = networkDetail(err)
	default:
		e.Kind, e.detail = ErrUnavailable, "cannot read Aiven's answer"
	}
	e.detail = scrub(e.detail)
	if e.detail == "" {
		e.detail = "Aiven answered with status " + strconv.Itoa(e.Status)
	}
	return e
}

// A callError is an error made by this package inside of a call.
type callError struct {
	kind   error
	detail string
	cause  error
}

func (e *callError) Error() string { return e.detail }

// networkDetail names what went wrong with the connection without addresses, ports and times, which differ from one
// attempt to the next.
func networkDetail(err error) (string, error) {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled", context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", context.DeadlineExceeded
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", nil
	case errors.As(err, &dns):
		return "host name cannot be resolved", nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed before the answer was complete", nil
	case strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: "):
		return "TLS handshake failed", nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time", nil
	}
	return "network error", nil
}
