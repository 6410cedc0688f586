package rollout

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Spec is the input of one shift: routes, desired and prior state, and settings.
type Spec struct {
	Router traffic.Router // for everything but a rollback
	// RollbackRouter is the router for rollbacks. It has a retry budget of its own,
	// which earlier calls cannot use up. Nil: Router.
	RollbackRouter traffic.Router

	ID     string // of this shift, for gates and events
	Routes []Route
	// Owners are the environments that the groups belong to.
	Owners traffic.Owners
	// Limits is what Router can express.
	Limits traffic.Limits

	// Request is the input of the decision. Run sets its Routes and unmanaged
	// Environments from what it reads.
	Request shift.Request
	// Stable is the weights of the last completed shift. Nil on a Create, whose
	// rollback target is the exact observed state.
	Stable shift.Weights

	// Record is how this shift keeps its record, and what is known of earlier ones.
	Record RecordSpec

	// PollRoutes reports that the shift leaves no record in which it finds that somebody rolls it
	// back, so that it reads the routes instead while it waits.
	PollRoutes bool

	Gates  []NamedGate
	Health HealthSettings
	Sticky *time.Duration // desired group stickiness, 0 is off; nil: unchanged

	// RollbackTimeout is how long a rollback is retried, whatever the router answers. 0:
	// DefaultRollbackTimeout.
	RollbackTimeout time.Duration
	StopOnFailure   bool // stop in place instead of rolling back
	StopOnInterrupt bool // the same for an interrupt
	// WarnOnSourceUnhealthy keeps the steps where the giving side has no registered target,
	// instead of going to 100 % at once.
	WarnOnSourceUnhealthy bool

	// CredentialsLast returns an error if the credentials expire within d. Nil: their
	// expiry is not known.
	CredentialsLast func(ctx context.Context, d time.Duration) error
	// StartGuardian starts a process that takes the shift over if this one dies; it does not wait
	// for it. Nil: none is started.
	StartGuardian func(ctx context.Context, shift string) Guardian
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// Route is a route of the switch.
type Route struct {
	traffic.Route
	// Planned is the state that the plan is based on; nil where the plan had none (a
	// Create, or a route that joins with this shift).
	Planned *traffic.State
	// Missing reports whether the last refresh got ErrNotFound for the route.
	Missing bool
	// Origin is the rollback target of this route; nil: Spec.Stable.
	Origin shift.Weights
	// Batch is what routes have in common that one call changes; empty: each takes a call of its own.
	Batch string
	// Connections reports whether the weights apply to new connections, and open ones stay.
	Connections bool

	unserved bool // it joins, and none of its groups has a healthy target
}

// HealthSettings is the health required of groups that gain traffic.
type HealthSettings struct {
	CapacityPercent   float64       // required healthy targets in percent of the share's current ones; 0 to 100
	MinHealthyPercent float64       // healthy targets in percent of healthy and unhealthy ones; 1 to 100
	MinHealthyTargets int           // at least 1
	SteadyFor         time.Duration // before the first step: how long no target joins, leaves or is initial
	BreachFor         time.Duration // how long degraded health is tolerated at a step
	Timeout           time.Duration // how long to wait for health before a step
}

// DefaultRollbackTimeout is Spec.RollbackTimeout if that is 0: how long a rollback is
// retried. Users are on a bad version meanwhile, so nothing but time ends it.
const DefaultRollbackTimeout = 10 * time.Minute

const (
	// rollbackDuration is how long a rollback takes where the API answers, with retries,
	// and so how much longer than a hold the credentials must last.
	rollbackDuration = time.Minute
	// revertTimeout limits the writes of a revert, and cleanUpTimeout those that attach and
	// detach at the end. An interrupt ends neither, so they are short.
	revertTimeout, cleanUpTimeout = time.Minute, time.Minute
)

// rollbackTimeout returns how long a rollback is retried.
func (s Spec) rollbackTimeout() time.Duration {
	if s.RollbackTimeout > 0 {
		return s.RollbackTimeout
	}
	return DefaultRollbackTimeout
}
