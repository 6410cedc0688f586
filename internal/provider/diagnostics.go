package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// entryNames names the entry points, which are what the user has names for.
func entryNames(routes []traffic.Route) string {
	var entries []string
	for _, route := range routes {
		if !slices.Contains(entries, route.Entry) {
			entries = append(entries, route.Entry)
		}
	}
	return schedule.And(entries)
}

func cannotShift(routes []traffic.Route) string { return "Cannot shift " + entryNames(routes) }

// refusal reports an error from before the routes were read in this run.
func (s *shiftRun) refusal(err error) diag.Diagnostic {
	d := callDetail(err)
	d.Traffic = "not read in this run. Nothing was changed."
	if last := s.lastReadText(); last != "" {
		d.Traffic = "when last read:" + last + ownLine(last) + "Nothing was changed."
	}
	return d.Diagnostic(cannotShift(s.Desired.Routes))
}

// gateRefused reports a gate that cannot be called.
func (s *shiftRun) gateRefused(g gates.Unavailable) diag.Diagnostic {
	d := gateUnavailable(g.Name, g.Err)
	d.Traffic = "not read in this run. Nothing was changed."
	if last := s.lastReadText(); last != "" {
		d.Traffic = "when last read:" + last + ownLine(last) + "Nothing was changed."
	}
	return d.Diagnostic(cannotShift(s.Desired.Routes))
}

func gateUnavailable(name string, err error) input.Detail {
	d := input.Detail{
		Cause:  fmt.Sprintf("Gate %q cannot be evaluated.", name),
		Action: "Fix what the cause names, then apply again.",
		Facts:  input.CauseFact(err),
	}
	if errors.Is(err, gate.ErrUnset) {
		d.Action = "Set the environment variable that the cause names in the shell or CI job that runs Terraform, then apply again."
	}
	return d
}

// lastReadText is what the last refresh read from the routes; empty where it read
// none of them, as in a Create.
func (s *shiftRun) lastReadText() string {
	found := s.Prior.Observed(s.Desired)
	if !slices.ContainsFunc(found, func(seen traffic.State) bool { return seen.Weights != nil || seen.Response != "" }) {
		return ""
	}
	var all []rollout.RouteResult
	for i, route := range s.Spec.Routes {
		all = append(all, rollout.RouteResult{Route: route, State: found[i], Weights: s.Spec.Owners.Weights(route.Entry, found[i]), Read: true})
	}
	return routesText(all)
}

// unreadable reports routes that a refresh could not read.
func unreadable(routes []traffic.Route, err error) diag.Diagnostic {
	d := callDetail(err)
	d.Traffic = "could not be read. Nothing was changed."
	return d.Diagnostic("Cannot read the traffic of " + entryNames(routes))
}

// importMissing reports an import of routes of which some do not exist.
func importMissing(routes []traffic.Route, found map[string]traffic.State) diag.Diagnostic {
	p := platform.Of(routes[0].ID)
	d := input.Detail{Cause: "A route does not exist.", Action: "Check " + p.Words.Check + "."}
	for _, route := range routes {
		if _, ok := found[route.ID]; !ok {
			d.Facts = append(d.Facts, input.Fact{"Route", route.ID})
		}
	}
	return d.Diagnostic("Cannot import the traffic of " + entryNames(routes))
}

// importForwardsNothing reports an import of a route that has no target groups.
func importForwardsNothing(route traffic.Route, response string) diag.Diagnostic {
	return input.Detail{
		Cause:  fmt.Sprintf("The route does not forward to %ss (%s), so there are no weights to import.", platform.Of(route.ID).Backend, response),
		Action: "Remove the import and let Terraform create the switch. Create replaces a fixed 5xx response; change any other action to a forward first.",
		Facts:  []input.Fact{{"Route", route.ID}},
	}.Diagnostic("Cannot import the traffic of " + route.Entry)
}

// stageFact names a stage after "Step:", so that it does not read "Step: step 1 of 3".
func stageFact(stage string) string {
	return strings.TrimPrefix(strings.TrimPrefix(stage, "step "), "the ")
}

