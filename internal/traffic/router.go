// Package traffic has the nouns and ports that the engine and the routers share: what a
// route does (State), the health of its groups, which environment a group belongs to
// (Owners), what a router can express (Limits), and the Router itself with its errors.
package traffic

import (
	"context"
	"errors"
)

// Router reads and writes the weights of routes. A route sends requests to groups by
// weight (for ELB a listener's default action or a rule). Routes and groups are
// identified by strings of the router. All methods are safe for concurrent use.
type Router interface {
	// Read returns the current state of each route, in the order of routes, uncached.
	// If one of them cannot be read, it returns only an error, which wraps ErrNotFound,
	// ErrDenied, ErrExpired, ErrThrottled or ErrIncomplete where one of these applies. A route
	// that an answer leaves out is ErrIncomplete: ErrNotFound needs the service's own word.
	Read(ctx context.Context, routes []string) ([]State, error)

	// Write sets the state of a route with one call. desired.Raw must come from a Read
	// of the same route, so that everything beside the weights is preserved; one Raw serves
	// several writes, because a rollback may not be able to read again. Success
	// means that the write was accepted; only Read shows whether it took effect.
	Write(ctx context.Context, route string, desired State) error

	// Health returns the health of each group by id. It returns ErrNotFound if one of
	// them does not exist.
	Health(ctx context.Context, groups []string) (map[string]Health, error)
}

// Propagator is a router whose writes take effect later than its reads show them.
type Propagator interface {
	// InSync reports whether the last writes of this process to the routes have taken effect
	// everywhere. It returns the errors of Router.
	InSync(ctx context.Context, routes []string) (bool, error)
}

// Fencer is a router that can make a write fail that is executed late: one without an answer, of this
// process or of one that died. Such a write is conditional on what it replaces.
type Fencer interface {
	// Fence is to be called before Write sets desired on a route that had the states before. It reports
	// whether a write that was to replace one of them, or what the route has now, fails once that Write
	// was accepted, even where the route has desired already. If before is nil, it is not known what such a
	// write was to replace, and it may succeed by a chance of less than 1 in 50.
	Fence(route string, desired State, before []State) bool
}

// Errors of a router that decide what happens next. Implementations wrap them together
// with the cause.
var (
	ErrNotFound  = errors.New("not found")
	ErrDenied    = errors.New("access denied")
	ErrExpired   = errors.New("credentials expired")
	ErrThrottled = errors.New("throttled")
	// ErrIncomplete says that an answer left out what was asked for. It is not known whether
	// that exists: a retry may find it.
	ErrIncomplete = errors.New("incomplete answer")
	// ErrUnanswered says that a write had no answer, or one that does not show whether it was executed:
	// it may have been, or may still be. The router has not repeated it.
	ErrUnanswered = errors.New("no answer")
)

// MissingError is the ErrNotFound of one route or group.
type MissingError struct{ ID string }

// Error implements error.
func (e *MissingError) Error() string { return e.ID + ": " + ErrNotFound.Error() }

// Unwrap returns ErrNotFound.
func (e *MissingError) Unwrap() error { return ErrNotFound }

// Missing returns the route or group that an error says does not exist.
func Missing(err error) (id string, ok bool) {
	missing, ok := errors.AsType[*MissingError](err)
	if !ok {
		return "", false
	}
	return missing.ID, true
}
