package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Result is the state that a shift left, also after an error. It is what was last
// read, never what was planned.
type Result struct {
	Kind   shift.Kind
	Routes []RouteResult // in the order of Spec.Routes
	// From is the mean weights of the routes when the shift started.
	From shift.Weights
	// Reached is the mean weights of the routes when the shift failed, before any
	// rollback; nil if no route was read.
	Reached shift.Weights
	// Moved reports whether this run wrote other traffic weights to a route.
	Moved bool
	// Rejected is the version that was refused, with a decision to refuse it. On a Create
	// only a record knows it.
	Rejected *shift.Rejection
	// Left is what an unfinished shift of this apply left: traffic that is neither where it
	// started nor at its goal, or may not be. Nil: nothing.
	Left *traffic.Left
	// Records are the shifts whose records may still be on the routes, and mean nothing once
	// this result is saved.
	Records []string
	// Warnings did not affect the shift: report-only gates that failed, tolerated
	// failures, disabled health checks.
	Warnings []string
}

// RouteResult is the state of one route.
type RouteResult struct {
	Route
	State   traffic.State // as last read
	Weights shift.Weights // of State, by environment; unmanaged groups by Spec.UnmanagedName
	Read    bool          // false: not read back after the last write, so State may be outdated
	Missing bool          // the service said that the route does not exist; State is from before
}

// Cause is why a shift did not complete.
type Cause string

// The causes.
const (
	BlockedByGate    Cause = "blocked_by_gate" // by its preflight, before any write
	GateFailed       Cause = "gate_failed"
	GateErrored      Cause = "gate_errored"
	GateInconclusive Cause = "gate_inconclusive"
	HealthFailed     Cause = "health_failed" // degraded while the environment had traffic
	NotHealthy       Cause = "not_healthy"   // did not become healthy within the timeout before a step
	// HealthUnreadable is that health was not read when it had to be known, or for too long.
	HealthUnreadable Cause = "health_unreadable"
	// TooFewTargets is that targets are missing, or not checked yet, rather than unhealthy: no
	// targets, or not enough capacity. Like unread health it says nothing about the version.
	TooFewTargets Cause = "too_few_targets"
	Interrupted   Cause = "interrupted"
	Aborted       Cause = "aborted" // somebody ended the guardian of the shift
	// AbortRequested is that somebody asked this run to roll the shift back; Detail is who, and why.
	AbortRequested Cause = "abort_requested"
	// RolledBackByUser is that somebody returns the traffic with a command, which marked the record
	// of the shift; Detail is the reason in the record.
	RolledBackByUser  Cause = "rolled_back_by_user"
	ExternalChange    Cause = "external_change" // since the plan, or during the shift
	NotForwarding     Cause = "not_forwarding"  // a redirect, or a fixed response that must not be replaced
	RouterFailed      Cause = "router_failed"
	RouteMissing      Cause = "route_missing"        // the service said that a route does not exist
	GroupMissing      Cause = "target_group_missing" // the same of a group
	CredentialsExpire Cause = "credentials_expire"   // before the next step and a rollback could finish
	VersionRejected   Cause = "version_rejected"
	MovedExternally   Cause = "moved_externally" // off the desired weights, before the plan
	TimedOut          Cause = "timed_out"        // exceeded Schedule.Longest, or the limit that Detail names
	TooManyGroups     Cause = "too_many_target_groups"
	HoldTooShort      Cause = "hold_too_short" // shorter than clients keep earlier answers
	OtherSwitch       Cause = "other_switch"   // which abandoned a shift on a route
	Locked            Cause = "locked"         // another apply is shifting a route
	LeaseLost         Cause = "lease_lost"     // another apply took the routes over
	RecordFailed      Cause = "record_failed"  // the record of the shift could not be written or read
)

// Disposition is what was done about the traffic after a failure.
type Disposition string

// The dispositions.
const (
	Unchanged         Disposition = "unchanged"                  // no traffic had been moved
	RolledBack        Disposition = "rolled_back"                // every route was read back at its rollback target
	Stopped           Disposition = "stopped"                    // left in place: as configured, or because the desired weights are reached
	RollbackFailed    Disposition = "rollback_failed"            // some route is not at its rollback target
	RollbackUnhealthy Disposition = "rollback_target_unhealthy"  // not rolled back: no healthy targets there, but at the current weights
	NotOverridden     Disposition = "left_after_external_change" // nothing more was written
	NoRouteLeft       Disposition = "no_route_left"              // none of the routes exists
)

// Failure is the error of Run. Its text is for logs; the provider writes the text for
// users.
type Failure struct {
	Cause       Cause
	Disposition Disposition
	Stage       string // such as "step 2 of 3 (50 %)" or "bake"
	Gate        string // with the cause of a gate
	Detail      string // the evidence: a gate's detail, target health, the state of a route
	Route       string // the id of the affected route, if it is a single one
	Group       string // the id of the group that does not exist, if it is known
	// Symptom is what ended the shift before a missing route was found to be the cause,
	// which may explain it; empty: the missing route itself.
	Symptom Cause
	// Change is an external change, found after the failure, because of which the traffic
	// was not rolled back; empty: none, or it is the cause.
	Change      string
	Err         error // the underlying error, if any
	RollbackErr error // why a rollback failed, or ErrUnconfirmed
	// Capacity reports, with TooFewTargets, that only HealthSettings.CapacityPercent requires more.
	Capacity bool
	// Rejects reports whether the version becomes rejected: a gate or health failed, or
	// somebody rolled the shift back, or returned all routes to their rollback targets during it.
	Rejects bool

	stops bool // the configuration says that this cause stops the shift in place
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
	if f.Symptom != "" {
		text += "; after " + string(f.Symptom)
	}
	if f.Change != "" {
		text += "; changed externally: " + f.Change
	}
	return text
}

