package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts about routes and target groups that do not exist.

// missingRoutes returns the routes that AWS said do not exist.
func missingRoutes(result rollout.Result) []rollout.RouteResult {
	return slices.DeleteFunc(slices.Clone(result.Routes), func(r rollout.RouteResult) bool { return !r.Missing })
}

// missingText names the routes that do not exist; empty: all exist.
func (s *shiftRun) missingText(result rollout.Result) string {
	var labels []string
	for _, route := range missingRoutes(result) {
		label := s.knownLabel(route)
		if label == "" {
			label = routeLabel(route)
		}
		labels = append(labels, label)
	}
	return schedule.And(labels)
}

// knownLabel is the listener's port or the rule's priority, as read in this run or before;
// empty where it never was.
func (s *shiftRun) knownLabel(route rollout.RouteResult) string {
	if route.State.Label != "" {
		return route.State.Label
	}
	return s.Prior.Memory.Label(route.ID)
}

// labeled returns the routes with the labels that are known of them.
func (s *shiftRun) labeled(routes []rollout.RouteResult) []rollout.RouteResult {
	all := slices.Clone(routes)
	for i, route := range all {
		all[i].State.Label = s.knownLabel(route)
	}
	return all
}

// missingSummary is the summary of a failure because of a route or target group that does
// not exist; empty: another one.
func (s *shiftRun) missingSummary(result rollout.Result, f *rollout.Failure) string {
	entries := entryNames(s.Desired.Routes)
	what := ""
	switch f.Cause {
	case rollout.RouteMissing:
		what = s.missingText(result) + " " + goneText(result, f)
	case rollout.GroupMissing:
		what = groupText(s.platform(), f.Group) + " does not exist"
	default:
		return ""
	}
	switch {
	case f.Disposition == rollout.RollbackFailed:
		return fmt.Sprintf("Rollback of %s failed: %s", entries, what)
	case f.Disposition == rollout.Unchanged || !result.Kind.Moves():
		return fmt.Sprintf("Cannot shift %s: %s", entries, what)
	}
	return fmt.Sprintf("Shift of %s stopped: %s", entries, what)
}

// goneText says of routes that they do not exist. Those of a shift that had begun existed
// when it did.
func goneText(result rollout.Result, f *rollout.Failure) string {
	several := len(missingRoutes(result)) > 1
	switch {
	case result.Kind.Moves() && f.Disposition != rollout.Unchanged && several:
		return "were deleted"
	case result.Kind.Moves() && f.Disposition != rollout.Unchanged:
		return "was deleted"
	case several:
		return "do not exist"
	}
	return "does not exist"
}

// missingRouteDetail is about a shift that a missing route ended.
func (s *shiftRun) missingRouteDetail(result rollout.Result, f *rollout.Failure) input.Detail {
	several := len(missingRoutes(result)) > 1
	cause := s.platform().Words.API + " answers that the route does not exist."
	if several {
		cause = s.platform().Words.API + " answers that these routes do not exist."
	}
	if f.Symptom != "" {
		seen := *f
		seen.Cause, seen.Symptom, seen.Disposition, seen.Stage = f.Symptom, "", "", ""
		cause += fmt.Sprintf(" The shift ended because %s, which that may explain.", strings.TrimSuffix(release.Reason(&seen), "."))
	}
	d := input.Detail{Cause: cause + " No version was rejected because of it.", Action: input.Sentence(input.Capitalized(advice{s}.missingAction(result)))}
	for _, route := range missingRoutes(result) {
		if route.ID != f.Route {
			d.Facts = append(d.Facts, input.Fact{"Route", s.routeFact(result, route.ID)})
		}
	}
	d.Facts = append(d.Facts, input.CauseFact(f.Err)...)
	return d
}

// missingAction is what to do about routes that do not exist.
func (s advice) missingAction(result rollout.Result) string {
	missing := missingRoutes(result)
	isNew := func(r rollout.RouteResult) bool {
		return s.Prior.State == nil || !slices.ContainsFunc(s.Prior.State.Routes, func(before traffic.Route) bool { return before.ID == r.ID })
	}
	at, it := input.PathText(s.platform().RoutesAt()), "it"
	if len(missing) > 1 {
		it = "them"
	}
	switch {
	case slices.ContainsFunc(missing, isNew) && !result.Moved:
		return fmt.Sprintf("check %s, or remove it from %s, then apply again", s.platform().Words.Check, at)
	case len(missing) == len(result.Routes):
		return fmt.Sprintf("create %s again, then apply", it)
	}
	return fmt.Sprintf("remove %s from %s, or create %[1]s again, then apply", it, at)
}

// groupText names a group without account and region.
func groupText(p platform.Entry, group string) string {
	if group == "" {
		return "a " + p.Backend
	}
	return platform.Label(group)
}

// missingGroupDetail is about a shift that a missing target group ended.
func (s *shiftRun) missingGroupDetail(f *rollout.Failure) input.Detail {
	p := s.platform()
	d := input.Detail{
		Cause:  fmt.Sprintf("%s answers that the %s does not exist. No version was rejected because of it.", p.Words.API, p.Backend),
		Action: fmt.Sprintf("Create the %s again, or remove its environment, then apply.", p.Backend),
		Facts:  append([]input.Fact{{p.Fact(), f.Group}}, input.CauseFact(f.Err)...),
	}
	if name := environmentOf(s.Desired, f.Group); name != "" {
		d.Action = fmt.Sprintf("Create the %s of %s again, or remove environment %q, then apply.", p.Backend, name, name)
	}
	return d
}

// missingTargetAction is what to do where the target group of the rollback target does not
// exist; empty where another error ended the rollback.
func (s advice) missingTargetAction(f *rollout.Failure) string {
	group, _ := traffic.Missing(f.RollbackErr)
	name := environmentOf(s.Desired, group)
	if name == "" {
		return ""
	}
	return fmt.Sprintf("The %s of %s does not exist, so no traffic can be rolled back to it. Set active to an environment whose %ss exist, or create the %[3]s again, then apply.",
		groupText(s.platform(), group), name, s.platform().Backend)
}

// environmentOf is the configured environment with a target group; empty where none has.
func environmentOf(w release.Desired, group string) string {
	for _, name := range w.Names() {
		if group != "" && slices.Contains(slices.Collect(maps.Values(w.Environments[name].Groups)), group) {
			return name
		}
	}
	return ""
}
