package rollout

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Spec is one shift: what is wanted on which routes, what the plan saw, and
// how to go about it.
type Spec struct {
	Router Router // for everything forward
	// RollbackRouter is the same router for going back: with retries of its own, so that
	// what reading has used up is not missing when it counts. Nil: Router.
	RollbackRouter Router

	ID     string // of this shift, for gates and events
	Routes []Route
	// Groups of each environment by entry point. Environments that are leaving
	// are among them; a group that is in none is a stranger.
	Groups map[string]map[string]string

	// Request holds the wanted side; Run fills in its Routes from what it reads.
	Request shift.Request
	// Stable is what the last completed shift left; nil on a Create, which
	// goes back to exactly what it found.
	Stable shift.Weights
	// UnmanagedName words the id of a group that is in no environment; nil keeps
	// the id. Two groups of one route must not get the same name.
	UnmanagedName func(group string) string

	Gates  []NamedGate
	Health HealthSettings
	Sticky *time.Duration // wanted group stickiness; nil leaves it as it is

	StopOnFailure   bool // instead of going back
	StopOnInterrupt bool

	// CredentialsLast returns an error if the credentials will not be good for as long as
	// asked. Nil: nothing is known of their end.
	CredentialsLast func(ctx context.Context, d time.Duration) error
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// Route is a route of the switch.
type Route struct {
	ID    string // the router's, for ELB the ARN
	Entry string // the entry point it serves
	// Planned is what the plan rests on; nil where the plan could not know it (a
	// Create, or a route that joins with this shift).
	Planned *RouteState
	// Missing is true where the last refresh was told that the route does not exist.
	Missing bool
	// Origin is where a way back of this route leads; nil: Spec.Stable.
	Origin shift.Weights
}

// HealthSettings is what health asks of the groups that receive traffic.
type HealthSettings struct {
	CapacityPercent   float64       // of what their share needs; 0 to 100
	MinHealthyPercent float64       // healthy of healthy and unhealthy; 1 to 100
	MinHealthyTargets int           // at least 1
	SteadyFor         time.Duration // before the first weight: no change, none initial
	BreachFor         time.Duration // how long a breach must last afterwards
	Timeout           time.Duration // how long to wait for it before a step
}
