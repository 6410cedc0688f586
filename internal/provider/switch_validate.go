package provider

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/ledger"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// planTimeout bounds the one call that a plan may make.
const planTimeout = 5 * time.Second

// validate reports what is invalid in a configuration, as far as it is known.
func validate(config switchModel) diag.Diagnostics {
	var diags diag.Diagnostics
	if d := validateTraffic(config); d != nil {
		diags.Append(d)
	}
	if d := validateBlocks(config); d != nil {
		diags.Append(d)
	}
	rd := &decoder{}
	w := rd.read(config, configuredTraffic(config))
	diags.Append(rd.Diags...)
	if limit := w.platform.Limits.Groups; limit > 0 && len(w.Weights.Names()) > limit {
		diags.Append(tooManyGroups(trafficPath(config), w.platform.LimitText, shift.ErrTooManyGroups))
	}
	diags.Append(validateShares(config, w)...)
	return diags
}

// validateShares checks that the router can express the desired weights, and the steps of a shift
// between two environments.
func validateShares(config switchModel, w desired) diag.Diagnostics {
	if _, exact := w.platform.Limits.Express(w.Weights); w.platform.Limits.Whole && !exact {
		return diag.Diagnostics{allOrNothing(trafficPath(config))}
	}
	if w.Weights != nil {
		if nearest, exact := w.platform.Limits.Express(w.Weights); !exact {
			return diag.Diagnostics{inexactWeights(trafficPath(config), release.InexactError{At: shift.Full, Weights: w.Weights, Nearest: nearest})}
		}
	}
	if _, sole := w.Weights.Sole(); !sole {
		return nil
	}
	for _, step := range w.Strategy.Path() {
		split := shift.Weights{"from": shift.Full - step.At, "to": step.At}
		if nearest, exact := w.platform.Limits.Express(split); !exact {
			if w.platform.Limits.Whole {
				return diag.Diagnostics{allOrNothing(strategyPath(config))}
			}
			return diag.Diagnostics{inexactStep(strategyPath(config), step.At, nearest["to"])}
		}
	}
	return nil
}

// validateBlocks checks that a switch has the block of one platform only.
func validateBlocks(config switchModel) diag.Diagnostic {
	var found []string
	for _, p := range platform.All() {
		if !input.NoBlock(*config.blocks()[p.Block]) {
			found = append(found, p.Block)
		}
	}
	if len(found) < 2 {
		return nil
	}
	return twoRouterBlocks(path.Root(found[1]), found)
}

// validateTraffic checks that exactly one of active and weights is set. An unknown value may turn out to be
// null.
func validateTraffic(config switchModel) diag.Diagnostic {
	switch {
	case config.Active.IsNull() && config.Weights.IsNull():
		return neitherActiveNorWeights()
	case config.Active.IsUnknown() || config.Weights.IsUnknown():
		return nil
	case !config.Active.IsNull() && !config.Weights.IsNull():
		return activeAndWeights()
	}
	return nil
}

func configuredTraffic(config switchModel) trafficConfig {
	switch {
	case !config.Weights.IsNull() && !config.Weights.IsUnknown():
		return trafficConfig{weights: &config.Weights}
	case !config.Active.IsNull() && !config.Active.IsUnknown():
		return trafficConfig{active: &config.Active}
	}
	return trafficConfig{ignored: true}
}

// checkUnread checks routes that a plan contains for the first time and of which only a read shows that they
// cannot be used: whether a rule is its listener's default is not visible in the ARN. It also warns of what else
// manages them, and reports nothing else; the apply does.
func (r *switchResource) checkUnread(ctx context.Context, config switchModel, m release.Memory) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	var diags diag.Diagnostics
	p, _ := config.platform()
	for at, route := range unreadRoutes(p, config, m) {
		if r.backend == nil {
			return nil
		}
		c, err := r.backend.connect(ctx, route)
		if err != nil {
			if d := p.ReadFault(at, route, err); d != nil {
				diags.Append(d)
			}
			return diags
		}
		if _, err := c.Reader.Read(ctx, []string{route}); err == nil {
			diags.Append(managedElsewhere(ctx, c, route)...)
		} else if d := p.ReadFault(at, route, err); d != nil {
			diags.Append(d)
		}
	}
	return diags
}

