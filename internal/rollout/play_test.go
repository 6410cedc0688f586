package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// playback is a story with everything that was observed while it ran.
type playback struct {
	story    *story
	memory   *routertest.Memory
	result   rollout.Result
	failure  *rollout.Failure
	took     time.Duration
	endedAt  time.Duration // of the shift; Run waits for gates after that
	schedule shift.Schedule
	longest  time.Duration // by the schedule; 0: there was none
	cancelAt time.Duration // when it was interrupted; 0: never

	events     []rollout.Event
	began      time.Time
	segments   []segment
	violations []string // of what holds for every story
}

// segment is the calls of one phase.
type segment struct {
	phase string
	from  int // index of its first call
}

// player plays a story inside a synctest bubble.
type player struct {
	*playback
	release chan struct{} // ends gates that hang

	mu          sync.Mutex
	serving     map[string]int            // healthy targets by group
	lastServing map[string]time.Time      // when a group last had some
	hadWeight   map[string]bool           // by group
	noForward   string                    // why forward writes are no longer allowed
	running     map[string]int            // calls in progress by gate
	latest      map[string]rollout.Status // of each gate that is acted on, since it was last started
	written     map[string]traffic.State  // by route: what was written last, or its state at the start
	phase       string
}

func newPlayer(s *story) *player {
	return &player{playback: &playback{story: s, memory: routertest.NewMemory(), began: time.Now()}, release: make(chan struct{}),
		serving: map[string]int{}, lastServing: map[string]time.Time{}, hadWeight: map[string]bool{}, running: map[string]int{},
		latest: map[string]rollout.Status{}, written: map[string]traffic.State{}}
}

// play runs a story to its end. It must be called inside a synctest bubble.
func play(s *story) *playback {
	p := newPlayer(s)
	p.setUp()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.interruptAt > 0 {
		timer := time.AfterFunc(s.interruptAt, func() {
			p.mu.Lock()
			p.cancelAt = time.Since(p.began)
			p.mu.Unlock()
			cancel()
		})
		defer timer.Stop()
	}
	p.memory.Watch(p.checkCall)
	p.segments = []segment{{"start", 0}}
	spec := p.spec()
	p.decide(spec)
	result, err := rollout.Run(ctx, spec)
	p.took, p.result = time.Since(p.began), result
	if err != nil && !errors.As(err, &p.failure) {
		p.violations = append(p.violations, fmt.Sprintf("the error is a %T, want a *rollout.Failure", err))
	}
	p.memory.Watch(nil)
	p.memory.FinishLate()
	p.check()
	p.checkReturnMarks()
	close(p.release)
	synctest.Wait() // hung gates return now
	return p.playback
}

// setUp sets up the load balancer.
func (p *player) setUp() {
	for _, r := range p.story.routes {
		p.memory.AddRoute(r.id, r.state)
		p.written[r.id] = r.state
	}
	for _, e := range p.story.envs {
		for _, entry := range p.story.entries() {
			p.memory.SetTargets(entry + "-" + e.Name)
			if p.story.noAttach {
				p.memory.UseElsewhere(entry + "-" + e.Name)
			}
		}
	}
	for _, c := range append(slices.Clone(p.story.targets), p.story.left...) {
		p.apply(c)
	}
	for _, c := range p.story.changes {
		p.memory.At(c.at, func() { p.apply(c) })
	}
	for _, f := range p.story.faults {
		p.memory.Inject(f)
	}
}

// apply makes a change of the story.
func (p *player) apply(c change) {
	switch {
	case c.group != "":
		p.memory.SetTargets(c.group, c.targets...)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.serving[c.group] > 0 {
			p.lastServing[c.group] = time.Now()
		}
		p.serving[c.group] = traffic.Health{Targets: c.targets}.Serving()
	case c.record != nil:
		p.memory.Recorder().Set(c.route, *c.record)
	case c.request != nil:
		var routes []string
		for _, r := range p.story.routes {
			routes = append(routes, r.id)
		}
		p.memory.Recorder().SetRequest(routes, *c.request)
	case c.unrecord != "":
		p.memory.Recorder().RemoveAll(c.unrecord)
	case c.route != "":
		p.memory.Change(c.route, c.state)
	case c.gone != "":
		p.memory.RemoveGroup(c.gone)
	default:
		p.memory.RemoveRoute(c.remove)
	}
}

