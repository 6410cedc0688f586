package rollout

import (
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Result is what a shift left behind. It is true after an error as well: what
// was read last, never what was planned.
type Result struct {
	Kind   shift.Kind
	Routes []RouteResult // in the order of the Spec
	// From is what the routes gave on the whole when the shift began.
	From shift.Weights
	// Reached is what the routes had on average when the shift failed, before any
	// rollback; nil where no route was read.
	Reached shift.Weights
	// Moved is true once this run told a route to change who gets traffic.
	Moved bool
	// Warnings are things worth knowing that changed nothing: dry-run gates that
	// failed, health checks that are switched off.
	Warnings []string
}

// RouteResult is where one route stands.
type RouteResult struct {
	Route
	State   RouteState    // as read last
	Weights shift.Weights // the same by environment; strangers by their group id
	Read    bool          // false: it could not be read, Setting is what was read before, if ever
}

// Cause is why a shift ended without reaching its goal.
type Cause string

// The causes.
const (
	BlockedByGate     Cause = "gate kept it from beginning" // before anything was written
	GateFailed        Cause = "gate failed"
	GateErrored       Cause = "gate could not measure"
	GateInconclusive  Cause = "gate stayed inconclusive"
	HealthFailed      Cause = "health broke"         // after the first weight
	NotHealthy        Cause = "never became healthy" // before a step, within the timeout
	Interrupted       Cause = "interrupted"
	ExternalChange    Cause = "changed by someone else"
	NotForwarding     Cause = "does not forward" // a redirect, or a fixed response that is no one's to take
	RouterFailed      Cause = "the balancer did not do it"
	CredentialsExpire Cause = "credentials would end"
	VersionRejected   Cause = "rejected version"
	MovedExternally   Cause = "moved back by hand"
	TimedOut          Cause = "took longer than scheduled"
	TooManyGroups     Cause = "too many groups"
)

// Disposition says what was done about the traffic after the cause.
type Disposition string

// What was done.
const (
	Unchanged         Disposition = "unmoved"      // no traffic had been moved, so there was nothing to go back from
	RolledBack        Disposition = "restored"     // every route is read back as it was before
	Stopped           Disposition = "stayed"       // it stopped where it was, as told, or all but tidied at the goal
	RollbackFailed    Disposition = "not restored" // a way back was tried and did not come through everywhere
	RollbackUnhealthy Disposition = "cannot serve" // no way back: the old side has no healthy target and the new one has
	LeftToOthers      Disposition = "untouched"    // someone else is in charge, nothing more was written
)

// Failure is the error of Run. Its text is for logs; the words for a user are
// the provider's.
type Failure struct {
	Cause       Cause
	Disposition Disposition
	Stage       string // where in the shift: "step 2 of 3 (50 %)", "the bake"
	Gate        string // with a gate's cause
	Detail      string // what was seen: a verdict, health by reason, what a route does
	Route       string // the route it is about, where it is one
	Err         error  // the cause from below, if any
	RollbackErr error  // why a way back did not come through
	// Rejects is true where a gate or health sent the version back, or a foreign
	// hand did: it does not go out again by itself.
	Rejects bool

	stops bool // the user said that this cause stops the shift where it is
}

// Error implements error.
func (f *Failure) Error() string {
	text := string(f.Cause)
	if f.Stage != "" {
		text += " at " + f.Stage
	}
	if f.Disposition != "" {
		text += "; " + string(f.Disposition)
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap gives the causes to errors.Is and errors.As.
func (f *Failure) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.Err, f.RollbackErr} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
