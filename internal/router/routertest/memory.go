package routertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

const heaviest = 999 // the most that ELB takes as a weight

var (
	errInvalid = errors.New("invalid setting")
	errKeep    = errors.New("the setting was not read from this route")
)

// Memory is a balancer and its router in memory. It behaves as ELB does where a
// caller can tell: the targets of a group that no route names are unused, a
// write replaces all that a route does, and a route takes five groups at most.
//
// It starts no goroutine and opens no socket. It reads the time, and waits only
// where a Fault says so, so it belongs into a synctest bubble.
type Memory struct {
	mu     sync.Mutex
	start  time.Time
	routes map[string]*route
	groups map[string]*group
	faults []*fault
	events []event
	calls  []Call
	watch  func(Call)
}

type route struct {
	extra   string // whatever else it does, such as authenticate
	history []past // the last is now
}

type past struct {
	at      time.Time
	setting rollout.RouteState
}

type group struct {
	targets    []rollout.Target
	firstCheck time.Duration
	inUse      bool
	inUseSince time.Time
	elsewhere  bool
}

type event struct {
	at time.Time
	do func()
}

// raw is what Memory puts into Setting.Keep.
type raw struct {
	route, extra string
	setting      rollout.RouteState
}

// NewMemory returns a balancer without routes and groups.
func NewMemory() *Memory {
	return &Memory{start: time.Now(), routes: map[string]*route{}, groups: map[string]*group{}}
}

// AddRoute adds a route that does this. Groups that it names are added, with
// no targets, where they are not there yet.
func (m *Memory) AddRoute(id string, setting rollout.RouteState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range setting.Weights {
		if m.groups[name] == nil {
			m.groups[name] = &group{}
		}
	}
	m.routes[id] = &route{}
	m.set(id, setting)
}

// RemoveRoute plays someone who deletes a listener or a rule.
func (m *Memory) RemoveRoute(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.routes, id)
	m.noteUse()
}

// SetExtra gives a route something else to do than to forward, as an
// authenticate action is. A Write keeps it by the Setting's Keep alone.
func (m *Memory) SetExtra(id, extra string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.routes[id].extra = extra
}

// Extra returns what a route does beside forwarding.
func (m *Memory) Extra(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routes[id].extra
}

// Change plays someone else who changes a route, by hand or with another tool.
// It is not recorded as a call.
func (m *Memory) Change(id string, setting rollout.RouteState) {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(id, setting)
}

// Now returns what a route really does, whatever reads show.
func (m *Memory) Now(id string) rollout.RouteState {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := copyState(m.routes[id].now())
	s.Raw = nil
	return s
}

// SetTargets makes these the targets of a group, in the states that checks find
// them in. It plays everything that happens to machines: they are registered,
// break, recover, drain, and go. While the group is not in use, they show as
// unused whatever their state.
func (m *Memory) SetTargets(name string, targets ...rollout.Target) {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[name] == nil {
		m.groups[name] = &group{}
	}
	m.groups[name].targets = slices.Clone(targets)
	m.noteUse()
}

// Targets returns n targets in one state, for SetTargets.
func Targets(n int, state rollout.TargetState) []rollout.Target {
	reasons := map[rollout.TargetState]string{
		rollout.Unhealthy: "Target.FailedHealthChecks",
		rollout.Initial:   "Elb.RegistrationInProgress",
		rollout.Draining:  "Target.DeregistrationInProgress",
		rollout.Unused:    "Target.NotInUse",
		rollout.Unchecked: "Target.HealthCheckDisabled",
	}
	var targets []rollout.Target
	for i := range n {
		targets = append(targets, rollout.Target{ID: fmt.Sprintf("10.0.0.%d:80", i+1), State: state, Reason: reasons[state]})
	}
	return targets
}

// SetFirstCheck says how long the targets of a group are initial once a route
// names it: the interval of its health checks times the healthy threshold.
func (m *Memory) SetFirstCheck(name string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[name].firstCheck = d
}

// UseElsewhere plays a listener or rule that is none of the routes and names
// the group, so that its targets are checked before any route does.
func (m *Memory) UseElsewhere(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[name].elsewhere = true
	m.noteUse()
}

// RemoveGroup plays someone who deletes a target group.
func (m *Memory) RemoveGroup(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.groups, name)
}

// At does something so long after NewMemory: at the first call from then on, in
// the order of time. The function may use every method of Memory.
func (m *Memory) At(after time.Duration, do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, event{m.start.Add(after), do})
	slices.SortStableFunc(m.events, func(a, b event) int { return a.at.Compare(b.at) })
}

// RollbackClient returns the same balancer by a second client, whose calls are recorded
// as such, for rollout.Spec.Home.
func (m *Memory) RollbackClient() rollout.Router { return rollbackClient{m} }

type rollbackClient struct{ m *Memory }

func (h rollbackClient) Read(ctx context.Context, routes []string) ([]rollout.RouteState, error) {
	return h.m.read(ctx, Call{Op: Read, Rollback: true, Routes: slices.Clone(routes)})
}

func (h rollbackClient) Write(ctx context.Context, route string, want rollout.RouteState) error {
	return h.m.write(ctx, Call{Op: Write, Rollback: true, Routes: []string{route}, Want: want})
}

func (h rollbackClient) Health(ctx context.Context, groups []string) (map[string]rollout.Health, error) {
	return h.m.health(ctx, Call{Op: Health, Rollback: true, Groups: slices.Clone(groups)})
}

// Read implements rollout.Router.
func (m *Memory) Read(ctx context.Context, routes []string) ([]rollout.RouteState, error) {
	return m.read(ctx, Call{Op: Read, Routes: slices.Clone(routes)})
}