func (p *player) spec() rollout.Spec {
	s := p.story
	spec := rollout.Spec{Router: p.memory, RollbackRouter: p.memory.RollbackClient(), ID: "s1", Limits: routertest.Limits(), Request: s.request,
		Stable: s.stable, Health: s.health, Sticky: s.sticky, StopOnFailure: s.stopOnFailure, StopOnInterrupt: s.stopOnInterrupt, RollbackTimeout: s.rollbackTimeout, WarnOnSourceUnhealthy: s.warnOnSourceUnhealthy, OnEvent: p.record}
	for _, r := range s.routes {
		route := rollout.Route{Route: traffic.Route{ID: r.id, Entry: r.entry}}
		if s.stable != nil && !r.joins {
			if route.Planned = r.planned; r.planned == nil {
				route.Planned = &r.state
			}
		}
		spec.Routes = append(spec.Routes, route)
	}
	configured, leaving := map[string]map[string]string{}, map[string]map[string]string{}
	for _, e := range s.envs {
		environments := configured
		if e.Removed {
			environments = leaving
		}
		environments[e.Name] = map[string]string{}
		for _, entry := range s.entries() {
			environments[e.Name][entry] = entry + "-" + e.Name
		}
		if groups := s.groups[e.Name]; groups != nil {
			environments[e.Name] = groups
		}
	}
	spec.Record = rollout.RecordSpec{Off: !s.record, Recorder: p.memory.Recorder(), Left: s.remembered,
		Template: traffic.Record{Switch: "this", Routes: len(s.routes), Goal: "goal", Owner: traffic.Owner{User: "ann", Host: "ci"}}, Switches: []string{"this"},
		Abandoned:  func(o traffic.Owner) (bool, bool) { return o.User == "dead", o.User != "unknown" },
		KeepFailed: func() bool { return s.stable == nil }}
	if s.later {
		spec.Record.Later = func([]string, func(context.Context) error) {}
	}
	spec.Limits.AttachesIdle = !s.noAttach
	spec.PollRoutes = s.polls
	if s.shows {
		spec.Record.Recorder = showing{spec.Record.Recorder, p.memory}
	}
	if s.fresh {
		spec.Router, spec.RollbackRouter = fresh{spec.Router}, fresh{spec.RollbackRouter}
	}
	if s.syncAfter > 0 {
		written := new(atomic.Int64)
		spec.Router = propagating{spec.Router, p, written}
		spec.RollbackRouter = propagating{spec.RollbackRouter, p, written}
	}
	spec.Owners = traffic.NewOwners(configured, leaving, nil)
	spec.Request.Environments = s.envs
	spec.Request.Strategy.HealthTimeout, spec.Request.Strategy.SteadyFor = s.health.Timeout, s.health.SteadyFor
	for i, g := range s.gates {
		spec.Request.Strategy.Gates = append(spec.Request.Strategy.Gates, g.GateSettings)
		gate := g.NamedGate
		scripted := &scriptedGate{player: p, gate: g, takes: g.takes + time.Duration(i+1)*time.Millisecond}
		if gate.Gate = scripted; g.preflight != "" {
			gate.Gate = preflightGate{scripted}
		}
		spec.Gates = append(spec.Gates, gate)
	}
	if s.credentialsLast > 0 {
		spec.CredentialsLast = func(_ context.Context, d time.Duration) error {
			if left := s.credentialsLast - time.Since(p.began); left < d {
				return fmt.Errorf("the credentials expire in %s, but %s are required", left, d)
			}
			return nil
		}
	}
	return spec
}

