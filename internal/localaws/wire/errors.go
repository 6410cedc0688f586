package wire

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Error is an error response of the API.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// BadRequest returns a client error with an error code, which the SDKs map to an error type.
func BadRequest(code, format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

// ValidationError returns the error for a parameter that is invalid in any state of the server.
func ValidationError(format string, args ...any) error {
	return BadRequest("ValidationError", format, args...)
}

// MissingParameter returns the validation error for a required parameter.
func MissingParameter(name string) error {
	return ValidationError("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
}

// CheckEnum returns an error if a value is neither empty nor one of allowed.
func CheckEnum(name, got string, allowed ...string) error {
	if got == "" || slices.Contains(allowed, got) {
		return nil
	}
	return ValidationError("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		got, name, strings.Join(allowed, ", "))
}

// fault says whose fault the error is in the terms of the Query API.
func (e *Error) fault() string {
	if e.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// asError converts any error to an API error. An error of another type becomes a 500.
func asError(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: err.Error()}
}
