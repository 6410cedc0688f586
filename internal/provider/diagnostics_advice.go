package provider

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// advice is what a message about a shift suggests: edits and commands. Edits name the
// environment to set, never "what has the traffic": while two have it, that would keep a bad
// version.
type advice struct{ *shiftRun }

// destination is where routes lead, and which environments an edit adds for the unmanaged
// target groups among it: their groups by entry point.
type destination struct {
	weights shift.Weights
	added   map[string]map[string]string
}

// movedTo is where the routes lead from which the traffic was moved, each different
// destination once: the others say nothing about what to accept. A rejected version is not
// accepted.
func (s advice) movedTo(result rollout.Result) []destination {
	var all []destination
	names, added := s.unmanaged(result)
	rejected := s.Prior.Rejection(s.Desired)
	for _, route := range result.Routes {
		if route.Missing || route.Weights.Equal(s.Desired.Weights) {
			continue
		}
		weights := shift.Weights{}
		for name, share := range route.Weights {
			weights[cmp.Or(names[name], name)] += share
		}
		weights = without(weights, func(name string) bool {
			return rejected != nil && rejected.Environment == name && s.Desired.VersionOf(name) == rejected.Version
		})
		if len(weights.Names()) > 0 && !slices.ContainsFunc(all, func(d destination) bool { return d.weights.Equal(weights) }) {
			all = append(all, destination{weights, added})
		}
	}
	return all
}

// unmanaged returns the environments that an edit would add for the unmanaged groups with
// traffic, and their names by those of the groups. Groups of several entry points are one
// environment, unless a route has several of them.
func (s advice) unmanaged(result rollout.Result) (names map[string]string, added map[string]map[string]string) {
	names, added = map[string]string{}, map[string]map[string]string{}
	first, groups, merge := "", map[string]string{}, true
	for _, route := range result.Routes {
		seen := 0
		for _, name := range route.Weights.Names() {
			if s.Desired.Environments[name].Groups != nil || s.Prior.IsLeaving(name) {
				continue
			}
			group := s.Spec.Owners.Group(route.Entry, name, route.State)
			names[name], added[name] = name, map[string]string{route.Entry: group}
			first = cmp.Or(first, name)
			seen++
			merge = merge && seen < 2 && (groups[route.Entry] == "" || groups[route.Entry] == group)
			groups[route.Entry] = group
		}
	}
	if merge && len(names) > 1 {
		for name := range names {
			names[name] = first
		}
		added = map[string]map[string]string{first: groups}
	}
	return names, added
}

// command is the command that gives a route some weights; empty where it has them or does
// not exist. Groups at weight 0 stay attached, unless stickiness is on: clients would stay
// with them.
func (s advice) command(route rollout.RouteResult, weights shift.Weights) string {
	if route.Missing || route.Weights.Equal(weights) {
		return ""
	}
	command, err := platform.Of(route.ID).Command(route.ID, resets{s}.commanded(route, weights))
	if err != nil {
		return ""
	}
	return command
}

// commanded is what the command gives a route.
func (s resets) commanded(route rollout.RouteResult, weights shift.Weights) traffic.State {
	desired := route.State
	desired.Weights, desired.Response, desired.FixedError = map[string]int{}, "", false
	for name, weight := range s.Spec.Limits.Encode(weights) {
		if group := s.Spec.Owners.Group(route.Entry, name, route.State); group != "" && (weight > 0 || desired.Stickiness == 0) {
			desired.Weights[group] = weight
		}
	}
	for _, group := range route.State.Groups() {
		if _, ok := desired.Weights[group]; !ok && desired.Stickiness == 0 && len(desired.Weights) < s.Spec.Limits.Groups {
			desired.Weights[group] = 0
		}
	}
	return desired
}

// acceptEdit is the edit that agrees with the given weights, such as
// `set active = "green"`; empty where there are none.
func (s advice) acceptEdit(result rollout.Result, weights shift.Weights) string {
	_, added := s.unmanaged(result)
	return s.editTo(destination{weights, added})
}

// editTo is acceptEdit for a destination.
func (s advice) editTo(d destination) string {
	names, first := d.weights.Names(), []string{}
	if len(names) == 0 {
		return ""
	}
	for _, name := range names {
		switch {
		case s.Prior.IsLeaving(name):
			first = append(first, fmt.Sprintf("restore environment %q", name))
		case s.Desired.Environments[name].Groups == nil && d.added[name] == nil:
			return fmt.Sprintf("add an environment for the %s that has the traffic and set active to it", s.platform().Backend)
		case s.Desired.Environments[name].Groups == nil:
			first = append(first, s.additionOf(name, d.added[name]))
		}
	}
	_, desiredSole := s.Desired.Weights.Sole()
	if name, sole := d.weights.Sole(); sole {
		edit := fmt.Sprintf("set active = %q", name)
		if !desiredSole {
			edit += " instead of weights"
		}
		return schedule.And(append(first, edit))
	}
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s = %s", mapKey(name), input.Number(d.weights[name].Percent())))
	}
	edit := fmt.Sprintf("set weights = { %s } and 0 for the other environments", strings.Join(parts, ", "))
	if desiredSole {
		edit += " instead of active"
	}
	return schedule.And(append(first, edit))
}