// fresh is a router whose reads are never older than its last write.
type fresh struct{ traffic.Router }

func (r fresh) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	states, err := r.Router.Read(ctx, routes)
	for i := range states {
		states[i].Fresh = true
	}
	return states, err
}

// showing is a recorder whose reads of records show the routes.
type showing struct {
	traffic.Recorder
	memory *routertest.Memory
}

func (r showing) Observe(ctx context.Context, routes []string) (map[string][]traffic.Record, map[string]traffic.State, error) {
	records, err := r.Records(ctx, routes)
	states := map[string]traffic.State{}
	for _, route := range routes {
		states[route] = r.memory.Now(route)
		if states[route].Weights == nil && states[route].Response == "" { // it does not exist
			delete(states, route)
		}
	}
	return records, states, err
}

// propagating is a router whose writes take the time of the story to reach every server.
type propagating struct {
	traffic.Router
	player  *player
	written *atomic.Int64 // time of the last write
}

func (r propagating) Write(ctx context.Context, route string, state traffic.State) error {
	err := r.Router.Write(ctx, route, state)
	r.written.Store(time.Now().UnixNano())
	return err
}

func (r propagating) InSync(ctx context.Context, _ []string) (bool, error) {
	since := time.Since(time.Unix(0, r.written.Load()))
	if r.player.story.syncDenied {
		return false, fmt.Errorf("GetChange: %w", traffic.ErrDenied)
	}
	if hangs := r.player.story.syncHangs; hangs > 0 && since >= hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return since >= r.player.story.syncAfter, nil
}

// decide decides what the shift does, as a plan does.
func (p *player) decide(spec rollout.Spec) {
	var observed []traffic.State
	for _, r := range p.story.routes {
		observed = append(observed, r.state)
	}
	if left := p.story.left; len(left) > 0 && spec.Record.Left == nil && left[0].record.IsOpen() && left[0].record.Switch == "this" {
		spec.Record.Left = merged(left) // as a refresh reads it
	}
	schedule, err := spec.Decide(observed)
	if err == nil {
		p.schedule, p.longest = schedule, schedule.Longest()
	}
}

// scriptedGate is a gate that responds as its script says. Each gate takes a different
// time, which keeps the order of responses deterministic.
type scriptedGate struct {
	player *player
	gate   *storyGate
	takes  time.Duration
	calls  int
}

func (g *scriptedGate) Evaluate(ctx context.Context, input rollout.GateInput) rollout.Verdict {
	return g.respond(ctx, input, g.next())
}

// preflightGate is a scripted gate that implements rollout.Preflight.
type preflightGate struct{ *scriptedGate }

func (g preflightGate) Preflight(ctx context.Context, input rollout.GateInput) rollout.Verdict {
	for _, c := range g.player.memory.Calls() { // an unfinished shift is rolled back before
		if c.Op == routertest.Write && !c.Rollback {
			g.player.violatef("preflight of %s is called after a write: %s", g.gate.Name, c)
		}
	}
	return g.respond(ctx, input, g.gate.preflight)
}

func (g *scriptedGate) respond(ctx context.Context, input rollout.GateInput, response string) rollout.Verdict {
	g.player.trackCalls(g.gate.Name, +1, input)
	defer g.player.trackCalls(g.gate.Name, -1, input)
	switch response {
	case "hang": // until the story ends, regardless of ctx
		<-g.player.release
	case "panic":
		panic("out of range")
	case "approval":
		if input.Approved == "" {
			return rollout.Verdict{Status: rollout.Inconclusive, Detail: "waiting for approval"}
		}
		return rollout.Verdict{Status: rollout.Pass, Detail: "approved by " + input.Approved}
	case "slow": // until ctx ends
		<-ctx.Done()
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err()}
	}
	timer := time.NewTimer(g.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return rollout.Verdict{Status: rollout.Errored, Err: ctx.Err()}
	}
	response, detail, _ := strings.Cut(response, "/")
	switch response {
	case string(rollout.Errored):
		return rollout.Verdict{Status: rollout.Errored, Err: errors.New("connection refused")}
	case "final":
		return rollout.Verdict{Status: rollout.Errored, Final: true, Err: errors.New("status 302")}
	case "busy":
		return rollout.Verdict{Status: rollout.Errored, RetryAfter: duration(detail), Err: errors.New("status 503")}
	case "standing":
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: "no data", Standing: true, Advice: "it has no data"}
	}
	return rollout.Verdict{Status: rollout.Status(response), Detail: "result " + response}
}

