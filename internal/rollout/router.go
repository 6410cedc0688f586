package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Router reads and moves the weights of routes. A route is whatever sends
// requests to groups by weight (for ELB a listener's default action or a
// rule); both are known by an id of the router's own. Every method may be
// called from several goroutines.
type Router interface {
	// Read returns what each route does now, in the order asked, fresh from the
	// balancer and never remembered. It fails whole: with ErrNotFound,
	// ErrDenied, ErrExpired or ErrThrottled where it is one of these.
	Read(ctx context.Context, routes []string) ([]RouteState, error)

	// Write makes a route do what is wanted with one call. want.Keep is that of
	// the Setting last read from this route, so that everything else that the
	// route does stays. That the call returns says nothing about what the
	// balancer does now: Read does.
	Write(ctx context.Context, route string, want RouteState) error

	// Health returns the targets of each group by its id. A group that does not
	// exist is ErrNotFound.
	Health(ctx context.Context, groups []string) (map[string]Health, error)
}

// Errors of a router that decide what is done next. Implementations wrap them
// together with the cause.
var (
	ErrNotFound  = errors.New("not found")
	ErrDenied    = errors.New("access denied")
	ErrExpired   = errors.New("credentials expired")
	ErrThrottled = errors.New("throttled")
)

// RouteState is what one route does with a request in the end.
type RouteState struct {
	// Weights by group id, groups with weight 0 included. Nil where the route
	// does not forward. A lone group has weight 1 where the router shows none.
	Weights map[string]int
	// Stickiness is for how long a client stays with its group; 0 is off.
	Stickiness time.Duration
	// Response says what a route that does not forward does: "fixed response 503",
	// "redirect 301". Empty where it forwards.
	Response string
	// FixedError is true for an answer that says that nothing is served here (a fixed
	// 5xx), which a Create may take over.
	FixedError bool
	// Label names the route for people, such as "listener :443" or "rule 10 (host
	// app.example.com)"; empty where the router has no such name. It is not compared.
	Label string
	// Raw is the router's own: what was read, kept as it is by a Write. A
	// Setting with an Answer is written back from it alone.
	Raw any
}

// Equal compares as a balancer does: the shares count, to a tenth of a percent,
// not the numbers that say them nor their order; groups with weight 0 count as
// named.
func (s RouteState) Equal(other RouteState) bool {
	if s.Response != other.Response || s.Stickiness != other.Stickiness || len(s.Weights) != len(other.Weights) {
		return false
	}
	for group := range s.Weights {
		if _, named := other.Weights[group]; !named {
			return false
		}
	}
	return shift.FromRaw(s.Weights).Equal(shift.FromRaw(other.Weights))
}

// EqualTraffic compares only who gets requests: not who is named with weight 0,
// nor stickiness.
func (s RouteState) EqualTraffic(other RouteState) bool {
	return s.trafficOnly().Equal(other.trafficOnly())
}

func (s RouteState) trafficOnly() RouteState {
	only := RouteState{Response: s.Response}
	for group, n := range s.Weights {
		if n > 0 {
			if only.Weights == nil {
				only.Weights = map[string]int{}
			}
			only.Weights[group] = n
		}
	}
	return only
}

// Groups returns the named groups, sorted.
func (s RouteState) Groups() []string { return slices.Sorted(maps.Keys(s.Weights)) }

// Health is what a balancer knows of the targets of a group.
type Health struct {
	Targets []Target
}

// Target is one target of a group.
type Target struct {
	ID     string // unique within the group, such as "i-0abc:8080" or "10.0.0.7:80"
	State  TargetState
	Reason string // the balancer's own word for it, empty when healthy
}

// TargetState is how a target counts, whatever a balancer calls it.
type TargetState string

// The states of a target.
const (
	Healthy   TargetState = "healthy"
	Unhealthy TargetState = "unhealthy" // fails its checks, or they broke
	Initial   TargetState = "initial"   // registered, not judged yet
	Draining  TargetState = "draining"  // leaves; counts for nothing
	Unused    TargetState = "unused"    // no check: group not in use, or zone not enabled
	Unchecked TargetState = "unchecked" // health checks are switched off: serves
)

// Count returns how many targets are in the state.
func (h Health) Count(state TargetState) int {
	n := 0
	for _, t := range h.Targets {
		if t.State == state {
			n++
		}
	}
	return n
}

// Serving is how many targets take requests with the balancer's blessing.
func (h Health) Serving() int { return h.Count(Healthy) + h.Count(Unchecked) }
