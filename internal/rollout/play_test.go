package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// played is a story that has been told, and what there was to see.
type played struct {
	story    *story
	memory   *routertest.Memory
	result   rollout.Result
	failure  *rollout.Failure
	took     time.Duration
	schedule shift.Schedule
	longest  time.Duration // by the schedule; 0: there was none
	cancelAt time.Duration // when it was interrupted; 0: it was not

	events   []rollout.Event
	began    time.Time
	segments []segment
	wrong    []string // what no story may do
}

// segment is what was called while a phase lasted.
type segment struct {
	phase string
	from  int // index of its first call
}

// player plays a story inside a bubble.
type player struct {
	*played
	release chan struct{} // lets go of gates that hang

	mu       sync.Mutex
	serving  map[string]int       // healthy targets by group
	served   map[string]time.Time // until when a group had some
	raised   map[string]bool
	over     string // why nothing may be written forward any more
	judgesIn map[string]int
}

// play runs a story to its end. It must be called inside a bubble.
func play(s *story) *played {
	p := &player{played: &played{story: s, memory: routertest.NewMemory(), began: time.Now()},
		release: make(chan struct{}), serving: map[string]int{}, served: map[string]time.Time{}, raised: map[string]bool{}, judgesIn: map[string]int{}}
	p.set()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.cancel > 0 {
		timer := time.AfterFunc(s.cancel, func() {
			p.mu.Lock()
			p.cancelAt = time.Since(p.began)
			p.mu.Unlock()
			cancel()
		})
		defer timer.Stop()
	}
	p.memory.Watch(p.watch)
	p.segments = []segment{{"start", 0}}
	spec := p.spec()
	p.decide(spec)
	result, err := rollout.Run(ctx, spec)
	p.took, p.result = time.Since(p.began), result
	if err != nil && !errors.As(err, &p.failure) {
		p.wrong = append(p.wrong, fmt.Sprintf("the error is a %T", err))
	}
	p.memory.Watch(nil)
	p.check()
	close(p.release)
	synctest.Wait() // whatever hung comes back now
	return p.played
}

// set puts up the balancer.
func (p *player) set() {
	for _, r := range p.story.routes {
		p.memory.AddRoute(r.id, r.does)
	}
	for _, e := range p.story.envs {
		for _, entry := range p.story.entries() {
			p.memory.SetTargets(entry + "-" + e.Name)
		}
	}
	for _, h := range p.story.targets {
		p.happen(h)
	}
	for _, h := range p.story.happens {
		p.memory.At(h.at, func() { p.happen(h) })
	}
	for _, f := range p.story.faults {
		p.memory.Inject(f)
	}
}

func (p *player) happen(h happening) {
	switch {
	case h.group != "":
		p.memory.SetTargets(h.group, h.targets...)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.serving[h.group] > 0 {
			p.served[h.group] = time.Now()
		}
		p.serving[h.group] = rollout.Health{Targets: h.targets}.Serving()
	case h.route != "":
		p.memory.Change(h.route, h.does)
	default:
		p.memory.RemoveRoute(h.remove)
	}
}

