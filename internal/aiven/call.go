// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Names of operations, as told to the Recorder.
const (
	opGetService              = "GetService"
	opListServices            = "ListServices"
	opListProjects            = "ListProjects"
	opGetProjectCA            = "GetProjectCA"
	opCreateUser              = "CreateUser"
	opUpdateUser              = "UpdateUser"
	opDeleteUser              = "DeleteUser"
	opGetOpenSearchACL        = "GetOpenSearchACL"
	opUpdateOpenSearchACL     = "UpdateOpenSearchACL"
	opGetOpenSearchSecurity   = "GetOpenSearchSecurity"
	opAddKafkaACL             = "AddKafkaACL"
	opDeleteKafkaACL          = "DeleteKafkaACL"
	opAddSchemaRegistryACL    = "AddSchemaRegistryACL"
	opDeleteSchemaRegistryACL = "DeleteSchemaRegistryACL"
)

// maxName bounds the names that are sent. Aiven: none is longer than 64 characters.
const maxName = 255

// readPauses are the waits before a read is tried again.
var readPauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond}

// A call describes an operation for its error and its metrics.
type call struct {
	op     string
	action string // "get service p/s"
	names  []string
	// read is true for what may be repeated without harm.
	read bool
}

func serviceCall(op, verb string, ref ServiceRef) call {
	return newCall(op, verb, ref.Project, ref.Service)
}

func userCall(op, verb string, ref UserRef) call {
	return newCall(op, verb, ref.Project, ref.Service, ref.Username)
}

func newCall(op, verb string, names ...string) call {
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = cut(strings.ToValidUTF8(n, "?"), 64+len("…"))
	}
	return call{op: op, action: strings.TrimSpace(verb + " " + strings.Join(shown, "/")), names: names}
}

func (cl call) reading() call {
	cl.read = true
	return cl
}

// failed makes the error of a call that was not made.
func (cl call) failed(kind error, detail string) *Error {
	return &Error{Op: cl.op, Kind: kind, action: cl.action, detail: detail}
}

// ended makes the error of a caller whose context ended.
func (cl call) ended(ctx context.Context) *Error {
	detail, cause := networkDetail(ctx.Err())
	return &Error{Op: cl.op, Kind: ErrUnavailable, action: cl.action, detail: detail, cause: cause}
}

// check refuses names that would make another path of the request.
func (cl call) check() error {
	for _, n := range cl.names {
		switch {
		case n == "" || n == "." || n == "..":
			return cl.failed(ErrInvalid, "a name is empty")
		case len(n) > maxName:
			return cl.failed(ErrInvalid, "a name is too long")
		case !utf8.ValidString(n) || strings.ContainsFunc(n, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return cl.failed(ErrInvalid, "a name holds characters that no name has")
		}
	}
	return nil
}

// do makes a call through the client library and translates its error. Reads are tried again, briefly, where the failure
// may have passed; nothing else is.
func do[T any](ctx context.Context, c *Client, cl call, fn func(context.Context) (T, error)) (T, error) {
	if err := cl.check(); err != nil {
		var none T
		return none, err
	}
	for attempt := 0; ; attempt++ {
		out, err := once(ctx, c, cl, fn)
		if err == nil {
			return out, nil
		}
		if !cl.read || attempt >= len(readPauses) || !repeatable(err) || sleep(ctx, readPauses[attempt]) != nil {
			return out, err
		}
	}
}

// repeatable tells whether a read that failed so may succeed a moment later. A deadline that passed is not waited for again.
func repeatable(err *Error) bool {
	return errors.Is(err.Kind, ErrUnavailable) && err.cause == nil && (err.Status < 300 || err.Status >= 500)
}

func once[T any](ctx context.Context, c *Client, cl call, fn func(context.Context) (T, error)) (out T, failure *Error) {
	info := &callInfo{op: cl.op}
	defer func() {
		// The client library dereferences what an answer should have held.
		if recover() != nil {
			failure = cl.failed(ErrUnavailable, "cannot read Aiven's answer")
		}
	}()
	out, err := fn(withCallInfo(ctx, info))
	if err == nil {
		c.token.permitted(cl, SeenYes)
		return out, nil
	}
	failure = newError(cl, info, err, c.scrub)
	if errors.Is(failure, ErrForbidden) {
		c.token.permitted(cl, SeenNo)
	}
	return out, failure
}
