package provider

import (
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// outcome is how a shift ended, in last_shift.outcome.
type outcome string

// The outcomes.
const (
	Completed      outcome = "completed"      // the traffic is where it was wanted
	RolledBack     outcome = "rolled back"    // something was wrong; it is back
	Interrupted    outcome = "interrupted"    // Ctrl-C or SIGTERM
	Stopped        outcome = "stopped"        // something was wrong; it stayed
	ExternalChange outcome = "foreign change" // someone else moved it
	Failed         outcome = "failed"         // anything else
)

// outcomes are all of them with what they mean, for the documentation.
func outcomes() [][2]string {
	return [][2]string{
		{string(Completed), "the traffic is where it was wanted"},
		{string(RolledBack), "something was wrong, and the traffic is back at `stable`"},
		{string(Interrupted), "the apply was interrupted; `reason` says where the traffic was left"},
		{string(Stopped), "something was wrong, and the traffic stays where it was"},
		{string(ExternalChange), "someone else moved the traffic, and nothing more was done"},
		{string(Failed), "it could not be carried out"},
	}
}

func outcomeDescription() string {
	var parts []string
	for _, o := range outcomes() {
		parts = append(parts, "`"+o[0]+"` ("+o[1]+")")
	}
	return strings.Join(parts, ", ") + "."
}

func outcomeOf(f *rollout.Failure) outcome {
	switch {
	case f.Cause == rollout.Interrupted:
		return Interrupted
	case f.Cause == rollout.ExternalChange:
		return ExternalChange
	case f.Disposition == rollout.RolledBack:
		return RolledBack
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.RollbackUnhealthy:
		return Stopped
	default:
		return Failed
	}
}

// reasonOf words a failure for last_shift and rejected.
func reasonOf(f *rollout.Failure) string {
	if f.Cause == rollout.MovedExternally {
		return movedExternally
	}
	text := string(f.Cause)
	if f.Gate != "" {
		text = fmt.Sprintf("gate %q: %s", f.Gate, strings.TrimPrefix(text, "gate "))
	}
	if f.Stage != "" {
		text += " at " + f.Stage
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	if f.Gate != "" && f.Err != nil {
		text += ": " + f.Err.Error()
	}
	if f.Disposition == rollout.Stopped || f.Disposition == rollout.RollbackFailed || f.Disposition == rollout.RollbackUnhealthy {
		text += " (" + string(f.Disposition) + ")"
	}
	return text
}