func (p *player) spec() rollout.Spec {
	s := p.story
	spec := rollout.Spec{Router: p.memory, RollbackRouter: p.memory.RollbackClient(), ID: "s1", Groups: map[string]map[string]string{}, Request: s.request,
		Stable: s.stable, Health: s.health, Sticky: s.sticky, StopOnFailure: s.stopOnFailure, StopOnInterrupt: s.stopOnInterrupt, OnEvent: p.tell}
	for _, r := range s.routes {
		route := rollout.Route{ID: r.id, Entry: r.entry}
		if saw := r.saw; s.stable != nil && !r.joins {
			if route.Planned = saw; saw == nil {
				route.Planned = &r.does
			}
		}
		spec.Routes = append(spec.Routes, route)
	}
	for _, e := range s.envs {
		spec.Groups[e.Name] = map[string]string{}
		for _, entry := range s.entries() {
			spec.Groups[e.Name][entry] = entry + "-" + e.Name
		}
	}
	spec.Request.Environments = s.envs
	spec.Request.Strategy.HealthTimeout, spec.Request.Strategy.SteadyFor = s.health.Timeout, s.health.SteadyFor
	for i, g := range s.gates {
		spec.Request.Strategy.Gates = append(spec.Request.Strategy.Gates, g.GateSettings)
		named := g.NamedGate
		scripted := &scripted{player: p, gate: g, takes: time.Duration(i+1) * time.Millisecond}
		if named.Gate = scripted; g.ahead != "" {
			named.Gate = looksAhead{scripted}
		}
		spec.Gates = append(spec.Gates, named)
	}
	if s.lasts > 0 {
		spec.CredentialsLast = func(_ context.Context, d time.Duration) error {
			if left := s.lasts - time.Since(p.began); left < d {
				return fmt.Errorf("the credentials end in %s, and %s are needed", left, d)
			}
			return nil
		}
	}
	return spec
}

// decide says what is due, as a plan does.
func (p *player) decide(spec rollout.Spec) {
	var found []rollout.RouteState
	for _, r := range p.story.routes {
		found = append(found, r.does)
	}
	schedule, err := spec.Decide(found)
	if err == nil {
		p.schedule, p.longest = schedule, schedule.Longest()
	}
}

// scripted is a gate that answers as its script says. Each takes a time of its
// own, so that the order of answers is always the same.
type scripted struct {
	player *player
	gate   *storyGate
	takes  time.Duration
	calls  int
}

func (g *scripted) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	return g.say(ctx, m, g.next())
}

// looksAhead is one that has something to say before anything is written.
type looksAhead struct{ *scripted }

func (g looksAhead) Preflight(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	for _, r := range g.player.story.routes {
		if n := len(g.player.memory.Writes(r.id)); n > 0 {
			g.player.wrongf("%s is asked after %d writes to %s whether to begin", g.gate.Name, n, r.id)
		}
	}
	return g.say(ctx, m, g.gate.ahead)
}

