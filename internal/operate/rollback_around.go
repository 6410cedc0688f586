package operate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// checkExist refuses a rollback to a group that does not exist. One that a route has does, and what
// cannot be read does not hold up a rollback.
func (p *Plan) checkExist(ctx context.Context) *Problem {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	checked := map[string]bool{}
	for i, target := range p.targets {
		for _, group := range target.Groups() {
			if _, has := p.states[i].Weights[group]; has || target.Weights[group] == 0 || checked[group] {
				continue
			}
			checked[group] = true
			_, err := p.operator.Router.Health(ctx, []string{group})
			if id, missing := traffic.Missing(err); missing && id == group {
				backend := p.operator.Target.router().Backend
				return p.refuse(fmt.Sprintf("The %s %s does not exist.", backend, group), "Name another "+backend+" or environment with --to.")
			}
		}
	}
	return nil
}

// warnOthers warns of routes beside those of the target that keep sending traffic to what loses it here. What
// cannot be read does not hold up a rollback.
func (p *Plan) warnOthers(ctx context.Context) {
	if p.operator.Others == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var losing []string
	for i, s := range p.states {
		for group, weight := range s.Weights {
			if weight > 0 && p.targets[i].Weights[group] == 0 {
				losing = append(losing, group)
			}
		}
	}
	if len(losing) == 0 {
		return
	}
	slices.Sort(losing)
	others, err := p.operator.Others(ctx, p.operator.Target.ids(), slices.Compact(losing))
	if err != nil {
		return
	}
	for _, other := range others {
		var names []string
		for _, group := range other.Groups {
			names = append(names, groupName(group))
		}
		p.warn("%s also sends traffic to %s, and is not moved. If the same switch has it, name it as well: --route %s.", other.Text, strings.Join(names, ", "), other.Route)
	}
}

// warnRunning says what a running apply does that no record can stop.
func (p *Plan) warnRunning() {
	if p.operator.unrecorded() != "" && p.moves() {
		p.warn("A running apply notices this at its next step or at its end only: it fails then, and leaves the traffic there. To end it now, interrupt it with Ctrl-C.")
	}
}

// nameTarget says how to name what gets the traffic, where no record has it.
func (p *Plan) nameTarget() string {
	t := p.operator.Target
	if names := slices.Sorted(maps.Keys(t.Environments)); len(names) > 0 {
		return "Name the environment that gets all traffic with --to. There are " + strings.Join(names, ", ") + "."
	}
	return "Name the " + t.router().Backend + " that gets all traffic with --to, or use -f with the state of the switch and the name of an environment."
}

// propagates reports whether writes take effect later than reads show them.
func (p *Plan) propagates() bool {
	_, is := p.operator.Rollback.(traffic.Propagator)
	return is
}

// cached is how long resolvers may keep answers from before the rollback; 0: not at all.
func (p *Plan) cached() (longest time.Duration) {
	for _, s := range p.states {
		longest = max(longest, s.Cached)
	}
	return longest
}

// cachedText says how long answers from before a rollback may be in use.
func (r Result) cachedText() string {
	return fmt.Sprintf("The name servers answer with the new weights. Resolvers may keep earlier answers for up to %s.", schedule.FormatDuration(time.Duration(r.TTL*float64(time.Second))))
}

// isWritten reports whether every route was read back with its target: only the propagation failed.
func (p *Plan) isWritten(returned rollout.Returned) bool {
	for i, route := range returned.Routes {
		if !route.Read || i >= len(p.targets) || !route.State.EqualTraffic(p.targets[i]) {
			return false
		}
	}
	return len(returned.Routes) > 0
}
