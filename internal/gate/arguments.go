package gate

import (
	"errors"
	"fmt"
	"net/url"
)

// Lookup returns an environment variable, as os.LookupEnv does. Only the provider
// reads the environment; it passes a Lookup to code that needs a variable.
type Lookup func(name string) (value string, ok bool)

// secret reads a variable that holds a secret. It returns ErrUnset if the variable
// is not set or empty: a request without its password would measure something else.
func (l Lookup) secret(name string) (string, error) {
	text, ok := l(name)
	if !ok || text == "" {
		return "", fmt.Errorf("%w: %s", ErrUnset, name)
	}
	return text, nil
}

// Errors of arguments.
var (
	ErrUnset   = errors.New("the environment variable is not set")
	ErrMissing = errors.New("it is required")
	ErrInvalid = errors.New("invalid value")
)

// ArgumentError reports which argument of a gate is wrong. It never contains the
// value of a header.
type ArgumentError struct {
	Argument string // as written in the configuration, such as "expect_body"
	Key      string // for a map, the key within it, such as a header name
	Err      error  // wraps ErrUnset, ErrMissing or ErrInvalid
}

// Error implements error.
func (e *ArgumentError) Error() string {
	if e.Key != "" {
		return fmt.Sprintf("%s[%q]: %v", e.Argument, e.Key, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Argument, e.Err)
}

// Unwrap returns the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

func invalid(argument, format string, args ...any) *ArgumentError {
	return &ArgumentError{Argument: argument, Err: fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))}
}

// checkURL reports whether text is an absolute http or https URL.
func checkURL(argument, text string) []*ArgumentError {
	if text == "" {
		return []*ArgumentError{{Argument: argument, Err: ErrMissing}}
	}
	u, err := url.Parse(text)
	if err != nil {
		// The text may hold a password or a token: report only the reason.
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return []*ArgumentError{invalid(argument, "%w", err)}
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return []*ArgumentError{invalid(argument, "it must start with http:// or https:// and a host")}
	}
	return nil
}
