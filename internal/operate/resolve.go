package operate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// resolve returns the state that each route gets.
func (p *Plan) resolve() ([]traffic.State, *Problem) {
	targets := make([]traffic.State, len(p.states))
	for i, s := range p.states {
		shares, problem := p.shares(i, s)
		if problem != nil {
			return nil, problem
		}
		targets[i] = p.operator.target(s, shares)
	}
	return targets, nil
}

// refuse returns a Problem that says where the traffic is.
func (p *Plan) refuse(cause, action string) *Problem {
	problem := refuse(p.summary, cause, action)
	problem.Traffic = p.operator.Target.where(p.states) + " " + unchanged
	return problem
}

// shares returns what the groups of a route get.
func (p *Plan) shares(i int, s traffic.State) (shift.Weights, *Problem) {
	if p.options.To == "" {
		return p.recorded(i, s)
	}
	group, problem := p.named(i, s)
	if problem != nil {
		return nil, problem
	}
	if problem := p.checkGaining(i, group); problem != nil {
		return nil, problem
	}
	return shift.Sole(group), nil
}

// recorded returns the shares with which the shift started.
func (p *Plan) recorded(i int, s traffic.State) (shift.Weights, *Problem) {
	route, x := p.operator.Target.Routes[i], p.shift
	backend := p.operator.Target.router().Backend
	useTo := "Name the " + backend + " or environment with --to."
	from, has := x.From[route.ID]
	switch {
	case !has:
		return nil, p.refuse(fmt.Sprintf("The shift %s left no record on %s (%s): it may have been removed.", x.Shift, label(route.ID, s), route.ID), useTo)
	case len(from) == 0:
		return nil, p.refuse(fmt.Sprintf("%s did not forward when the shift %s started.", label(route.ID, s), x.Shift), useTo)
	}
	known := map[string]string{}
	for _, group := range append(p.operator.Target.groups(route.Entry), s.Groups()...) {
		known[traffic.GroupKey(group)] = group
	}
	shares := shift.Weights{}
	for key, share := range from {
		group := known[key]
		if share > 0 && group == "" {
			return nil, p.refuse(fmt.Sprintf("%s has no %s any more that had %s of its traffic when the shift %s started: it was detached.", label(route.ID, s), backend, share, x.Shift),
				"Use -f with the state of the switch, which has the "+backend+"s, or name one with --to.")
		}
		if share > 0 {
			shares[group] = share
		}
	}
	return shares, nil
}

// named returns the group that --to names for a route.
func (p *Plan) named(i int, s traffic.State) (string, *Problem) {
	t, to := p.operator.Target, p.options.To
	route, router := t.Routes[i], t.router()
	if e, is := t.Environments[to]; is {
		if group := e.Groups[route.Entry]; group != "" {
			return group, nil
		}
		return "", p.refuse(fmt.Sprintf("The environment %s has no %s for %s (%s).", to, router.Backend, label(route.ID, s), route.ID), "Name another environment.")
	}
	if !router.IsGroupID(to) {
		if len(t.Environments) > 0 {
			return "", p.refuse(fmt.Sprintf("There is no environment %q.", to), "Use one of "+strings.Join(slices.Sorted(maps.Keys(t.Environments)), ", ")+", or "+router.BackendForm+".")
		}
		group, err := router.Group([]string{route.ID}, to)
		if !router.Composes() || err != nil {
			return "", p.refuse(fmt.Sprintf("%q is not %s, and without -f no names of environments are known.", to, router.BackendForm), "Use "+router.BackendForm+", or -f with the state of the switch.")
		}
		return group, nil
	}
	if err := router.CheckGroup(to); err != nil {
		return "", p.refuse(sentence(err.Error()), "Use "+router.BackendForm+".")
	}
	if entries := t.entries(); len(entries) > 1 {
		return "", p.refuse("The switch has several entry points ("+strings.Join(entries, ", ")+"), and a "+router.Backend+" belongs to one.", "Name an environment with --to.")
	}
	if problem := p.checkBehind(i, to); problem != nil {
		return "", problem
	}
	if _, attached := s.Weights[to]; !attached && !router.Composes() && !slices.Contains(t.groups(route.Entry), to) && len(p.states) > 1 {
		return "", p.refuse(fmt.Sprintf("%s does not have the %s, so it may belong to another entry point.", label(route.ID, s), router.Backend),
			"Use -f with the state of the switch, and name an environment with --to.")
	}
	return to, nil
}

// checkBehind refuses a group that another entry point has: where groups are composed, the route says
// which ones it can have.
func (p *Plan) checkBehind(i int, group string) *Problem {
	t := p.operator.Target
	router, route := t.router(), t.Routes[i]
	if !router.Composes() {
		return nil
	}
	if own, err := router.Group([]string{route.ID}, router.Value(group)); err != nil || own != group {
		return p.refuse(fmt.Sprintf("The %s %s does not belong to %s.", router.Backend, group, router.Label(route.ID)), "Use -f with the state of the switch, and name an environment with --to.")
	}
	return nil
}

// checkGaining refuses a group to which the shift moves the traffic: that is no rollback.
func (p *Plan) checkGaining(i int, group string) *Problem {
	if p.shift == nil {
		return nil
	}
	id, key := p.operator.Target.Routes[i].ID, traffic.GroupKey(group)
	if p.shift.To[id][key] <= p.shift.From[id][key] {
		return nil
	}
	return p.refuse(fmt.Sprintf("%s is where the shift %s moves the traffic, so that is no rollback.", p.operator.Target.name(p.operator.Target.Routes[i].Entry, group), p.shift.Shift),
		"Let the shift go on, or roll it back first.")
}

// target returns the state that gives groups their shares. What is attached besides stays, to be
// checked, unless stickiness is on: clients would stay with it.
func (o *Operator) target(s traffic.State, shares shift.Weights) traffic.State {
	limits := o.Target.router().Limits
	next := traffic.State{Weights: limits.Encode(shares), Stickiness: s.Stickiness, Raw: s.Raw, Label: s.Label, Cached: s.Cached}
	if s.Stickiness > 0 || !limits.AttachesIdle {
		return next
	}
	for _, group := range s.Groups() {
		if _, has := next.Weights[group]; !has && (limits.Groups == 0 || len(next.Weights) < limits.Groups) {
			next.Weights[group] = 0
		}
	}
	return next
}