// shiftFailed reports why a shift did not complete.
func (s *shiftRun) shiftFailed(result rollout.Result, f *rollout.Failure) diag.Diagnostic {
	d := s.causeDetail(result, f)
	d.Traffic = s.trafficText(result, f)
	d.Facts = append([]input.Fact{{"Route", s.routeFact(result, f.Route)}, {"Gate", f.Gate}, {"Step", stageFact(f.Stage)}}, d.Facts...)
	switch {
	case isUnconfirmed(f) && f.Cause == rollout.RouterFailed: // the action is to allow what is denied
	case isUnconfirmed(f):
		d.Action += " To let a rollback confirm that all servers have its weights, allow the IAM action that the rollback error names."
	case f.Disposition == rollout.RollbackFailed:
		advice{s}.rollbackFailed(&d, result, f)
	case f.Disposition == rollout.RollbackUnhealthy:
		d.Action = "Make the targets of one environment healthy. Then apply again, or set active to that environment."
	case f.Disposition == rollout.NotOverridden && f.Change != "":
		advice{s}.rollBackLater(&d, result, f)
	case f.Disposition == rollout.RolledBack && !f.Rejects:
		advice{s}.repairFailed(&d, result)
	}
	if gone := s.missingText(result); gone != "" && (f.Cause != rollout.RouteMissing || f.Disposition == rollout.RollbackFailed) {
		d.Action += " " + input.Sentence(input.Capitalized(gone)+" does not exist: "+advice{s}.missingAction(result))
	}
	if f.RollbackErr != nil {
		d.Facts = append(d.Facts, input.Fact{"Rollback error", strings.ReplaceAll(f.RollbackErr.Error(), "\n", "; ")})
	}
	d.Facts = append(d.Facts, input.Fact{"Report", s.reported.Page})
	return d.Diagnostic(s.shiftSummary(result, f))
}

// shiftSummary says in one line how the shift ended.
func (s *shiftRun) shiftSummary(result rollout.Result, f *rollout.Failure) string {
	entries := entryNames(s.Desired.Routes)
	if text := s.missingSummary(result, f); text != "" {
		return text
	}
	switch f.Cause {
	case rollout.BlockedByGate:
		return fmt.Sprintf("Shift of %s blocked by gate %q", entries, f.Gate)
	case rollout.VersionRejected:
		return fmt.Sprintf("Cannot shift %s to a rejected version", entries)
	case rollout.MovedExternally:
		return fmt.Sprintf("Cannot shift %s: traffic was moved outside this switch", entries)
	case rollout.Locked:
		return fmt.Sprintf("Cannot shift %s: another apply is shifting it", entries)
	case rollout.OtherSwitch:
		return fmt.Sprintf("Cannot shift %s: another switch abandoned a shift", entries)
	case rollout.LeaseLost:
		return fmt.Sprintf("Shift of %s taken over by another apply", entries)
	default:
		return dispositionSummary(entries, f, result.Moved)
	}
}

// dispositionSummary says in one line what was done about the traffic. moved is false if
// none was moved.
func dispositionSummary(entries string, f *rollout.Failure, moved bool) string {
	switch {
	case f.Disposition == rollout.RollbackFailed && isUnconfirmed(f):
		return fmt.Sprintf("Rollback of %s is not confirmed", entries)
	case f.Disposition == rollout.RollbackFailed:
		return fmt.Sprintf("Rollback of %s failed", entries)
	case f.Disposition == rollout.RollbackUnhealthy:
		return fmt.Sprintf("Shift of %s failed and was not rolled back", entries)
	case f.Disposition == rollout.NotOverridden && f.Change != "":
		return notRolledBackSummary(entries, f)
	case f.Cause == rollout.RolledBackByUser && f.Disposition == rollout.NotOverridden:
		return fmt.Sprintf("Shift of %s stopped by a user", entries)
	case f.Cause == rollout.RolledBackByUser:
		return fmt.Sprintf("Shift of %s rolled back by a user", entries)
	case f.Cause == rollout.ExternalChange:
		return fmt.Sprintf("Shift of %s stopped by an external change", entries)
	case f.Cause == rollout.Interrupted && f.Disposition == rollout.RolledBack && moved:
		return fmt.Sprintf("Shift of %s interrupted and rolled back", entries)
	case f.Cause == rollout.Interrupted:
		return fmt.Sprintf("Shift of %s interrupted", entries)
	case f.Disposition == rollout.RolledBack && moved:
		return fmt.Sprintf("Shift of %s rolled back", entries)
	case f.Disposition == rollout.Stopped || f.Disposition == rollout.NoRouteLeft:
		return fmt.Sprintf("Shift of %s stopped", entries)
	}
	return "Cannot shift " + entries
}

// isUnconfirmed reports whether the weights of a rollback were read back, but access to whether all servers have
// them is denied.
func isUnconfirmed(f *rollout.Failure) bool { return errors.Is(f.RollbackErr, rollout.ErrUnconfirmed) }

