// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"fmt"
	"net/http"
)

// apiError is an answer that says that a request had no effect.
type apiError struct {
	status  int
	message string
	code    string // error_code; "" leaves it out
	retry   string // Retry-After; "" leaves it out
}

type wireError struct {
	Status    int    `json:"status"`
	Message   string `json:"message"`
	ErrorCode string `json:"error_code,omitempty"`
	MoreInfo  string `json:"more_info,omitempty"`
}

type wireErrors struct {
	Message string      `json:"message"`
	Errors  []wireError `json:"errors"`
}

func (e *apiError) body() []byte {
	return mustJSON(wireErrors{
		Message: e.message,
		Errors:  []wireError{{Status: e.status, Message: e.message, ErrorCode: e.code}},
	})
}

const (
	keyMessage = "message"

	messageUnavailable = "An error occurred. Please try again later."
	messageNoRenewal   = "No certificate renewal is pending"
)

var (
	errMissingToken = &apiError{status: http.StatusUnauthorized, message: "Missing (expired) db token"}
	errInvalidToken = &apiError{status: http.StatusUnauthorized, message: "Invalid token"}
	errForbidden    = &apiError{status: http.StatusForbidden, message: "Authentication failed", code: "authentication_failed"}
	errNotMember    = &apiError{status: http.StatusForbidden, message: "Not a project member"}
	errNoRoute      = &apiError{status: http.StatusNotFound, message: "Not found"}
	errNoProject    = &apiError{status: http.StatusNotFound, message: "Project does not exist", code: "project_not_found"}
	errNoUser       = &apiError{status: http.StatusNotFound, message: "Service user does not exist"}
	errNoACLEntry   = &apiError{status: http.StatusNotFound, message: "ACL entry does not exist"}
	errIdenticalACL = &apiError{status: http.StatusConflict, message: "Identical ACL entry already exists"}
	errNotPowered   = &apiError{status: http.StatusConflict, message: "Database not powered on", code: "not_powered"}
	errWrongType    = invalidInput("operation is not supported by this type of service")
)

func errNoService(name string) *apiError {
	return &apiError{status: http.StatusNotFound, message: fmt.Sprintf("Service '%s' does not exist", name)}
}

func errUserExists(name string) *apiError {
	return &apiError{status: http.StatusConflict, message: fmt.Sprintf("Service user '%s' already exists", name)}
}

func errUserBuiltIn(name string) *apiError {
	return &apiError{
		status:  http.StatusForbidden,
		message: fmt.Sprintf("Service user '%s' is a built-in user and cannot be deleted", name),
	}
}

func errUserQuota(status int, name string) *apiError {
	return &apiError{
		status:  status,
		message: fmt.Sprintf("Service user '%s' cannot be created, maximum number of users for this plan exceeded", name),
	}
}

func errRateLimit(limit, seconds int) *apiError {
	return &apiError{status: http.StatusTooManyRequests, message: rateLimitMessage(limit, seconds)}
}

func rateLimitMessage(limit, seconds int) string {
	return fmt.Sprintf("The user has sent too many requests in a given amount of time: "+
		"Rate limit %d exceeded - try again in %ds", limit, seconds)
}

func invalidInput(format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, message: "Invalid input: " + fmt.Sprintf(format, args...)}
}