// Unwrap returns Err and RollbackErr, without nils.
func (f *Failure) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.Err, f.RollbackErr} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// errScheduleExceeded is the cause of a context whose shift exceeded its schedule.
var errScheduleExceeded = errors.New("the longest duration of the schedule is exceeded")

// limitError is the cause of a context with a limit of its own, which an interrupt does
// not end.
type limitError struct {
	what  string // what did not happen in time
	limit time.Duration
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s within %s", e.what, schedule.FormatDuration(e.limit))
}

// failureOf converts the error of a call. If ctx has ended, the cause is the interrupt or
// the exceeded limit: the error is only a consequence.
func failureOf(ctx context.Context, route string, err error) *Failure {
	f := &Failure{Cause: RouterFailed, Route: route, Err: err}
	cause := context.Cause(ctx)
	limit, limited := errors.AsType[*limitError](cause)
	mark, marked := errors.AsType[*markError](cause)
	switch {
	case ctx.Err() == nil:
	case marked:
		f.Cause, f.Detail, f.Err = RolledBackByUser, mark.reason, nil // the error is only a consequence
	case limited:
		f.Cause, f.Detail = TimedOut, limit.Error()
	case errors.Is(cause, errScheduleExceeded):
		f.Cause = TimedOut
	case errors.Is(cause, ErrAborted):
		f.Cause = Aborted
	default:
		f.Cause = Interrupted
	}
	return f
}

// joinText joins two texts with a semicolon; an empty one is left out.
func joinText(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + "; " + b
	}
}

// errorText returns the text of an error, empty for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// sleep pauses for d, or until ctx ends and returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	ShiftStarted    EventKind = "shift_started"    // Text is the schedule's kind
	RouteRead       EventKind = "route_read"       // Route has Weights at the start
	WeightsWritten  EventKind = "weights_written"  // Weights were written to Route; Text is the error, if any
	WeightsVerified EventKind = "weights_verified" // Route was read back with Weights
	PhaseStarted    EventKind = "phase_started"    // Text is the phase; Step, if it writes the weights of one
	GateEvaluated   EventKind = "gate_evaluated"   // Gate returned Status; Text is its detail
	HealthDegraded  EventKind = "health_degraded"  // Text is the detail
	HealthRecovered EventKind = "health_recovered"
	HealthRead      EventKind = "health_read"      // Targets differ from those of the last such event; Text has them in words
	ShiftPaused     EventKind = "shift_paused"     // the hold is over, but Gate has been inconclusive for a while; Text is its detail
	SourceEmpty     EventKind = "source_empty"     // the giving side has no registered target; Text is the detail
	RequestAnswered EventKind = "request_answered" // somebody asked for something; Gate is that of an approval
	RollbackStarted EventKind = "rollback_started" // Text is the failure
	ShiftEnded      EventKind = "shift_ended"      // Text is "completed", or cause and disposition
)

// Event is something that happened in a shift. It never contains a secret.
type Event struct {
	At      time.Time
	Kind    EventKind
	Route   string
	Weights shift.Weights
	Gate    string
	Status  Status
	Text    string
	// Step is the number of the step whose weights the phase writes, from 1, and Steps that of the
	// one at 100 %. 0: it writes none. If another phase follows, they were read back.
	Step, Steps int

	// Took is how long the call took, with GateEvaluated and WeightsWritten.
	Took time.Duration
	// Measured are the numbers of a verdict, with GateEvaluated. Nil: the gate has none.
	Measured []Measurement
	Targets  []GroupTargets // with HealthRead
	// Failure is why the shift does not complete, with RollbackStarted and ShiftEnded. It must not
	// be retained, because it changes. Nil: the shift completed, or another process takes it over.
	Failure *Failure
}

// GroupTargets counts the targets of what gets traffic, or of what gives it.
type GroupTargets struct {
	Entry       string
	Environment string // several with commas, where they are counted together
	Gains       bool   // its health is required, because it gets traffic
	Healthy     int    // or unchecked
	Unhealthy   int    // or of unknown health
	Initial     int
	Draining    int
	Unused      int
}

// reporter emits the events of a shift and collects its warnings. Only the goroutine of
// Run or CheckReadiness uses it.
type reporter struct {
	onEvent  func(Event) // nil: nobody listens
	warnings []string
}

func (r *reporter) emit(e Event) { emit(r.onEvent, e) }

func (r *reporter) phase(name string) { r.emit(Event{Kind: PhaseStarted, Text: name}) }

// step emits the phase that writes the weights of a step.
func (r *reporter) step(p path, at shift.Share) {
	r.emit(Event{Kind: PhaseStarted, Text: "shift to " + at.String(), Step: p.number(at), Steps: p.last()})
}

// evaluated emits a verdict.
func (r *reporter) evaluated(a gateAnswer) {
	v := a.verdict
	r.emit(Event{Kind: GateEvaluated, Gate: a.gate.Name, Status: v.Status, Text: joinText(v.Detail, errorText(v.Err)), Took: a.took, Measured: v.Measured})
}

// warn adds a warning unless it is there already.
func (r *reporter) warn(text string) {
	if !slices.Contains(r.warnings, text) {
		r.warnings = append(r.warnings, text)
	}
}

// emit passes an event with the current time to onEvent, which may be nil.
func emit(onEvent func(Event), e Event) {
	if onEvent != nil {
		e.At = time.Now()
		onEvent(e)
	}
}