// managedElsewhere warns of what else manages a route of which no schedule warns, because no refresh has read it.
// Missing permission is not an error.
func managedElsewhere(ctx context.Context, c *platform.Clients, route string) (diags diag.Diagnostics) {
	if c.Managed == nil {
		return nil
	}
	found, err := c.Managed(ctx, []string{route})
	if err != nil {
		tflog.Warn(ctx, "managers_not_read", map[string]any{"error": err.Error()})
	}
	for _, managed := range found {
		diags.Append(routeManagedElsewhere(managed))
	}
	return diags
}

// checkMetrics checks that the requests of the environments are counted, where a gate evaluates them and only a read
// shows that. It reports nothing else; the apply does.
func (r *switchResource) checkMetrics(ctx context.Context, p plannedGates) (diags diag.Diagnostics) {
	if r.backend == nil || len(p.Routes) == 0 || !p.platform.Composes() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	deps := r.backend.dependencies(ctx, p.platform, p.Routes[0].ID)
	for _, g := range p.gates {
		at, needs := g.NeedsRequests()
		if !needs {
			continue
		}
		none, is := errors.AsType[*traffic.NoMetricsError](gate.CheckTargetMetrics(ctx, backendsOf(p.Desired), deps))
		if is {
			diags.Append(input.Misuse(at, sentence(none.Cause)+" "+sentence(none.Action), input.Fact{"Gate", g.Terms.Name}))
		}
	}
	return diags
}

// sentence makes a clause a sentence.
func sentence(clause string) string { return strings.ToUpper(clause[:1]) + clause[1:] + "." }

// backendsOf returns the known groups of all environments with their routes.
func backendsOf(w release.Desired) []traffic.Backend {
	var all []traffic.Backend
	for _, name := range w.Names() {
		groups, routes := w.Environments[name].Groups, routesByEntry(w.Routes)
		for _, entry := range slices.Sorted(maps.Keys(groups)) {
			all = append(all, traffic.Backend{Entry: entry, Environment: name, Group: groups[entry], Routes: routes[entry]})
		}
	}
	return all
}

// unreadRoutes returns the routes of a configuration that Read has not read and that have to be, with their paths.
func unreadRoutes(p platform.Entry, config switchModel, m release.Memory) iter.Seq2[path.Path, string] {
	return func(yield func(path.Path, string) bool) {
		for at, id := range config.knownRoutes() {
			if _, seen := m.Routes[id]; seen || !p.Unread(id) {
				continue
			}
			if !yield(at, id) {
				return
			}
		}
	}
}

// knownRoutes returns the routes that are known, with their paths, by entry point.
func (m switchModel) knownRoutes() iter.Seq2[path.Path, string] {
	return func(yield func(path.Path, string) bool) {
		routes := m.routes()
		p, _ := m.platform()
		for _, entry := range slices.Sorted(maps.Keys(routes.Elements())) {
			list, _ := routes.Elements()[entry].(types.List)
			for i, e := range list.Elements() {
				if id := input.AsText(e); id != "" && !yield(p.RoutesAt().AtMapKey(entry).AtListIndex(i), id) {
					return
				}
			}
		}
	}
}

// identify returns the id of a planned switch in the ledger. The plan of a replacement follows the
// plan of the change that it replaces, and has its private state.
func (r *switchResource) identify(p planning) int {
	if r.backend == nil {
		return 0
	}
	if p.state != nil {
		return r.backend.ledger.Identify(0)
	}
	return r.backend.ledger.Identify(p.before.Switch)
}

// see records the routes and target groups of a switch for the protection of environments.
func (r *switchResource) see(switches ...switchModel) {
	for _, m := range switches {
		r.backend.ledger.See(idsOf(m.stateRoutes()), m.stateGroups())
		environments := m.stateEnvironments()
		for name, id := range m.stateIDs() {
			r.backend.ledger.Adopt(id, slices.Sorted(maps.Values(environments[name].Groups)))
		}
	}
}

// checkRoutes checks routes against what else this run has planned: no other switch and no environment, as a
// test route, has one of them. It also records them for the protection of environments.
func (r *switchResource) checkRoutes(config, planned switchModel, id int) diag.Diagnostics {
	if r.backend == nil {
		return nil
	}
	var diags diag.Diagnostics
	r.see(planned)
	r.backend.ledger.PlanGroups(planned.stateGroups())
	for at, route := range config.knownRoutes() {
		if other, taken := r.backend.ledger.PlanRoute(route, ledger.Switch{ID: id, Text: planned.identity()}); taken {
			diags.Append(routeOfTwoSwitches(at, route, other.Text))
		}
		if environment, is := r.backend.ledger.IsTest(route); is {
			diags.Append(routeIsTest(at, route, environment))
		}
		if err := r.backend.session.AWS.Allows(route); err != nil {
			diags.Append(accountOfRoute(at, route, err))
		}
	}
	return diags
}

