package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Router reads and writes the weights of routes. A route sends requests to groups by
// weight (for ELB a listener's default action or a rule). Routes and groups are
// identified by strings of the router. All methods are safe for concurrent use.
type Router interface {
	// Read returns the current state of each route, in the order of routes, uncached.
	// If one of them cannot be read, it returns only an error, which wraps ErrNotFound,
	// ErrDenied, ErrExpired or ErrThrottled where one of these applies.
	Read(ctx context.Context, routes []string) ([]RouteState, error)

	// Write sets the state of a route with one call. desired.Raw must come from a Read
	// of the same route, so that everything beside the weights is preserved. Success
	// means that the write was accepted; only Read shows whether it took effect.
	Write(ctx context.Context, route string, desired RouteState) error

	// Health returns the health of each group by id. It returns ErrNotFound if one of
	// them does not exist.
	Health(ctx context.Context, groups []string) (map[string]Health, error)
}

// Errors of a router that decide what happens next. Implementations wrap them together
// with the cause.
var (
	ErrNotFound  = errors.New("not found")
	ErrDenied    = errors.New("access denied")
	ErrExpired   = errors.New("credentials expired")
	ErrThrottled = errors.New("throttled")
)

// RouteState is the forwarding behavior of one route.
type RouteState struct {
	// Weights by group id, including groups at weight 0. Nil where the route does not
	// forward. A single group has weight 1 where the router reports none.
	Weights map[string]int
	// Stickiness is the duration of group stickiness; 0 is off.
	Stickiness time.Duration
	// Response describes a route that does not forward, such as "fixed response 503"
	// or "redirect 301". Empty where it forwards.
	Response string
	// FixedError reports whether the response is a fixed 5xx, which a Create may
	// replace.
	FixedError bool
	// Label names the route for people, such as "listener :443" or "rule 10 (host
	// app.example.com)"; empty where the router has no such name. It is not compared.
	Label string
	// Raw is the state in the router's own form, from which Write preserves the rest
	// of the route. A state with a Response is written from Raw only.
	Raw any
}

// Equal reports whether two states are the same to a load balancer: the same groups,
// also at weight 0, the same shares to a tenth of a percent, stickiness and response.
func (s RouteState) Equal(other RouteState) bool {
	if s.Response != other.Response || s.Stickiness != other.Stickiness || len(s.Weights) != len(other.Weights) {
		return false
	}
	for group := range s.Weights {
		if _, attached := other.Weights[group]; !attached {
			return false
		}
	}
	return shift.FromRaw(s.Weights).Equal(shift.FromRaw(other.Weights))
}

// EqualTraffic reports whether both send the same shares to the same groups. It ignores
// groups at weight 0 and stickiness.
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

// Groups returns the attached groups, sorted.
func (s RouteState) Groups() []string { return slices.Sorted(maps.Keys(s.Weights)) }

// Health is the health of the targets of a group, as the load balancer reports it.
type Health struct {
	Targets []Target
}

// Target is one target of a group.
type Target struct {
	ID     string // unique within the group, such as "i-0abc:8080" or "10.0.0.7:80"
	State  TargetState
	Reason string // the load balancer's reason code, empty when healthy
}

// TargetState is the state of a target, independent of the router.
type TargetState string

// The states of a target.
const (
	Healthy   TargetState = "healthy"
	Unhealthy TargetState = "unhealthy" // its health checks fail or cannot run
	Initial   TargetState = "initial"   // registered, not yet checked
	Draining  TargetState = "draining"  // deregistering; ignored
	Unused    TargetState = "unused"    // not checked: group not in use, or zone not enabled
	Unchecked TargetState = "unchecked" // health checks are disabled: counts as healthy
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

// Serving returns how many targets are healthy or unchecked.
func (h Health) Serving() int { return h.Count(Healthy) + h.Count(Unchecked) }