// next returns the response to the next call.
func (g *scriptedGate) next() string {
	now := time.Since(g.player.began)
	call := g.calls
	g.calls++
	response := "pass"
	for i, r := range g.gate.responses {
		if r.from < 0 && i <= call || r.from >= 0 && r.from <= now {
			response = r.response
		}
	}
	return response
}

// trackCalls checks that at most one call of a gate is in progress, and its input.
func (p *player) trackCalls(gate string, n int, input rollout.GateInput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[gate] += n; p.running[gate] > 1 {
		p.violatef("%s is called while a call is in progress", gate)
	}
	if input.Attempt < 1 || input.Steps < 1 || input.Step < 0 || input.Step > input.Steps || input.ChangedAt.Before(input.StartedAt) {
		p.violatef("%s is called with an impossible input: %+v", gate, input)
	}
}

func (p *player) violatef(format string, args ...any) {
	p.violations = append(p.violations, fmt.Sprintf(format, args...))
}

// record records an event. It writes events without a lock, because all events must come
// from one goroutine; the race detector reports a violation.
func (p *player) record(e rollout.Event) {
	p.events = append(p.events, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case rollout.PhaseStarted:
		p.segments, p.phase = append(p.segments, segment{e.Text, len(p.memory.Calls())}), e.Text
	case rollout.RollbackStarted:
		p.segments = append(p.segments, segment{"rollback", len(p.memory.Calls())})
		p.noForward = "the rollback has started"
	case rollout.ShiftEnded:
		p.endedAt = time.Since(p.began)
		if e.Text == "completed" {
			p.checkLatest("the shift completes")
		}
	case rollout.GateEvaluated:
		if p.phase != "preflight gates" {
			p.latest[e.Gate] = e.Status
		}
		if g := p.story.gateNamed(e.Gate); e.Status == rollout.Fail && g.FailureLimit == 0 && !g.DryRun && !p.isRevert() && p.schedule.Kind != shift.Accept {
			p.noForward = e.Gate + " has failed"
		}
	default:
	}
}

func (p *player) isRevert() bool { return p.events[0].Text == shift.Revert.String() }

// text is the trace that a script records.
func (p *playback) text() string {
	var lines []string
	type repeated struct {
		line     string
		from     time.Time
		n, index int
	}
	evaluated := map[string]repeated{} // the last verdict of each gate, until another event
	for _, e := range p.events {
		if e.Kind == rollout.HealthRead {
			continue // TestEvents_numbers has them
		}
		line := eventText(e)
		if again := evaluated[e.Gate]; e.Kind == rollout.GateEvaluated && again.line == line {
			again.n++
			evaluated[e.Gate] = again
			lines[again.index] = fmt.Sprintf("%-10s %s (and %d more until %s)", p.since(again.from), line, again.n, p.since(e.At))
			continue
		}
		if e.Kind != rollout.GateEvaluated {
			clear(evaluated)
		}
		evaluated[e.Gate] = repeated{line: line, from: e.At, index: len(lines)}
		lines = append(lines, fmt.Sprintf("%-10s %s", p.since(e.At), line))
	}
	lines = append(lines, "", p.endText())
	if len(p.result.Records) > 0 {
		lines = append(lines, "the record may remain")
	}
	for _, warning := range p.result.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	for _, r := range p.result.Routes {
		lines = append(lines, p.routeText(r))
	}
	return strings.Join(append(lines, p.callTexts()...), "\n") + "\n"
}

