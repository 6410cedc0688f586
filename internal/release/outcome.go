package release

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Outcome is how a shift ended, in last_shift.outcome.
type Outcome string

// The outcomes.
const (
	Completed      Outcome = "completed"
	RolledBack     Outcome = "rolled_back"
	Interrupted    Outcome = "interrupted"
	Stopped        Outcome = "stopped"
	ExternalChange Outcome = "external_change"
	Failed         Outcome = "failed"
)

// OutcomeOf returns how a shift with a failure ended.
func OutcomeOf(f *rollout.Failure) Outcome {
	switch {
	case f.Cause == rollout.Interrupted:
		return Interrupted
	case f.Cause == rollout.RolledBackByUser && f.Disposition == rollout.NotOverridden:
		return ExternalChange // the user sent the traffic elsewhere
	case f.Cause == rollout.ExternalChange || f.Disposition == rollout.NotOverridden && f.Change != "":
		return ExternalChange
	case f.Disposition == rollout.RolledBack:
		return RolledBack
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.RollbackUnhealthy:
		return Stopped
	default:
		return Failed
	}
}

// movedExternally is the reason of a rejection by somebody who moved the traffic
// back.
const movedExternally = "traffic was moved back outside Terraform"

// causeTexts are the causes for people, in last_shift.reason and
// rejected.reason. Those of a gate follow the gate's name.
var causeTexts = map[rollout.Cause]string{
	rollout.BlockedByGate:     "prevented the shift from starting",
	rollout.GateFailed:        "failed",
	rollout.GateErrored:       "could not measure",
	rollout.GateInconclusive:  "stayed inconclusive",
	rollout.HealthFailed:      "target health degraded",
	rollout.NotHealthy:        "targets did not become healthy",
	rollout.HealthUnreadable:  "target health could not be read",
	rollout.TooFewTargets:     "too few targets",
	rollout.Interrupted:       "interrupted",
	rollout.Aborted:           "aborted",
	rollout.AbortRequested:    "aborted",
	rollout.RolledBackByUser:  "rolled back by a user",
	rollout.ExternalChange:    "external change",
	rollout.NotForwarding:     "a route does not forward to backends",
	rollout.RouterFailed:      "a route could not be changed or read",
	rollout.CredentialsExpire: "the credentials would expire",
	rollout.VersionRejected:   "the version is rejected",
	rollout.MovedExternally:   movedExternally,
	rollout.TimedOut:          "timed out",
	rollout.TooManyGroups:     "too many groups on one route",
	rollout.HoldTooShort:      "a hold is shorter than the TTL",
	rollout.RouteMissing:      "a route does not exist",
	rollout.GroupMissing:      "a backend of a route does not exist",
	rollout.OtherSwitch:       "another switch abandoned a shift on a route",
	rollout.Locked:            "another apply is shifting a route",
	rollout.LeaseLost:         "another apply took the routes over",
	rollout.RecordFailed:      "the record of the shift could not be written or read",
}

// Reason is a failure in words, for last_shift and rejected.
func Reason(f *rollout.Failure) string {
	text := causeTexts[f.Cause]
	if f.Cause == rollout.MovedExternally {
		return text
	}
	if f.Cause == rollout.RolledBackByUser && f.Detail != "" { // as in the record
		return f.Detail + doneText(f)
	}
	if f.Symptom != "" { // the gate and the detail are its
		seen := *f
		seen.Cause, seen.Symptom, seen.Disposition = f.Symptom, "", ""
		return fmt.Sprintf("%s (%s)%s", text, Reason(&seen), doneText(f))
	}
	if f.Gate != "" {
		text = fmt.Sprintf("gate %q %s", f.Gate, text)
	}
	if f.Stage != "" {
		text += " at " + f.Stage
	}
	switch {
	case f.Detail != "" && f.Cause == rollout.AbortRequested: // by whom, and why
		text += " " + f.Detail
	case f.Detail != "":
		text += ": " + f.Detail
	}
	if f.Gate != "" && f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text + doneText(f)
}

// doneText is what was done about the traffic, in parentheses; empty where that needs no
// word.
func doneText(f *rollout.Failure) string {
	switch {
	case f.Disposition == rollout.Stopped:
		return " (the weights were left as they are)"
	case f.Disposition == rollout.RollbackFailed:
		return " (the rollback failed)"
	case f.Disposition == rollout.RollbackUnhealthy:
		return " (not rolled back: no healthy targets there)"
	case f.Disposition == rollout.NotOverridden && f.Change != "":
		return " (not rolled back: the traffic was changed outside Terraform)"
	case f.Disposition == rollout.NoRouteLeft:
		return " (no route exists)"
	}
	return ""
}