// Write implements rollout.Router.
func (m *Memory) Write(ctx context.Context, route string, want rollout.RouteState) error {
	return m.write(ctx, Call{Op: Write, Routes: []string{route}, Want: want})
}

// Health implements rollout.Router.
func (m *Memory) Health(ctx context.Context, groups []string) (map[string]rollout.Health, error) {
	return m.health(ctx, Call{Op: Health, Groups: slices.Clone(groups)})
}

func (m *Memory) read(ctx context.Context, call Call) (found []rollout.RouteState, err error) {
	defer func() { m.record(call, err) }()
	met, err := m.meet(ctx, call)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range call.Routes {
		r := m.routes[id]
		if r == nil {
			return nil, fmt.Errorf("route %s: %w", id, rollout.ErrNotFound)
		}
		s := copyState(r.now())
		if stale, ok := met[Stale]; ok && stale.about(id) {
			s = copyState(r.before(stale.For))
		}
		s.Raw = raw{route: id, extra: r.extra, setting: copyState(s)}
		found = append(found, s)
	}
	return found, nil
}

func (m *Memory) write(ctx context.Context, call Call) (err error) {
	defer func() { m.record(call, err) }()
	met, err := m.meet(ctx, call)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := call.Routes[0]
	r := m.routes[id]
	if r == nil {
		return fmt.Errorf("route %s: %w", id, rollout.ErrNotFound)
	}
	want, extra, err := m.accept(id, call.Want)
	if err != nil {
		return fmt.Errorf("route %s: %w", id, err)
	}
	if _, lost := met[Lost]; lost {
		return nil
	}
	r.extra = extra
	m.set(id, want)
	if f, lost := met[AnswerLost]; lost {
		return f.err()
	}
	return nil
}

func (m *Memory) health(ctx context.Context, call Call) (found map[string]rollout.Health, err error) {
	defer func() { m.record(call, err) }()
	if _, err := m.meet(ctx, call); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found = map[string]rollout.Health{}
	for _, name := range call.Groups {
		g := m.groups[name]
		if g == nil {
			return nil, fmt.Errorf("group %s: %w", name, rollout.ErrNotFound)
		}
		found[name] = rollout.Health{Targets: g.shown(time.Now())}
	}
	return found, nil
}

// accept checks a setting as the API does and returns what the route is to do.
func (m *Memory) accept(id string, want rollout.RouteState) (rollout.RouteState, string, error) {
	was, ok := want.Raw.(raw)
	if !ok || was.route != id {
		return want, "", errKeep
	}
	if want.Response != "" {
		if want.Response != was.setting.Response {
			return want, "", fmt.Errorf("%w: the answer %q was not read from it", errInvalid, want.Response)
		}
		return copyState(was.setting), was.extra, nil
	}
	if len(want.Weights) == 0 || len(want.Weights) > shift.MaxGroups {
		return want, "", fmt.Errorf("%w: %d groups", errInvalid, len(want.Weights))
	}
	for name, n := range want.Weights {
		if m.groups[name] == nil {
			return want, "", fmt.Errorf("group %s: %w", name, rollout.ErrNotFound)
		}
		if n < 0 || n > heaviest {
			return want, "", fmt.Errorf("%w: weight %d", errInvalid, n)
		}
	}
	return rollout.RouteState{Weights: maps.Clone(want.Weights), Stickiness: want.Stickiness}, was.extra, nil
}

// set changes what a route does. The lock is held.
func (m *Memory) set(id string, setting rollout.RouteState) {
	s := copyState(setting)
	s.Raw = nil
	r := m.routes[id]
	r.history = append(r.history, past{time.Now(), s})
	m.noteUse()
}

// noteUse notes which groups came into use or went out of it. The lock is held.
func (m *Memory) noteUse() {
	used := map[string]bool{}
	for _, r := range m.routes {
		for name := range r.now().Weights {
			used[name] = true
		}
	}
	for name, g := range m.groups {
		inUse := used[name] || g.elsewhere
		if inUse && !g.inUse {
			g.inUseSince = time.Now()
		}
		g.inUse = inUse
	}
}

// runEvents does what is due. An event may use every method, so the lock is
// not held while it runs.
func (m *Memory) runEvents() {
	for {
		m.mu.Lock()
		if len(m.events) == 0 || m.events[0].at.After(time.Now()) {
			m.mu.Unlock()
			return
		}
		next := m.events[0]
		m.events = m.events[1:]
		m.mu.Unlock()
		next.do()
	}
}

func (r *route) now() rollout.RouteState {
	if len(r.history) == 0 {
		return rollout.RouteState{}
	}
	return r.history[len(r.history)-1].setting
}

// before returns what the route did before its last change, or, with a lag,
// what it did that long ago.
func (r *route) before(lag time.Duration) rollout.RouteState {
	for i := len(r.history) - 1; i >= 0; i-- {
		if i < len(r.history)-1 && lag == 0 || lag > 0 && time.Since(r.history[i].at) >= lag {
			return r.history[i].setting
		}
	}
	return r.history[0].setting
}

func (g *group) shown(now time.Time) []rollout.Target {
	targets := slices.Clone(g.targets)
	for i, t := range targets {
		switch {
		case t.State == rollout.Draining || t.State == rollout.Unchecked:
		case !g.inUse:
			targets[i].State, targets[i].Reason = rollout.Unused, "Target.NotInUse"
		case now.Before(g.inUseSince.Add(g.firstCheck)):
			targets[i].State, targets[i].Reason = rollout.Initial, "Elb.InitialHealthChecking"
		}
	}
	return targets
}

func copyState(s rollout.RouteState) rollout.RouteState {
	s.Weights = maps.Clone(s.Weights)
	return s
}