// additionOf is the edit that adds an environment for groups that are in none.
func (s advice) additionOf(name string, groups map[string]string) string {
	var parts, missing []string
	for _, route := range s.Desired.Routes {
		if group := groups[route.Entry]; group == "" && !slices.Contains(missing, route.Entry) {
			missing = append(missing, route.Entry)
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		parts = append(parts, fmt.Sprintf("%s = %q", mapKey(entry), groups[entry]))
	}
	text := fmt.Sprintf("add environment %q with target_groups = { %s }", name, strings.Join(parts, ", "))
	if missing != nil {
		text += fmt.Sprintf(" (plus one for %s)", schedule.And(missing))
	}
	return text
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// mapKey is the key of a map in a configuration.
func mapKey(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
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
		return s.acceptEdit(result, now)
	}
	back := s.backTo(result)
	if name, sole := back.Sole(); back == nil || sole && name == bad {
		return s.acceptEdit(result, without(now, func(name string) bool { return name == bad }))
	}
	return s.acceptEdit(result, back)
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

// rollbackFailed completes the detail about a rollback that failed: how to get the traffic back.
func (s advice) rollbackFailed(d *input.Detail, result rollout.Result, f *rollout.Failure) {
	d.Action = s.nowRejected(result, f)
	if text := s.missingTargetAction(f); text != "" {
		d.Action += text
		return
	}
	d.Action += "Fix what the rollback error names. Then "
	back := s.backTo(result)
	edit := s.acceptEdit(result, back)
	switch {
	case edit == "" || s.state == nil && s.Spec.Record.Off: // the next Create starts from the weights that it reads
		if len(back.Names()) > 0 && s.addCommands(d, result, back) {
			d.Action += "run the command below for each route, or apply again: that starts from the current weights."
			return
		}
		d.Action += "set the weights of the routes back, or apply again: that starts from the current weights."
		return
	case s.Desired.Weights.Equal(back):
		edit = "apply again"
	default:
		edit += " and apply"
	}
	d.Action += edit + ": that rolls every route back at once."
}

// rollBackLater completes the detail about traffic that was not rolled back, because somebody
// else had changed it: how to roll it back from a version that still has a part of it.
func (s advice) rollBackLater(d *input.Detail, result rollout.Result, f *rollout.Failure) {
	back := s.backTo(result)
	edit := s.acceptEdit(result, back)
	if edit == "" || !hasResponse(result) && release.MeanOf(result)[s.gainingName(result)] <= back[s.gainingName(result)] {
		return
	}
	action := d.Action + " "
	if text := s.nowRejected(result, f); text != "" {
		action = text
	}
	if isOnItsWay(result, back, s.Desired.Weights) && (s.state != nil || !s.Spec.Record.Off) {
		d.Action = action + fmt.Sprintf("To roll the traffic back at once, %s and apply.", edit)
		return
	}
	d.Action = action
	s.backAtOnce(d, result, input.Sentence(input.Capitalized(edit)+" and apply"))
}

// backAtOnce adds the commands that roll the traffic back, which the next apply does only
// by steps, and then what else to do.
func (s advice) backAtOnce(d *input.Detail, result rollout.Result, then string) {
	if s.addCommands(d, result, s.backTo(result)) {
		d.Action += "To roll the traffic back at once, run the command below for each route. "
	}
	d.Action += then
}

// addCommands adds the commands that give every route some weights. It returns false where there
// are none.
func (s advice) addCommands(d *input.Detail, result rollout.Result, weights shift.Weights) bool {
	n := len(d.Facts)
	for _, route := range result.Routes {
		if command := s.command(route, weights); command != "" {
			d.Facts = append(d.Facts, input.Fact{"Back at once", command})
		}
	}
	if len(d.Facts) == n {
		return false
	}
	d.Facts = append(d.Facts, input.Fact{"The same with bluegreen", s.operatorCommand(result, weights)})
	return true
}

// operatorCommand is the command bluegreen that sends all routes to one environment. It is empty
// where the state, which the command reads, has other routes or target groups than this apply.
func (s advice) operatorCommand(result rollout.Result, weights shift.Weights) string {
	name, sole := weights.Sole()
	state := s.Prior.State
	if !sole || state == nil || !slices.Equal(state.Routes, s.Desired.Routes) {
		return ""
	}
	known, isKnown := state.Environments[name]
	now, isConfigured := s.Desired.Environments[name]
	if !isKnown || isConfigured && !maps.Equal(known.Groups, now.Groups) || slices.ContainsFunc(result.Routes, func(r rollout.RouteResult) bool { return r.Missing }) {
		return ""
	}
	if !identifier.MatchString(name) {
		name = "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return "terraform show -json | bluegreen rollback -f - --yes --to " + name
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
