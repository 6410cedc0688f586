package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts about records of shifts, and about who moved the traffic.

// recordDetail is about a shift that its record prevented; false: another cause.
func recordDetail(w platform.Words, f *rollout.Failure) (input.Detail, bool) {
	switch f.Cause {
	case rollout.Locked:
		return input.Detail{
			Cause: fmt.Sprintf("Another apply is shifting a route: %s.", f.Detail),
			Action: "Wait until it ends, then plan and apply again. If its process has ended, apply again: " +
				"on the same machine at once, elsewhere after its lease of 3 minutes has expired. That apply takes the shift over.",
		}, true
	case rollout.LeaseLost:
		return input.Detail{
			Cause:  fmt.Sprintf("Another apply took the routes over: %s.", f.Detail),
			Action: "If it still runs, wait until it ends. Then plan and apply again. This apply was suspended for longer than its lease of 3 minutes, or its record was removed from the routes.",
		}, true
	case rollout.RecordFailed:
		return input.Detail{
			Cause:  "The record of the shift could not be written to the routes, or not read back.",
			Action: recordAction(w, f.Err),
			Facts:  input.CauseFact(f.Err),
		}, true
	case rollout.OtherSwitch:
		return input.Detail{
			Cause: fmt.Sprintf("Another switch abandoned a shift on a route of this one: %s.", f.Detail),
			Action: "Apply the configuration of that switch: it completes the shift or rolls it back. Without Terraform, bluegreen recover with --route and that route rolls it back. " +
				"If there is no such configuration any more, remove the " + w.Record.Remove + " of the route afterwards.",
		}, true
	default:
		return input.Detail{}, false
	}
}

// recordAction is what to do about a record that cannot be written.
func recordAction(w platform.Words, err error) string {
	const off = ` To shift without a record, set shift_record = "off" in the provider.`
	switch {
	case errors.Is(err, traffic.ErrRefusedRecord):
		return w.Record.Refused + " Then apply again." + off
	case errors.Is(err, traffic.ErrDenied) && w.Record.Denied != "":
		return w.Record.Denied + off
	}
	for _, p := range slices.Backward(platform.All()) {
		if d, ok := p.Detail(err); ok {
			return d.Action
		}
	}
	return "Apply again. If it fails again, " + w.Record.Lost + off
}

// recordsUnread warns that a plan does not know of unfinished shifts.
func recordsUnread(routes []traffic.Route, err error) diag.Diagnostic {
	d := callDetail(err)
	return diag.NewWarningDiagnostic("Cannot read the shift records of "+entryNames(routes),
		fmt.Sprintf("The plan does not show whether a shift was abandoned. The apply reads the records again, and moves no traffic without them, except for a rollback.\n\n%s %s%s",
			d.Cause, d.Action, input.FactLines(d.Facts)))
}

// movedExternallyDetail is about traffic that is no longer where the last completed shift
// left it. It has one step for each intent.
func (s advice) movedExternallyDetail(result rollout.Result) input.Detail {
	d := input.Detail{
		Cause: fmt.Sprintf("Traffic was moved off %s since the last completed shift, outside Terraform or by an apply that was killed before its state was saved. "+
			"This apply does not override that.", s.goalText()),
		Action: fmt.Sprintf("To shift back to %s at once, run the command below for each route. To shift back by steps, change retry and apply. %s", s.goalText(), managedElsewhereHint(s.platform().Words)),
	}
	if hasResponse(result) {
		return s.respondingDetail(result)
	}
	var edits []string
	for _, to := range s.movedTo(result) {
		edits = append(edits, s.editTo(to))
	}
	if len(edits) == 1 {
		d.Action = fmt.Sprintf("To accept the change, %s. %s", edits[0], d.Action)
	} else if len(edits) > 1 {
		d.Action = fmt.Sprintf("The routes were moved to different places, but a switch moves all of them together. To accept one of these changes for all routes, %s. %s", strings.Join(edits, ", or "), d.Action)
	}
	if hint := managedElsewhereHint(s.platform().Words); (resets{s}).isReset(result) {
		d.Action = s.platform().Words.ManagedHint() + " " + strings.TrimSuffix(d.Action, " "+hint)
	}
	s.addCommands(&d, result, s.Desired.Weights)
	return d
}

// resets are external changes that another resource made which manages a route, or that look like it.
type resets struct{ advice }

// isReset reports whether a route looks as if another resource that manages it had reset it.
func (s resets) isReset(result rollout.Result) bool {
	return s.Spec.Limits.AttachesIdle && slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool {
		return !r.Missing && len(r.State.Weights) == 1 && !r.Weights.Equal(s.Desired.Weights)
	})
}

// respondingDetail is movedExternallyDetail where a route has no weights to shift from. The commands restore what the
// last completed shift left, also where a release is desired.
func (s advice) respondingDetail(result rollout.Result) input.Detail {
	back := s.backTo(result)
	goal := back.String()
	if name, sole := back.Sole(); sole {
		goal = name
	}
	d := input.Detail{Cause: fmt.Sprintf("A fixed response or a redirect replaced the traffic of %s since the last completed shift, outside Terraform. This apply does not override that.", goal)}
	d.Action = "To keep it for now, set lifecycle { ignore_changes = [active, weights] } on the switch. "
	if s.addCommands(&d, result, back) {
		d.Action += fmt.Sprintf("To shift back to %s at once, run the command below for each route. Without weights, a route cannot be shifted back by steps. ", goal)
		if !s.Desired.Weights.Equal(back) {
			d.Action += s.nextApply(result, back) + " "
		}
	}
	d.Action += managedElsewhereHint(s.platform().Words)
	return d
}

