package routertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var (
	errInvalid  = errors.New("invalid state")
	errWrongRaw = errors.New("the state was not read from this route")
)

// Memory is an in-memory load balancer and its router. To callers it behaves like ELB:
// targets of a group on no route are unused, a write replaces the whole action of a
// route, and a route has five groups at most. It is safe for concurrent use. It starts
// no goroutine, opens no socket, and waits only where a Fault says so: it works in a synctest bubble.
type Memory struct {
	recorder // has a lock of its own, so that Watch may use every method
	timeline // the same, for At

	mu     sync.Mutex
	routes map[string]*route
	groups map[string]*group
	faults []*fault
	noted  map[string][]recordSnapshot                 // records by route; the last one is current
	asked  map[string]map[traffic.Verb]traffic.Request // requests by route
}

type route struct {
	extra   string     // what it does besides forwarding, such as authenticate
	history []snapshot // the last one is current
}

type snapshot struct {
	at    time.Time
	state traffic.State
}

type group struct {
	targets    []traffic.Target
	firstCheck time.Duration
	inUse      bool
	inUseSince time.Time
	elsewhere  bool
}

// raw is State.Raw of Memory.
type raw struct {
	route, extra string
	state        traffic.State
}

// NewMemory returns a load balancer without routes and groups.
func NewMemory() *Memory {
	now := time.Now()
	return &Memory{recorder: recorder{start: now}, timeline: timeline{began: now}, routes: map[string]*route{}, groups: map[string]*group{}}
}

// Limits returns those of Memory.
func Limits() traffic.Limits {
	return traffic.Limits{Groups: 5, Weight: 999, AttachesIdle: true, MinSticky: time.Second, MaxSticky: 7 * 24 * time.Hour}
}

// AddRoute adds a route, and its groups, without targets, where they do not exist yet.
func (m *Memory) AddRoute(id string, state traffic.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range state.Weights {
		if m.groups[name] == nil {
			m.groups[name] = &group{}
		}
	}
	m.routes[id] = &route{}
	m.set(id, state)
}

// RemoveRoute simulates that a listener or rule is deleted.
func (m *Memory) RemoveRoute(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.routes, id)
	m.updateInUse()
}

// SetExtra sets what a route does besides forwarding, such as an authenticate action. A
// Write preserves it only through State.Raw.
func (m *Memory) SetExtra(id, extra string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.routes[id].extra = extra
}

// Extra returns what a route does besides forwarding.
func (m *Memory) Extra(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routes[id].extra
}

// Change simulates an external change of a route. It is not recorded as a call.
func (m *Memory) Change(id string, state traffic.State) {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(id, state)
}

// Now returns the actual state of a route, even if reads are stale.
func (m *Memory) Now(id string) traffic.State {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := copyState(m.routes[id].now())
	s.Raw = nil
	return s
}

// SetTargets replaces the targets of a group, with the states that health checks would
// report. It simulates whatever happens to targets: they are registered, fail, recover,
// drain, and are deregistered. Targets of a group that is not in use are reported as
// unused, unless they are draining or unchecked.
func (m *Memory) SetTargets(name string, targets ...traffic.Target) {
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[name] == nil {
		m.groups[name] = &group{}
	}
	m.groups[name].targets = slices.Clone(targets)
	m.updateInUse()
}

// Targets returns n targets in the same state, for SetTargets.
func Targets(n int, state traffic.TargetState) []traffic.Target {
	reasons := map[traffic.TargetState]string{
		traffic.Unhealthy: "Target.FailedHealthChecks",
		traffic.Initial:   "Elb.RegistrationInProgress",
		traffic.Draining:  "Target.DeregistrationInProgress",
		traffic.Unused:    "Target.NotInUse",
		traffic.Unchecked: "Target.HealthCheckDisabled",
	}
	var targets []traffic.Target
	for i := range n {
		targets = append(targets, traffic.Target{ID: fmt.Sprintf("10.0.0.%d:80", i+1), State: state, Reason: reasons[state]})
	}
	return targets
}

// SetFirstCheck sets how long the targets of a group are initial after it is attached to
// a route: the health check interval times the healthy threshold.
func (m *Memory) SetFirstCheck(name string, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[name].firstCheck = d
}

// UseElsewhere simulates a listener or rule outside the routes that forwards to the
// group, so that its targets are checked although it is on no route.
func (m *Memory) UseElsewhere(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[name].elsewhere = true
	m.updateInUse()
}

// RemoveGroup simulates that a target group is deleted.
func (m *Memory) RemoveGroup(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.groups, name)
}

// RollbackClient returns a second client of the same load balancer, for
// rollout.Spec.RollbackRouter. Its calls are recorded with Call.Rollback.
func (m *Memory) RollbackClient() traffic.Router { return rollbackClient{m} }

type rollbackClient struct{ m *Memory }

func (c rollbackClient) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	return c.m.read(ctx, Call{Op: Read, Rollback: true, Routes: slices.Clone(routes)})
}

func (c rollbackClient) Write(ctx context.Context, route string, desired traffic.State) error {
	return c.m.write(ctx, Call{Op: Write, Rollback: true, Routes: []string{route}, Want: desired})
}

func (c rollbackClient) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	return c.m.health(ctx, Call{Op: Health, Rollback: true, Groups: slices.Clone(groups)})
}

// Read implements traffic.Router.
func (m *Memory) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	return m.read(ctx, Call{Op: Read, Routes: slices.Clone(routes)})
}

