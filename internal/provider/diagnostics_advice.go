package provider

import (
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// advice is what a message about a shift suggests: edits and commands. Edits name the
// environment to set, never "what has the traffic": while two have it, that would keep a bad
// version.
type advice struct{ *shiftRun }

// movedTo is where the routes are from which the traffic was moved: where only some of
// them were, the others say nothing about what to accept. A rejected version is not
// accepted.
func (s advice) movedTo(result rollout.Result) shift.Weights {
	var all []shift.Weights
	for _, route := range result.Routes {
		if !route.Weights.Equal(s.Desired.Weights) {
			all = append(all, route.Weights)
		}
	}
	rejected := s.Prior.Rejection(s.Desired)
	return without(shift.Mean(all), func(name string) bool {
		return rejected != nil && rejected.Environment == name && s.Desired.VersionOf(name) == rejected.Version
	})
}

// command is the command that gives a route some weights; empty where it has them or does
// not exist.
func (s advice) command(route rollout.RouteResult, weights shift.Weights) string {
	if route.Missing || route.Weights.Equal(weights) {
		return ""
	}
	desired := route.State
	desired.Weights, desired.Response, desired.FixedError = map[string]int{}, "", false
	for name, weight := range s.Spec.Limits.Encode(weights) {
		if group := s.Spec.Owners.Group(route.Entry, name, route.State); group != "" {
			desired.Weights[group] = weight
		}
	}
	for _, group := range route.State.Groups() {
		if _, ok := desired.Weights[group]; !ok && len(desired.Weights) < s.Spec.Limits.Groups {
			desired.Weights[group] = 0
		}
	}
	command, err := platform.Of(route.ID).Command(route.ID, desired)
	if err != nil {
		return ""
	}
	return command
}

// acceptEdit is the edit that agrees with the given weights, such as
// `set active = "green"`; empty where there are none.
func (s advice) acceptEdit(weights shift.Weights) string {
	if len(weights.Names()) == 0 {
		return ""
	}
	if name, sole := weights.Sole(); sole && s.Prior.IsLeaving(name) {
		return fmt.Sprintf("restore environment %q and set active = %q", name, name)
	}
	for _, name := range weights.Names() {
		if s.Desired.Environments[name].Groups == nil {
			return "add an environment for the target group that has the traffic and set active to it"
		}
	}
	_, desiredSole := s.Desired.Weights.Sole()
	if name, sole := weights.Sole(); sole {
		if !desiredSole {
			return fmt.Sprintf("set active = %q instead of weights", name)
		}
		return fmt.Sprintf("set active = %q", name)
	}
	var parts []string
	for _, name := range weights.Names() {
		parts = append(parts, fmt.Sprintf("%s = %s", name, input.Number(weights[name].Percent())))
	}
	text := fmt.Sprintf("set weights = { %s } and 0 for the other environments", strings.Join(parts, ", "))
	if desiredSole {
		text += " instead of active"
	}
	return text
}

// backTo is where a rollback leads: what the last completed shift left, on a Create what
// had the traffic and is not desired. Nil: not known.
func (s advice) backTo(result rollout.Result) shift.Weights {
	if stable := s.Spec.StableMean(); stable != nil {
		return stable
	}
	return without(result.From, func(name string) bool { return s.Desired.Weights[name] > 0 })
}

// without is the split of the traffic among the other environments; nil: none has any.
func without(w shift.Weights, excluded func(name string) bool) shift.Weights {
	others := map[string]int{}
	for _, name := range w.Names() {
		if !excluded(name) {
			others[name] = int(w[name])
		}
	}
	return shift.FromRaw(others)
}

// awayEdit is the edit that keeps all traffic away from a bad version: to what has all of
// it now or else to the rollback target, never to a split with it. Empty: there is none.
func (s advice) awayEdit(result rollout.Result, bad string) string {
	now := release.MeanOf(result)
	if name, sole := now.Sole(); sole && name != bad {
		return s.acceptEdit(now)
	}
	back := s.backTo(result)
	if name, sole := back.Sole(); back == nil || sole && name == bad {
		return s.acceptEdit(without(now, func(name string) bool { return name == bad }))
	}
	return s.acceptEdit(back)
}

// otherwise lists what to do about a rejected version.
func (s advice) otherwise(result rollout.Result, bad shift.Identity) string {
	edit := s.awayEdit(result, bad.Environment)
	if edit != "" {
		edit = " " + edit + ","
	}
	return fmt.Sprintf("Ship another version,%s or change retry to allow %s again.", edit, bad.Version)
}

// badVersionAction is what to do about a version that failed a gate or health.
func (s advice) badVersionAction(result rollout.Result, f *rollout.Failure) string {
	rejected := s.Gaining(result, f, s.Started)
	switch {
	case !f.Rejects || s.state == nil && s.Spec.Record.Off: // a Create has no state
		return "Fix the release or the gate, then apply again."
	case rejected == nil:
		text := "The environment has no version, so it cannot be rejected, and the next apply tries it again."
		if edit := s.awayEdit(result, s.gainingName(result)); edit != "" {
			text += fmt.Sprintf(" To prevent that, %s until the release is fixed.", edit)
		}
		return text
	}
	return s.nowRejected(result, f) + s.otherwise(result, shift.Identity{Environment: rejected.Environment, Version: rejected.Version})
}

// nowRejected says that a version is rejected now, with a space after it; empty where none
// is.
func (s advice) nowRejected(result rollout.Result, f *rollout.Failure) string {
	rejected := s.Gaining(result, f, s.Started)
	if !f.Rejects || rejected == nil || s.state == nil && s.Spec.Record.Off {
		return ""
	}
	return fmt.Sprintf("Version %s of %s is now rejected. ", rejected.Version, rejected.Environment)
}

// gainingName is the environment that gains the most; empty where none does.
func (s advice) gainingName(result rollout.Result) string {
	from, most := s.backTo(result), ""
	for _, name := range s.Desired.Weights.Gaining(from) {
		if most == "" || s.Desired.Weights[name]-from[name] > s.Desired.Weights[most]-from[most] {
			most = name
		}
	}
	return most
}

// rollbackFailedAction is how to get the traffic back after a rollback failed.
func (s advice) rollbackFailedAction(result rollout.Result, f *rollout.Failure) string {
	fix := s.nowRejected(result, f) + "Fix what the rollback error names"
	if text := s.missingTargetAction(f); text != "" {
		return s.nowRejected(result, f) + text
	}
	back := s.backTo(result)
	edit := s.acceptEdit(back)
	switch {
	case edit == "" || s.state == nil && s.Spec.Record.Off: // the next Create starts from the weights that it reads
		return fix + ". Then set the weights of the routes back in the AWS console or with aws elbv2, or apply again: that starts from the current weights."
	case s.Desired.Weights.Equal(back):
		edit = "apply again"
	default:
		edit += " and apply"
	}
	return fmt.Sprintf("%s. Then %s: that rolls every route back with one API call each.", fix, edit)
}

// rollBackLater completes the detail about traffic that was not rolled back, because somebody
// else had changed it: how to roll it back from a version that still has a part of it.
func (s advice) rollBackLater(d *input.Detail, result rollout.Result, f *rollout.Failure) {
	back := s.backTo(result)
	edit := s.acceptEdit(back)
	if edit == "" || !hasResponse(result) && release.MeanOf(result)[s.gainingName(result)] <= back[s.gainingName(result)] {
		return
	}
	action := d.Action + " "
	if text := s.nowRejected(result, f); text != "" {
		action = text
	}
	if isOnItsWay(result, back, s.Desired.Weights) && (s.state != nil || !s.Spec.Record.Off) {
		d.Action = action + fmt.Sprintf("To roll the traffic back, %s and apply: that takes one API call per route.", edit)
		return
	}
	d.Action = action
	s.backAtOnce(d, result, input.Sentence(input.Capitalized(edit)+" and apply"))
}

// backAtOnce adds the commands that roll the traffic back, which the next apply does only
// by steps, and then what else to do.
func (s advice) backAtOnce(d *input.Detail, result rollout.Result, then string) {
	if s.addCommands(d, result) {
		d.Action += "To roll the traffic back at once, run the command below for each route. "
	}
	d.Action += then
}

// addCommands adds the commands that send the traffic to the rollback target. It returns false
// where there are none.
func (s advice) addCommands(d *input.Detail, result rollout.Result) bool {
	n := len(d.Facts)
	for _, route := range result.Routes {
		if command := s.command(route, s.backTo(result)); command != "" {
			d.Facts = append(d.Facts, input.Fact{"Back at once", command})
		}
	}
	return len(d.Facts) > n
}

// isOnItsWay reports whether every route is between the rollback target and the desired
// weights. Otherwise the next apply does not take the traffic for that of this shift.
func isOnItsWay(result rollout.Result, back, desired shift.Weights) bool {
	for _, route := range result.Routes {
		if !route.Missing && (route.State.Response != "" || !route.Weights.IsBetween(back, desired)) {
			return false
		}
	}
	return true
}
