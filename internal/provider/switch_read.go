package provider

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// refresh updates a state and its memory from the routes. A missing route is left out, also where none is left:
// the plan and the apply report it, and what is rejected stays remembered. It changes nothing where the
// reads may be stale and would reject a version.
func (r *switchResource) refresh(ctx context.Context, m *switchModel, memory *release.Memory, began time.Time) (stale bool, diags diag.Diagnostics) {
	routes := m.stateRoutes()
	r.see(*m)
	if len(routes) == 0 {
		return false, nil
	}
	c, err := r.backend.connect(ctx, routes[0].ID)
	if err != nil {
		return false, diag.Diagnostics{unreadable(routes, err)}
	}
	entry, _ := m.platform()
	s := release.NewObservation(m.decode(), *memory, entry.Release())
	found, err := readExisting(ctx, c.Reader, idsOf(routes))
	if err != nil {
		return false, diag.Diagnostics{unreadable(routes, err)}
	}
	records := r.readRecords(ctx, c, idsOf(routes))
	if s.State.Environments != nil && s.MayBeStale(found, records.found, time.Now()) || records.isGuarded() && time.Since(began) < guardianWait {
		c.Reader.Invalidate()
		return true, nil
	}
	if s.State.Environments == nil {
		if d := adopt(s, routes, found); d != nil {
			return false, diag.Diagnostics{d}
		}
		m.Environments = environmentsValue(entry, s.State.Environments)
	}
	s.Update(found, time.Now())
	diags = records.update(s, routes)
	r.observeOtherRoutes(ctx, c.Reader, s)
	observeManaged(ctx, c, s)
	observeSlowStart(ctx, c.Groups, s, m.Strategy)
	observeIdleHealth(ctx, c.Reader, s)
	m.encode(s.State)
	if s.Memory.Adopted != nil {
		m.hideImportedNames()
	}
	m.refreshStickiness(routes, found)
	*memory = s.Memory
	return false, diags
}

// guardianWait is how long a refresh waits for the guardian of a shift whose owner died, which returns the
// traffic. It is longer than a guardian watches for late writes where the API responds.
const guardianWait = time.Minute

// staleReadPause is the pause before a refresh reads again what may be stale.
const staleReadPause = 2 * time.Second

// refreshFresh is refresh, repeated where it would reject a version because of reads that may be older than the last
// shift. Each attempt has its own time limit.
func (r *switchResource) refreshFresh(ctx context.Context, m *switchModel, memory *release.Memory) diag.Diagnostics {
	for began := time.Now(); ; {
		limited, cancel := limitRefresh(ctx)
		stale, diags := r.refresh(limited, m, memory, began)
		cancel()
		if !stale {
			return diags
		}
		select {
		case <-ctx.Done():
			return diag.Diagnostics{unreadable(m.stateRoutes(), ctx.Err())}
		case <-time.After(staleReadPause):
		}
	}
}

// recordsRead is the records of shifts on the routes.
type recordsRead struct {
	off   bool
	found []traffic.Left
	err   error
}

func (r *switchResource) readRecords(ctx context.Context, c *platform.Clients, routes []string) recordsRead {
	if r.backend.noRecord || c.Recorder == nil {
		return recordsRead{off: true}
	}
	records, err := c.Reader.Records(ctx, routes)
	return recordsRead{found: traffic.MergeRecords(records), err: err}
}

// isGuarded reports whether a guardian is about to return the traffic of a shift.
func (x recordsRead) isGuarded() bool {
	return slices.ContainsFunc(x.found, func(r traffic.Left) bool { return r.IsOpen() && owner.IsGuarded(r.Owner) })
}

// update takes over the records. Where they could not be read, the last ones stay: a plan goes on with a warning,
// because a rollback needs no record.
func (x recordsRead) update(s *release.Observation, routes []traffic.Route) diag.Diagnostics {
	switch {
	case x.off:
		s.Memory.Records = nil
	case x.err != nil:
		return diag.Diagnostics{recordsUnread(routes, x.err)}
	default:
		s.UpdateRecords(x.found, owner.Abandoned, time.Now())
	}
	return nil
}

// adopt takes over what the routes of an import do.
func adopt(s *release.Observation, routes []traffic.Route, found map[string]traffic.State) diag.Diagnostic {
	if len(found) < len(routes) {
		return importMissing(routes, found)
	}
	if route := s.Adopt(found); route != nil {
		return importForwardsNothing(*route, found[route.ID].Response)
	}
	return nil
}