func (g *scripted) say(ctx context.Context, m rollout.GateInput, answer string) rollout.Verdict {
	g.player.enter(g.gate.Name, +1, m)
	defer g.player.enter(g.gate.Name, -1, m)
	switch answer {
	case "hang": // for as long as the story lasts, whatever ctx says
		<-g.player.release
	case "panic":
		panic("out of range")
	case "slow": // takes all the time it has, as a gate that keeps to ctx
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
	if answer == string(rollout.Errored) {
		return rollout.Verdict{Status: rollout.Errored, Err: errors.New("connection refused")}
	}
	return rollout.Verdict{Status: rollout.Status(answer), Detail: "saw " + answer}
}

func (g *scripted) next() string {
	now := time.Since(g.player.began)
	call := g.calls
	g.calls++
	answer := "pass"
	for i, a := range g.gate.answers {
		if a.from < 0 && i <= call || a.from >= 0 && a.from <= now {
			answer = a.answer
		}
	}
	return answer
}

// enter counts the calls of a gate that are under way: there is at most one.
func (p *player) enter(gate string, n int, m rollout.GateInput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judgesIn[gate] += n; p.judgesIn[gate] > 1 {
		p.wrongf("%s is called while it is being called", gate)
	}
	if m.Attempt < 1 || m.Steps < 1 || m.Step < 0 || m.Step > m.Steps || m.ChangedAt.Before(m.StartedAt) {
		p.wrongf("%s is asked at a moment that cannot be: %+v", gate, m)
	}
}

func (p *player) wrongf(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// tell takes the events. That it comes from one goroutine alone is seen by the
// race detector.
func (p *player) tell(e rollout.Event) {
	p.events = append(p.events, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case rollout.PhaseStarted:
		p.segments = append(p.segments, segment{e.Text, len(p.memory.Calls())})
	case rollout.RollbackStarted:
		p.segments = append(p.segments, segment{"way back", len(p.memory.Calls())})
		p.over = "it is going back"
	case rollout.GateEvaluated:
		if g := p.story.gateNamed(e.Gate); e.Status == rollout.Fail && g.FailureLimit == 0 && !g.DryRun && !p.returns() {
			p.over = e.Gate + " has failed"
		}
	}
}

func (p *player) returns() bool { return p.events[0].Text == shift.Revert.String() }

// watch looks at every write: nothing is written forward once it is over, and
// nobody's first traffic comes before somebody can serve it.
func (p *player) watch(c routertest.Call) {
	if c.Op != routertest.Write {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != "" && !c.Rollback {
		p.wrongf("%s, and then: %s", p.over, c)
	}
	for group, n := range c.Want.Weights {
		if n > 0 && !p.raised[group] && !c.Rollback && p.sick(group) && !p.carried(c.Routes[0], group) {
			p.wrongf("%s has no healthy target, and gets its first traffic: %s", group, c)
		}
		p.raised[group] = p.raised[group] || n > 0
	}
}

// sick: nobody serves in the group, nor has for as long as a write with the
// reading before it may take.
func (p *player) sick(group string) bool {
	return p.serving[group] == 0 && time.Since(p.served[group]) > 40*time.Second
}

// carried: the route gave the group traffic at the start, or served no one.
func (p *player) carried(route, group string) bool {
	i := slices.IndexFunc(p.story.routes, func(r storyRoute) bool { return r.id == route })
	return p.story.routes[i].does.Weights[group] > 0 || p.story.routes[i].does.FixedError
}

// check looks at how it ended.
func (p *player) check() {
	stale := slices.ContainsFunc(p.story.faults, func(f routertest.Fault) bool { return f.Kind == routertest.Stale || f.Kind == routertest.Lost })
	for i, r := range p.result.Routes {
		now := p.now(r.ID)
		// What was read last is true of then: a hand may come later, where faults
		// keep the run from looking again.
		touched := len(p.story.faults) > 0 && slices.ContainsFunc(p.story.happens, func(h happening) bool { return h.route == r.ID })
		if r.Read && now != nil && !now.Equal(r.State) && !stale && !touched {
			p.wrongf("the result says that %s does %v, and it does %v", r.ID, r.State.Weights, now.Weights)
		}
		if p.failure == nil && p.story.request.Desired != nil && !r.Weights.Equal(p.story.request.Desired) {
			p.wrongf("it is said to be done, and %s gives %v", r.ID, r.Weights)
		}
		if p.failure != nil && now != nil {
			p.checkLeft(i, *now)
		}
	}
	p.checkWrites()
}

func (p *player) now(route string) *rollout.RouteState {
	for _, h := range p.story.happens {
		if h.remove == route {
			return nil
		}
	}
	return new(p.memory.Now(route))
}

// checkLeft: what is said to be as it was is so.
func (p *player) checkLeft(i int, now rollout.RouteState) {
	r := p.story.routes[i]
	touched := slices.ContainsFunc(p.story.happens, func(h happening) bool { return h.route == r.id })
	late := slices.ContainsFunc(p.story.faults, func(f routertest.Fault) bool { return f.Kind == routertest.Stale })
	restored := now.Response == r.does.Response
	if p.longest == 0 {
		return // nothing could be decided
	}
	if home := p.schedule.Origin(i); home != nil {
		restored = p.spec().Weights(r.entry, now).Equal(home)
	}
	if p.failure.Disposition == rollout.RolledBack && !late && !restored || p.failure.Disposition == rollout.Unchanged && !touched && !now.EqualTraffic(r.does) {
		p.wrongf("%s is said to be %s and gives %v", r.id, p.failure.Disposition, now.Weights)
	}
	if p.failure.Disposition == "" || p.failure.Cause == "" {
		p.wrongf("a failure without words: %+v", p.failure)
	}
}

// checkWrites counts the writes for each route: one for each step, at most one
// to attach and one to detach, and one to go back. Faults may cost more.
func (p *player) checkWrites() {
	forward, home := map[string]int{}, map[string]int{}
	for _, c := range p.memory.Calls() {
		if c.Op == routertest.Write && c.Rollback {
			home[c.Routes[0]]++
		} else if c.Op == routertest.Write {
			forward[c.Routes[0]]++
		}
	}
	if len(p.story.faults) > 0 {
		return
	}
	most := len(p.story.request.Strategy.Steps) + 1 + 2
	for _, r := range p.story.routes {
		if forward[r.id] > most || home[r.id] > 1 {
			p.wrongf("%s is written %d times forward (at most %d) and %d times back", r.id, forward[r.id], most, home[r.id])
		}
	}
}

// text is the trace that a script records.
func (p *played) text() string {
	var lines []string
	type repeated struct {
		line     string
		from     time.Time
		n, index int
	}
	judged := map[string]repeated{} // the last answer of each gate, until something else happens
	for _, e := range p.events {
		line := eventText(e)
		if again := judged[e.Gate]; e.Kind == rollout.GateEvaluated && again.line == line {
			again.n++
			judged[e.Gate] = again
			lines[again.index] = fmt.Sprintf("%-10s %s (and %d more until %s)", p.since(again.from), line, again.n, p.since(e.At))
			continue
		}
		if e.Kind != rollout.GateEvaluated {
			clear(judged)
		}
		judged[e.Gate] = repeated{line: line, from: e.At, index: len(lines)}
		lines = append(lines, fmt.Sprintf("%-10s %s", p.since(e.At), line))
	}
	lines = append(lines, "", p.endText())
	for _, note := range p.result.Warnings {
		lines = append(lines, "told: "+note)
	}
	for _, r := range p.result.Routes {
		lines = append(lines, p.routeText(r))
	}
	return strings.Join(append(lines, p.callTexts()...), "\n") + "\n"
}

func (p *played) since(at time.Time) string {
	return shift.FormatDuration(at.Sub(p.began).Round(time.Millisecond))
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

func (p *played) endText() string {
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
	for _, part := range [][2]string{{"gate", p.failure.Gate}, {"route", p.failure.Route}} {
		if part[1] != "" {
			text += "\n" + part[0] + ": " + part[1]
		}
	}
	if p.failure.RollbackErr != nil {
		text += "\nway back: " + strings.ReplaceAll(p.failure.RollbackErr.Error(), "\n", "; ")
	}
	return text
}

// routeText is what a route really does in the end, and whether the result
// knows it.
func (p *played) routeText(r rollout.RouteResult) string {
	does := "it is gone"
	removed := slices.ContainsFunc(p.story.happens, func(h happening) bool { return h.remove == r.ID })
	if !removed {
		now := p.memory.Now(r.ID)
		if does = now.Response; does == "" {
			var parts []string
			for _, group := range now.Groups() {
				parts = append(parts, fmt.Sprintf("%s %d", group, now.Weights[group]))
			}
			if now.Stickiness > 0 {
				parts = append(parts, "sticky "+shift.FormatDuration(now.Stickiness))
			}
			does = strings.Join(parts, ", ")
		}
		if r.Read && !now.Equal(r.State) {
			does += fmt.Sprintf(" (the result says %v)", r.State.Weights)
		}
	}
	if !r.Read {
		does += " (not read)"
	}
	return r.ID + ": " + does
}

// callTexts counts the calls of each phase. A step costs two reads: one before
// the write, to see that nobody else has changed anything, and one after it,
// to see that it shows. Health is asked besides, for as long as it takes.
func (p *played) callTexts() []string {
	calls := p.memory.Calls()
	var lines []string
	for i, s := range p.segments {
		to := len(calls)
		if i+1 < len(p.segments) {
			to = p.segments[i+1].from
		}
		count := map[routertest.Op]int{}
		for _, c := range calls[s.from:to] {
			if !errors.Is(c.Err, context.Canceled) { // cut short by the end of a stage
				count[c.Op]++
			}
		}
		var parts []string
		for _, op := range []routertest.Op{routertest.Write, routertest.Read, routertest.Health} {
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