func (p *playback) since(at time.Time) string {
	return schedule.FormatDuration(at.Sub(p.began).Round(time.Millisecond))
}

func eventText(e rollout.Event) string {
	text := string(e.Kind)
	for _, part := range []string{e.Route, e.Gate, string(e.Status)} {
		if part != "" {
			text += " " + part
		}
	}
	if e.Weights != nil {
		text += ": " + e.Weights.String()
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

func (p *playback) endText() string {
	var more []string
	if p.result.Moved {
		more = append(more, "moved")
	}
	if p.failure == nil {
		return strings.Join(append([]string{"done: " + p.result.Kind.String()}, more...), ", ")
	}
	if p.failure.Rejects {
		more = append(more, "rejects")
	}
	text := strings.Join(append([]string{"failed: " + p.failure.Error()}, more...), ", ")
	for _, part := range [][2]string{{"gate", p.failure.Gate}, {"route", p.failure.Route}, {"group", p.failure.Group}} {
		if part[1] != "" {
			text += "\n" + part[0] + ": " + part[1]
		}
	}
	if p.failure.RollbackErr != nil {
		text += "\nrollback: " + strings.ReplaceAll(p.failure.RollbackErr.Error(), "\n", "; ")
	}
	return text
}

// routeText formats the final state of a route, and how the result differs.
func (p *playback) routeText(r rollout.RouteResult) string {
	state := "deleted"
	removed := slices.ContainsFunc(p.story.changes, func(c change) bool { return c.remove == r.ID })
	if !removed {
		now := p.memory.Now(r.ID)
		if state = now.Response; state == "" {
			var parts []string
			for _, group := range now.Groups() {
				parts = append(parts, fmt.Sprintf("%s %d", group, now.Weights[group]))
			}
			if now.Stickiness > 0 {
				parts = append(parts, "sticky "+schedule.FormatDuration(now.Stickiness))
			}
			state = strings.Join(parts, ", ")
		}
		if r.Read && !now.Equal(r.State) {
			state += fmt.Sprintf(" (result: %v)", r.State.Weights)
		}
	}
	switch {
	case r.Missing && removed:
		return r.ID + ": deleted"
	case r.Missing:
		state += " (result: missing)"
	case !r.Read:
		state += " (not read)"
	}
	for _, record := range p.memory.Recorder().Now(r.ID) {
		state += fmt.Sprintf("; record of %s: %s, reached %s", record.Shift, record.Phase, record.Reached)
		if record.Reason != "" {
			state += ", rejected: " + record.Reason
		}
	}
	return r.ID + ": " + state
}

// callTexts counts the calls of each phase. A step takes two reads: one before the write,
// to detect external changes, and one after it, to verify the write.
func (p *playback) callTexts() []string {
	calls := p.memory.Calls()
	var lines []string
	for i, s := range p.segments {
		to := len(calls)
		if i+1 < len(p.segments) {
			to = p.segments[i+1].from
		}
		count := map[routertest.Op]int{}
		for _, c := range calls[s.from:to] {
			renewal := c.Op == routertest.Put && c.Record.To == nil // runs beside everything else
			if !errors.Is(c.Err, context.Canceled) && !renewal {    // canceled at the end of a stage
				count[c.Op]++
			}
		}
		var parts []string
		for _, op := range []routertest.Op{routertest.Write, routertest.Read, routertest.Health, routertest.Records, routertest.Put, routertest.Remove} {
			if count[op] > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", op, count[op]))
			}
		}
		if parts != nil {
			lines = append(lines, fmt.Sprintf("calls, %s: %s", s.phase, strings.Join(parts, ", ")))
		}
	}
	return lines
}