// trafficText says where the traffic is and what was done about it.
func (s *shiftRun) trafficText(result rollout.Result, f *rollout.Failure) string {
	read := slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool {
		return r.Missing || r.State.Weights != nil || r.State.Response != ""
	})
	done := s.dispositionText(result, f)
	if isUnconfirmed(f) {
		done += " The weights were read back, but it is not known whether all servers have them."
	}
	if read {
		where := strings.TrimPrefix(routesText(s.labeled(result.Routes)), " ")
		return where + ownLine(where) + done
	}
	if last := s.lastReadText(); last != "" {
		return "could not be read. When last read:" + last + ownLine(last) + done
	}
	return "could not be read. " + done
}

// ownLine separates a text about routes from the sentence after it: routes that
// differ have a line each.
func ownLine(text string) string {
	if strings.HasSuffix(text, "\n") {
		return ""
	}
	return " "
}

// dispositionText says what was done about the traffic.
func (s *shiftRun) dispositionText(result rollout.Result, f *rollout.Failure) string {
	switch f.Disposition {
	case rollout.RolledBack:
		if !result.Moved { // only target groups were attached, and are detached again
			return "No traffic was moved."
		}
		if s.missingText(result) != "" {
			return "Every route that exists was rolled back."
		}
		if name, sole := s.Desired.Weights.Sole(); sole && result.Reached[name] > 0 {
			return fmt.Sprintf("Rolled back from %s %s.", name, result.Reached[name])
		}
		if result.Reached != nil && !result.Reached.Equal(release.MeanOf(result)) {
			return fmt.Sprintf("Rolled back from %s.", result.Reached)
		}
		return "Rolled back."
	case rollout.Stopped:
		return "The weights were left as they are."
	case rollout.RollbackFailed:
		if isUnconfirmed(f) {
			return "Rolled back."
		}
		return "The rollback did not complete on every route."
	case rollout.RollbackUnhealthy:
		return "Not rolled back, because the environment to roll back to has no healthy targets."
	case rollout.NotOverridden:
		return s.changeText(result, f)
	case rollout.NoRouteLeft:
		return "None of the routes exists, so there was nothing to roll back."
	case rollout.Unchanged:
		return "Nothing was changed."
	}
	return ""
}

// routesText gives the weights of the routes, to follow a colon: in one sentence
// where they agree, else one line per route.
func routesText(routes []rollout.RouteResult) string {
	agree := true
	for _, route := range routes {
		agree = agree && route.Read && route.State.Response == routes[0].State.Response && route.Weights.Equal(routes[0].Weights)
	}
	if agree && len(routes) > 0 {
		return " " + stateText(routes[0]) + "."
	}
	text := ""
	for _, route := range routes {
		text += fmt.Sprintf("\n  %s, %s: %s", route.Entry, routeLabel(route), stateText(route))
		if !route.Read && !route.Missing && stateText(route) != unknownText {
			text += " when last read; it could not be read again"
		}
	}
	return text + "\n"
}

// routeLabel names a route by its listener's port or its rule's priority where it
// was read, else by its ARN.
func routeLabel(route rollout.RouteResult) string {
	if route.State.Label != "" {
		return route.State.Label
	}
	return platform.Label(route.ID)
}

// routeFact is the route of a failure, with its label and its ARN.
func (s *shiftRun) routeFact(result rollout.Result, arn string) string {
	for _, route := range result.Routes {
		if route.ID != arn || arn == "" {
			continue
		}
		if label := s.knownLabel(route); label != "" {
			return fmt.Sprintf("%s, %s (%s)", route.Entry, label, arn)
		}
	}
	return arn
}

const unknownText = "unknown"

func stateText(route rollout.RouteResult) string {
	switch {
	case route.Missing:
		return "does not exist"
	case route.State.Response != "":
		return route.State.Response
	case route.State.Weights == nil:
		return unknownText
	}
	return route.Weights.String()
}

// warnings reports what did not change the end of a shift but needs attention.
func (s *shiftRun) warnings(result rollout.Result) diag.Diagnostics {
	all := slices.Concat(result.Warnings, s.reported.Warnings)
	if len(all) == 0 {
		return nil
	}
	if s.reported.Page != "" {
		all = append(all, "", "Report: "+s.reported.Page)
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(
		fmt.Sprintf("Shift of %s reported warnings", entryNames(s.Desired.Routes)), strings.Join(all, "\n"))}
}

// goalText names the desired weights: the environment alone where it has all.
func (s *shiftRun) goalText() string {
	if name, sole := s.Desired.Weights.Sole(); sole {
		return name
	}
	return s.Desired.Weights.String()
}