// externalChangeDetail is about a route that somebody else changed. One that does not forward
// has no weights to start from, so the next plan cannot do that either.
func (s advice) externalChangeDetail(result rollout.Result, f *rollout.Failure, detail string) input.Detail {
	d := input.Detail{Cause: "Another process changed the route: " + detail, Action: ignoreChangesHint(s.platform().Words)}
	if f.Rejects { // somebody returned all of the traffic in mid-shift
		d.Action = managedElsewhereHint(s.platform().Words) + " Otherwise somebody rolled the shift back. " + s.badVersionAction(result, f)
		return d
	}
	if !hasResponse(result) {
		if (resets{s}).isReset(result) && release.MeanOf(result).Equal(result.From) {
			d.Action = s.platform().Words.ManagedHint() + " " + resets{s}.shipsAgain(result)
		}
		return d
	}
	for _, route := range result.Routes {
		command := s.command(route, s.backTo(result))
		if route.State.Response != "" && command != "" {
			d.Facts = append(d.Facts, input.Fact{"Forward again", command})
		}
	}
	d.Action = fmt.Sprintf("Make the route forward to %ss again, then apply again. ", s.platform().Backend)
	if len(d.Facts) > 0 {
		back := s.backTo(result)
		d.Action = fmt.Sprintf("Make the route forward again: the command below sends its traffic to %s at once. %s ", back, s.nextApply(result, back))
	}
	d.Action += managedElsewhereHint(s.platform().Words)
	return d
}

// shipsAgain is what follows where all traffic was returned in mid-shift in the form that another
// resource gives a route, which rejects nothing.
func (s resets) shipsAgain(result rollout.Result) string {
	name := s.gainingName(result)
	text := fmt.Sprintf("No version is rejected, so the next apply shifts to %s again.", name)
	if edit := s.awayEdit(result, name); edit != "" && name != "" {
		return text + fmt.Sprintf(" If somebody moved the traffic because of what %s runs, %s to keep it off.", name, edit)
	}
	return text
}

// nextApply is what follows once the commands of an error sent all traffic to back. Where a
// shift did not finish, traffic that is back where it started counts as rolled back.
func (s advice) nextApply(result rollout.Result, back shift.Weights) string {
	edit := s.acceptEdit(result, back)
	if s.Spec.Record.Left == nil || edit == "" || s.Desired.Weights.Equal(back) {
		return "Then apply again."
	}
	if s.Spec.Limits.AttachesIdle && !slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool { return !resets{s}.commanded(r, back).IsReset() }) {
		return fmt.Sprintf("Then %s and apply.", edit) // no evidence against the version
	}
	return fmt.Sprintf("Then %s and apply. The shift that did not finish counts as rolled back outside Terraform: to ship its version again, change retry.", edit)
}

// hasResponse reports whether a route does something else than forward.
func hasResponse(result rollout.Result) bool {
	return slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool { return !r.Missing && r.State.Response != "" })
}

// repairFailed completes the detail about an external change that a shift by steps was not
// able to undo: the traffic is where somebody else moved it, and the version is not rejected.
func (s advice) repairFailed(d *input.Detail, result rollout.Result) {
	if s.state == nil || result.Kind != shift.Forward || !s.Desired.Weights.Equal(s.Spec.StableMean()) {
		return
	}
	if s.addCommands(d, result, s.backTo(result)) {
		d.Action += fmt.Sprintf(" To shift to %s at once, run the command below for each route.", s.goalText())
	}
}

// notOneOf reports a value that is not one of a few.
func notOneOf(at path.Path, value string, among []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("Use one of %s.", input.Quoted(among)), input.Fact{"Value", value})
}

// changeText is about traffic that somebody else changed during the shift, with the share
// that a bad version keeps.
func (s *shiftRun) changeText(result rollout.Result, f *rollout.Failure) string {
	if f.Cause == rollout.RolledBackByUser {
		return "The user moved it there, and this apply changed nothing more."
	}
	if f.Change == "" {
		return "Nothing more was changed after the external change."
	}
	text := fmt.Sprintf("Not rolled back, because somebody else changed the traffic during the shift: %s.", f.Change)
	gaining := advice{s}.gainingName(result)
	if share := release.MeanOf(result)[gaining]; share > 0 {
		if version := s.Desired.VersionOf(gaining); version != "" {
			gaining += " (" + version + ")"
		}
		text += fmt.Sprintf(" %s keeps %s of the traffic.", gaining, share)
	}
	return text
}

// notRolledBackSummary is the summary of a failure beside an external change, which
// prevented the rollback.
func notRolledBackSummary(entries string, f *rollout.Failure) string {
	if f.Cause == rollout.GateFailed {
		return fmt.Sprintf("Shift of %s failed gate %q and was not rolled back", entries, f.Gate)
	}
	if f.Cause == rollout.Interrupted {
		return fmt.Sprintf("Shift of %s interrupted and not rolled back", entries)
	}
	return fmt.Sprintf("Shift of %s failed and was not rolled back", entries)
}