// readExisting reads routes and leaves out those that do not exist.
func readExisting(ctx context.Context, reader routeReader, routes []string) (map[string]traffic.State, error) {
	arns := slices.Clone(routes)
	for len(arns) > 0 {
		states, err := reader.Read(ctx, arns)
		if gone, is := traffic.Missing(err); is && slices.Contains(arns, gone) {
			arns = slices.DeleteFunc(arns, func(arn string) bool { return arn == gone })
			continue
		}
		if err != nil {
			return nil, err
		}
		found := map[string]traffic.State{}
		for i, arn := range arns {
			found[arn] = states[i]
		}
		return found, nil
	}
	return nil, nil
}

// idsOf returns the ids of routes.
func idsOf(routes []traffic.Route) []string {
	var ids []string
	for _, route := range routes {
		ids = append(ids, route.ID)
	}
	return ids
}

// refreshStickiness refreshes the stickiness where it is configured.
func (m *switchModel) refreshStickiness(routes []traffic.Route, found map[string]traffic.State) {
	p, _ := m.platform()
	block := m.router()
	if input.Missing(block["stickiness"]) {
		return
	}
	configured, err := time.ParseDuration(input.AsText(block["stickiness"]))
	if err != nil {
		return
	}
	for _, route := range routes {
		now, ok := found[route.ID]
		if !ok || now.Weights == nil || now.Stickiness == configured {
			continue
		}
		values := maps.Clone(block)
		values["stickiness"] = types.StringValue(schedule.FormatDuration(now.Stickiness))
		*m.blocks()[p.Block] = blockList(p.Schema(), values)
		return
	}
}

// observeOtherRoutes finds listeners and rules that forward to an environment and are neither routes nor test
// routes of an environment of this configuration, which Terraform plans before. Missing permission is not an error.
func (r *switchResource) observeOtherRoutes(ctx context.Context, reader platform.SharedReader, s *release.Observation) {
	arns := slices.Sorted(maps.Keys(s.Memory.Routes))
	others, err := reader.OtherRoutes(ctx, arns, s.Groups())
	if err != nil {
		tflog.Warn(ctx, "other_routes_not_read", map[string]any{"error": err.Error()})
		return
	}
	s.Memory.OtherRoutes = nil
	for _, other := range others {
		if _, is := r.backend.ledger.IsTest(other.Route); is {
			continue
		}
		s.Memory.OtherRoutes = append(s.Memory.OtherRoutes, release.OtherRoute{Route: other.Route, Text: other.Text, Groups: other.Groups})
	}
}

// observeManaged finds routes that something else manages too, of which the schedule warns: it may reset the weights.
// Missing permission is not an error.
func observeManaged(ctx context.Context, c *platform.Clients, s *release.Observation) {
	s.Memory.Managed = nil
	if c.Managed == nil {
		return
	}
	found, err := c.Managed(ctx, slices.Sorted(maps.Keys(s.Memory.Routes)))
	if err != nil {
		tflog.Warn(ctx, "managers_not_read", map[string]any{"error": err.Error()})
	}
	for _, managed := range found {
		s.Memory.Managed = append(s.Memory.Managed, release.ManagedRoute{Route: managed.Route, Text: managed.Text})
	}
}

// observeSlowStart reads the slow start duration of the target groups of idle environments, with one call per
// group: the schedule warns of holds that are shorter. It is not read where there are no holds. Missing
// permission is not an error.
func observeSlowStart(ctx context.Context, groups platform.GroupInspector, s *release.Observation, strategy types.List) {
	s.Memory.SlowStart = nil
	_, attrs := (&decoder{}).Block(path.Empty(), strategy)
	steps, ok := attrs["steps"].(types.List)
	if !ok || len(steps.Elements()) == 0 {
		return
	}
	found, err := groups.SlowStarts(ctx, s.IdleGroups())
	if err != nil {
		tflog.Warn(ctx, "slow_start_not_read", map[string]any{"error": err.Error()})
	}
	if len(found) > 0 {
		s.Memory.SlowStart = found
	}
}

// observeIdleHealth finds attached groups of idle environments without a healthy target, of which the schedule
// warns. The reader reads a group once, and only so many in a run. Missing permission is not an error.
func observeIdleHealth(ctx context.Context, reader platform.SharedReader, s *release.Observation) {
	s.Memory.IdleUnhealthy = nil
	groups := s.AttachedIdleGroups()
	health, err := reader.IdleHealth(ctx, groups)
	if err != nil {
		tflog.Warn(ctx, "idle_health_not_read", map[string]any{"error": err.Error()})
	}
	for _, group := range groups {
		if h, read := health[group]; read && h.Serving() == 0 {
			s.Memory.IdleUnhealthy = append(s.Memory.IdleUnhealthy, group)
		}
	}
}
