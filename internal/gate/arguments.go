package gate

import (
	"errors"
	"fmt"
	"net/url"
)

// Lookup finds a variable of the environment, as os.LookupEnv does. Only the
// provider reads the environment; it hands this to whoever needs a variable.
type Lookup func(name string) (value string, ok bool)

// secret reads a variable that holds one. It is ErrUnset where the variable is
// not set or empty: a request without its password would measure something else.
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
	ErrInvalid = errors.New("it is not valid")
)

// ArgumentError says which argument of a gate is wrong. It holds no value of a
// header.
type ArgumentError struct {
	Argument string // as the user writes it, such as "expect_body"
	Key      string // the key within it where it is a map, such as a header's name
	Err      error  // wraps one of the errors of arguments
}

// Error implements error.
func (e *ArgumentError) Error() string {
	if e.Key != "" {
		return fmt.Sprintf("%s[%q]: %v", e.Argument, e.Key, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Argument, e.Err)
}

// Unwrap gives the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

func invalid(argument, format string, args ...any) *ArgumentError {
	return &ArgumentError{Argument: argument, Err: fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))}
}

// checkURL wants an absolute URL of http or https.
func checkURL(argument, text string) []*ArgumentError {
	if text == "" {
		return []*ArgumentError{{Argument: argument, Err: ErrMissing}}
	}
	u, err := url.Parse(text)
	if err != nil {
		// The text may hold a password or a token: only the reason is told.
		var broken *url.Error
		if errors.As(err, &broken) {
			err = broken.Err
		}
		return []*ArgumentError{invalid(argument, "%w", err)}
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return []*ArgumentError{invalid(argument, "it must begin with http:// or https:// and a host")}
	}
	return nil
}