// Write implements traffic.Router.
func (m *Memory) Write(ctx context.Context, route string, desired traffic.State) error {
	return m.write(ctx, Call{Op: Write, Routes: []string{route}, Want: desired})
}

// Health implements traffic.Router.
func (m *Memory) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	return m.health(ctx, Call{Op: Health, Groups: slices.Clone(groups)})
}

func (m *Memory) read(ctx context.Context, call Call) (states []traffic.State, err error) {
	defer func() { m.record(call, err) }()
	faults, err := m.applyFaults(ctx, call)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range call.Routes {
		r := m.routes[id]
		if r == nil {
			return nil, fmt.Errorf("route %w", &traffic.MissingError{ID: id})
		}
		s := copyState(r.now())
		if stale, ok := faults[Stale]; ok && stale.about(id) {
			s = copyState(r.before(stale.For))
		}
		s.Raw = raw{route: id, extra: r.extra, state: copyState(s)}
		states = append(states, s)
	}
	return states, nil
}

func (m *Memory) write(ctx context.Context, call Call) (err error) {
	defer func() { m.record(call, err) }()
	faults, err := m.applyFaults(ctx, call)
	if err != nil {
		return err
	}
	if f, late := faults[Late]; late {
		return m.late(ctx, f.For, func() error { return m.applyWrite(call, faults) })
	}
	return m.applyWrite(call, faults)
}

// applyWrite carries out a write.
func (m *Memory) applyWrite(call Call, faults map[Kind]*fault) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := call.Routes[0]
	r := m.routes[id]
	if r == nil {
		return fmt.Errorf("route %w", &traffic.MissingError{ID: id})
	}
	state, extra, err := m.accept(id, call.Want)
	if err != nil {
		return fmt.Errorf("route %s: %w", id, err)
	}
	if _, lost := faults[Lost]; lost {
		return nil
	}
	r.extra = extra
	m.set(id, state)
	if f, lost := faults[AnswerLost]; lost {
		return f.err()
	}
	return nil
}

func (m *Memory) health(ctx context.Context, call Call) (health map[string]traffic.Health, err error) {
	defer func() { m.record(call, err) }()
	if _, err := m.applyFaults(ctx, call); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	health = map[string]traffic.Health{}
	for _, name := range call.Groups {
		g := m.groups[name]
		if g == nil {
			return nil, fmt.Errorf("group %w", &traffic.MissingError{ID: name})
		}
		health[name] = traffic.Health{Targets: g.reported(time.Now())}
	}
	return health, nil
}

// accept validates a state as the API does, and returns the new state and extra of the
// route.
func (m *Memory) accept(id string, desired traffic.State) (traffic.State, string, error) {
	current, ok := desired.Raw.(raw)
	if !ok || current.route != id {
		return desired, "", errWrongRaw
	}
	if desired.Response != "" {
		if desired.Response != current.state.Response {
			return desired, "", fmt.Errorf("%w: the response %q was not read from this route", errInvalid, desired.Response)
		}
		return copyState(current.state), current.extra, nil
	}
	if len(desired.Weights) == 0 || len(desired.Weights) > Limits().Groups {
		return desired, "", fmt.Errorf("%w: %d groups", errInvalid, len(desired.Weights))
	}
	for name, n := range desired.Weights {
		if m.groups[name] == nil {
			return desired, "", fmt.Errorf("group %w", &traffic.MissingError{ID: name})
		}
		if n < 0 || n > Limits().Weight {
			return desired, "", fmt.Errorf("%w: weight %d", errInvalid, n)
		}
	}
	return traffic.State{Weights: maps.Clone(desired.Weights), Stickiness: desired.Stickiness}, current.extra, nil
}

// set changes the state of a route. The caller holds the lock.
func (m *Memory) set(id string, state traffic.State) {
	s := copyState(state)
	s.Raw = nil
	r := m.routes[id]
	r.history = append(r.history, snapshot{time.Now(), s})
	m.updateInUse()
}

// updateInUse updates which groups are in use, and since when. The caller holds the lock.
func (m *Memory) updateInUse() {
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

// now returns the current state.
func (r *route) now() traffic.State {
	if len(r.history) == 0 {
		return traffic.State{}
	}
	return r.history[len(r.history)-1].state
}

// before returns the state of lag ago or, if lag is 0, the state before the last change.
func (r *route) before(lag time.Duration) traffic.State {
	for i := len(r.history) - 1; i >= 0; i-- {
		if i < len(r.history)-1 && lag == 0 || lag > 0 && time.Since(r.history[i].at) >= lag {
			return r.history[i].state
		}
	}
	return r.history[0].state
}

// reported returns the targets with the states that the load balancer reports.
func (g *group) reported(now time.Time) []traffic.Target {
	targets := slices.Clone(g.targets)
	for i, t := range targets {
		switch {
		case t.State == traffic.Draining || t.State == traffic.Unchecked:
		case !g.inUse:
			targets[i].State, targets[i].Reason = traffic.Unused, "Target.NotInUse"
		case now.Before(g.inUseSince.Add(g.firstCheck)):
			targets[i].State, targets[i].Reason = traffic.Initial, "Elb.InitialHealthChecking"
		}
	}
	return targets
}

// copyState returns a copy that shares no map with s.
func copyState(s traffic.State) traffic.State {
	s.Weights = maps.Clone(s.Weights)
	return s
}