// checkAccount checks the account of the credentials for a Create: a refresh of a switch that exists would have
// failed with those of another account.
func (r *switchResource) checkAccount(ctx context.Context, config switchModel, p planning) diag.Diagnostics {
	if r.backend == nil || p.state != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	first := ""
	entry, _ := config.platform()
	for _, route := range config.knownRoutes() {
		first = route
		break
	}
	if err := entry.CheckPlanned(ctx, &r.backend.session, first); err != nil {
		return diag.Diagnostics{accountAtPlan(err)}
	}
	return nil
}

// checkInline checks inline environments that have traffic, as far as the last refresh knows. Removing one, or all of
// its resources, is an error: Terraform destroys what a configuration no longer has before it updates the switch,
// unless every such resource has create_before_destroy, which the provider cannot see. Two applies are always safe.
// Replacing its groups or resources is only a warning, because create_before_destroy is usual there.
func (p planning) checkInline(config switchModel, w desired, prior release.Prior) diag.Diagnostics {
	// What an import found was in no configuration, so nothing is removed with it.
	if p.state == nil || p.memory.Adopted != nil || w.Environments == nil {
		return nil
	}
	var diags diag.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(prior.State.Environments)) {
		before := (&decoder{}).Attributes(p.state.Environments.Elements()[name])
		users := p.trafficOf(prior.State.Environments[name])
		if len(users) == 0 || !input.Missing(before["resource_type"]) {
			continue
		}
		now := prior.CurrentName(name)
		c := inlineChange{name: name, traffic: users}
		if w.Weights[now] == 0 {
			c.goal = w.Weights
		}
		_, configured := w.Environments[name]
		after := (&decoder{}).Attributes(config.Environments.Elements()[now])
		switch lost := w.notConfigured(users); {
		case len(lost) > 0 && !configured:
			c.traffic = lost
			diags.Append(c.removed(""))
		case len(lost) > 0:
			c.traffic = lost
			diags.Append(c.replaced("a "+w.platform.Backend, w.Environments[name].GroupsUnknown))
		default:
			c.name = now
			diags.Append(c.backing(before["backed_by"], after["backed_by"])...)
		}
	}
	return diags
}

// trafficOf returns the traffic of an environment when it was last read.
func (p planning) trafficOf(e release.Environment) []trafficMemory {
	var users []trafficMemory
	for _, route := range slices.Sorted(maps.Keys(p.memory.Routes)) {
		seen := p.memory.Routes[route].State()
		shares := shift.FromRaw(seen.Weights)
		for _, group := range slices.Compact(slices.Sorted(maps.Values(e.Groups))) {
			if shares[group] > 0 {
				users = append(users, trafficMemory{Route: route, Text: cmp.Or(seen.Label, platform.Label(route)), Group: group, Share: shares[group]})
			}
		}
	}
	return users
}

// notConfigured returns the traffic of groups that are in no environment any more.
func (w desired) notConfigured(users []trafficMemory) []trafficMemory {
	return slices.DeleteFunc(slices.Clone(users), func(u trafficMemory) bool {
		for _, e := range w.Environments {
			if slices.Contains(slices.Collect(maps.Values(e.Groups)), u.Group) {
				return true
			}
		}
		return false
	})
}

// backing compares backed_by before and after. Without the argument after, nothing is known: it may have been dropped.
func (c inlineChange) backing(before, after attr.Value) diag.Diagnostics {
	was, _ := before.(types.List)
	now, _ := after.(types.List)
	switch {
	case len(was.Elements()) == 0 || now.IsNull():
	case !now.IsUnknown() && len(now.Elements()) == 0:
		return diag.Diagnostics{c.removed("everything in backed_by of ")}
	case !slices.ContainsFunc(was.Elements(), func(v attr.Value) bool { return slices.ContainsFunc(now.Elements(), v.Equal) }):
		return diag.Diagnostics{c.replaced("everything in backed_by", hasUnknown(now))}
	}
	return nil
}
