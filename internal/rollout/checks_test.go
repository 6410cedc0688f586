package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// What holds for every story.

// checkLatest checks that the last result of every gate that was called is a pass, or counts as
// one, where a shift goes on.
func (p *player) checkLatest(what string) {
	for _, g := range p.story.gates {
		status, called := p.latest[g.Name]
		waived := status == rollout.Inconclusive && g.OnInconclusive == rollout.Pass
		if called && status != rollout.Pass && !waived && !g.DryRun && !p.isRevert() && p.schedule.Kind != shift.Accept {
			p.violatef("%s although the last result of %s is %s", what, g.Name, status)
		}
	}
}

// checkCall checks every write: none goes forward after a rollback has started or a gate
// has failed, and no group without healthy targets gets its first traffic.
func (p *player) checkCall(c routertest.Call) {
	if c.Op != routertest.Write {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noForward != "" && !c.Rollback {
		p.violatef("forward write although %s: %s", p.noForward, c)
	}
	if before, known := p.written[c.Routes[0]]; !c.Rollback && (!known || !before.EqualTraffic(c.Want)) && !strings.HasPrefix(p.phase, "attach") {
		p.checkLatest(fmt.Sprintf("%s is written", c))
	}
	p.written[c.Routes[0]] = c.Want
	if served := slices.Max(append(slices.Collect(maps.Values(c.Want.Weights)), 0)); c.Want.Response == "" && served == 0 {
		p.violatef("no target group gets traffic: %s", c)
	}
	for group, n := range c.Want.Weights {
		if n > 0 && !p.hadWeight[group] && !c.Rollback && p.unhealthy(group) && !p.hadTraffic(c.Routes[0], group) {
			p.violatef("%s gets its first traffic without healthy targets: %s", group, c)
		}
		p.hadWeight[group] = p.hadWeight[group] || n > 0
	}
}

// unhealthy reports whether the group has had no healthy targets for longer than a health
// read and the following write may take.
func (p *player) unhealthy(group string) bool {
	return p.serving[group] == 0 && time.Since(p.lastServing[group]) > 40*time.Second
}

// hadTraffic reports whether the route gave the group traffic at the start, or answered a
// fixed error, which is replaced without a health check.
func (p *player) hadTraffic(route, group string) bool {
	i := slices.IndexFunc(p.story.routes, func(r storyRoute) bool { return r.id == route })
	return p.story.routes[i].state.Weights[group] > 0 || p.story.routes[i].state.FixedError
}

// check checks the result.
func (p *player) check() {
	stale := slices.ContainsFunc(p.story.faults, func(f routertest.Fault) bool { return isAgeless(f) || f.Kind == routertest.Lost })
	late := slices.ContainsFunc(p.story.faults, func(f routertest.Fault) bool { return f.Kind == routertest.Late })
	for i, r := range p.result.Routes {
		now := p.now(r.ID)
		// An external change after the last read is missed where faults prevent a
		// later read, and one while Run only waits for a gate to return.
		changed := slices.ContainsFunc(p.story.changes, func(c change) bool {
			return c.route == r.ID && (len(p.story.faults) > 0 || c.at > p.endedAt)
		})
		// A late write is awaited in a rollback only, and not if it only attaches groups.
		same := now != nil && (now.Equal(r.State) || late && (now.EqualTraffic(r.State) || p.failure != nil && p.failure.Disposition != rollout.RolledBack))
		if r.Read && now != nil && !same && !stale && !changed {
			p.violatef("the result has %[2]v for %[1]s, the route has %[3]v", r.ID, r.State.Weights, now.Weights)
		}
		if p.failure == nil && p.story.request.Desired != nil && !r.Weights.Equal(p.story.request.Desired) {
			p.violatef("the shift completed, but %s has %v", r.ID, r.Weights)
		}
		if p.failure != nil && now != nil {
			p.checkDisposition(i, *now)
		}
	}
	p.checkWrites()
}

// now returns the state of a route, nil if it was deleted.
func (p *player) now(route string) *traffic.State {
	for _, c := range p.story.changes {
		if c.remove == route {
			return nil
		}
	}
	return new(p.memory.Now(route))
}

// checkDisposition checks that the disposition of a failure is true of the i-th route.
func (p *player) checkDisposition(i int, now traffic.State) {
	r := p.story.routes[i]
	changed := slices.ContainsFunc(p.story.changes, func(c change) bool { return c.route == r.id && c.record == nil })
	stale := slices.ContainsFunc(p.story.faults, isAgeless)
	restored := now.Response == r.state.Response
	if p.longest == 0 {
		return // nothing could be decided
	}
	origin := p.schedule.Origin(i)
	if back := p.schedule.Request.Routes[i].Back; back != nil && p.schedule.RollsBackFirst {
		origin = back
	}
	if origin != nil {
		restored = p.spec().Owners.Weights(r.entry, now).Equal(origin)
	}
	afterwards := slices.ContainsFunc(p.story.changes, func(c change) bool { return c.route == r.id && c.at > p.endedAt })
	if p.failure.Disposition == rollout.RolledBack && !stale && !restored && !afterwards || p.failure.Disposition == rollout.Unchanged && !changed && !now.EqualTraffic(r.state) {
		p.violatef("the disposition of %s is %s, but it has %v", r.id, p.failure.Disposition, now.Weights)
	}
	if p.failure.Disposition == "" || p.failure.Cause == "" {
		p.violatef("a failure without cause or disposition: %+v", p.failure)
	}
}

// checkWrites checks the number of writes per route: one per step, at most one each to
// attach and to detach, and at most one to roll back. Faults and deleted groups may
// require more.
func (p *player) checkWrites() {
	forward, rollback := map[string]int{}, map[string]int{}
	for _, c := range p.memory.Calls() {
		if c.Op == routertest.Write && c.Rollback {
			rollback[c.Routes[0]]++
		} else if c.Op == routertest.Write {
			forward[c.Routes[0]]++
		}
	}
	deleted := slices.ContainsFunc(p.story.changes, func(c change) bool { return c.gone != "" }) // a write with such a group is repeated without it
	if len(p.story.faults) > 0 || deleted {
		return
	}
	most, back := len(p.story.request.Strategy.Steps)+1+2, 1
	if p.schedule.RollsBackFirst {
		back = 2
	}
	for _, r := range p.story.routes {
		if forward[r.id] > most || rollback[r.id] > back {
			p.violatef("%s has %d forward writes (at most %d) and %d rollback writes", r.id, forward[r.id], most, rollback[r.id])
		}
	}
}
