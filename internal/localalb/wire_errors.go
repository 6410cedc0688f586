package localalb

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// apiError is an error response of the API.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// badRequest returns a client error with an error code, which the SDKs map to an error type.
func badRequest(code, format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// validationError returns the error for a parameter that is invalid in any state of the server.
func validationError(format string, args ...any) error {
	return badRequest("ValidationError", format, args...)
}

// missingParameter returns the validation error for a required parameter.
func missingParameter(name string) error {
	return validationError("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
}

// checkEnum returns an error if a value is neither empty nor one of allowed.
func checkEnum(name, got string, allowed ...string) error {
	if got == "" || slices.Contains(allowed, got) {
		return nil
	}
	return validationError("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		got, name, strings.Join(allowed, ", "))
}

// fault says whose fault the error is in the terms of the Query API.
func (e *apiError) fault() string {
	if e.status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// asAPIError converts any error to an API error. An error of another type becomes a 500.
func asAPIError(err error) *apiError {
	if known, ok := errors.AsType[*apiError](err); ok {
		return known
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalFailure", message: err.Error()}
}
