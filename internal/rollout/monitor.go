package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// errNoGate reports an incomplete Spec.
var errNoGate = errors.New("the gate is not configured")

// monitor evaluates gates and health while a shift or a readiness check waits. It knows
// the groups whose health is required, but no routes. Only one goroutine uses it; the
// calls of gates and health run in others and send their answers to it.
type monitor struct {
	router   traffic.Router // only Health is called
	health   HealthSettings
	gates    []*activeGate    // in the order of the Spec
	position func() GateInput // what the input of a gate says about the shift
	report   *reporter

	requests *requests // of people
	poll     *poll     // of the routes; nil: no route is known

	startedAt time.Time
	changedAt time.Time      // of the last weight change
	reset     bool           // resetGates was called
	targets   []GroupTargets // as last reported
}

func newMonitor(router traffic.Router, health HealthSettings, gates []NamedGate, report *reporter) *monitor {
	m := &monitor{router: router, health: health, report: report, requests: &requests{}, startedAt: time.Now()}
	m.changedAt = m.startedAt
	for _, g := range gates {
		m.gates = append(m.gates, &activeGate{gateState: gateState{NamedGate: g}, calling: make(chan struct{}, 1)})
	}
	return m
}

// stage is one wait, and the conditions that end it.
type stage struct {
	name string // for Failure.Stage
	part shift.When
	hold time.Duration // the minimum duration
	// fixed reports that nobody can end the hold early: it is no evaluation.
	fixed bool

	gates    []*activeGate // evaluated during the stage; a failure ends it, and the last result of each must be a pass
	limit    time.Duration // for all of them to pass at the same time; 0: that of the shift
	unjudged bool          // the results do not delay its end, because a hold under the same gates follows

	ready  []incoming // the health of these must suffice; nil: not required
	steady bool       // ... and must have been steady for SteadyFor
	watch  []incoming // health is degraded if that of these does not suffice; nil: not watched

	source  []outgoing // a warning if an entry point has no registered target in these
	advance []incoming // what that requires to end the stage before its hold is over; nil: it never does

	// readRoutes reads the routes until shown, which the goroutine of the stage calls, accepts
	// what they show: the stage does not end before. Nil: routes are not read.
	readRoutes func(context.Context) ([]traffic.State, error)
	shown      func([]traffic.State, error) (bool, *Failure)

	// unpolled reports that the stage reads the routes itself.
	unpolled bool

	// permit is asked when all else is ready, and again after an error, before the stage
	// ends; with advance, before it ends early. A *leaseLostError or *markError ends the stage.
	// Nil: no permission is needed.
	permit func(context.Context) error
}

// waiting is a stage in progress.
type waiting struct {
	waitState // without gates, which are in stage
	monitor   *monitor
	stage     stage
	answers   chan any // gateAnswer and healthAnswer

	poll         time.Duration        // the pause before the next health read
	members      string               // the targets of the last health read, see membership
	healthErrors int                  // consecutive
	emptySince   map[string]time.Time // by entry point: since when every read showed no registered target in source
	reported     map[string]bool      // by entry point: that was reported
}

func (m *monitor) begin(st stage, now time.Time) *waiting {
	w := &waiting{monitor: m, stage: st, poll: minPollInterval, answers: make(chan any), emptySince: map[string]time.Time{}, reported: map[string]bool{}}
	w.waitState = waitState{ready: st.ready != nil, steady: st.steady, watch: st.watch != nil, unjudged: st.unjudged, permit: st.permit != nil,
		advance: st.advance != nil, unshown: st.readRoutes != nil, limits: m.health, began: now, heldUntil: now.Add(st.hold)}
	w.polled, w.polls.next = m.poll != nil && m.poll.always && !st.unpolled, now.Add(markInterval)
	if st.limit > 0 {
		w.until = now.Add(st.limit)
	}
	return w
}

// wait runs a stage until its conditions are met, and returns a Failure if they cannot
// be.
func (m *monitor) wait(ctx context.Context, st stage) *Failure {
	_, f := m.hold(ctx, st)
	return f
}

// hold is wait for a stage that may end early, and reports whether it did. It is the only
// wait of a shift, so gates and health are monitored in every one.
func (m *monitor) hold(ctx context.Context, st stage) (advances bool, f *Failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends calls that are still running
	defer func() { endCalls(st.gates, time.Now()) }()
	w := m.begin(st, time.Now())
	for ctx.Err() == nil {
		now := time.Now()
		d := w.state().next(now)
		w.waive(d.waivers)
		if d.failure != nil {
			return false, w.atStage(d.failure)
		}
		if d.passed {
			return d.advances, nil
		}
		w.reportPause(d.pausedBy)
		w.startDue(ctx, d, now)
		if f := w.waitForAnswer(ctx, d.wake); f != nil {
			return false, w.atStage(f)
		}
	}
	return false, w.atStage(failureOf(ctx, "", ctx.Err()))
}

// state returns the stage as a value.
func (w *waiting) state() waitState {
	state := w.waitState
	for _, g := range w.stage.gates {
		state.gates = append(state.gates, g.gateState)
	}
	return state
}

func (w *waiting) waive(waivers []waiver) {
	for _, x := range waivers {
		w.stage.gates[x.gate].waive(x.warning)
	}
}

// reportPause reports, once in a stage, that it waits for a gate.
func (w *waiting) reportPause(g *gateState) {
	if g == nil {
		return
	}
	w.paused = true
	w.monitor.report.emit(Event{Kind: ShiftPaused, Gate: g.Name, Status: Inconclusive, Text: g.inconclusiveDetail})
}

// startDue starts the calls of a decision.
func (w *waiting) startDue(ctx context.Context, d decision, now time.Time) {
	for _, i := range d.calls {
		g := w.stage.gates[i]
		g.start(ctx, w.monitor.input(g, w.stage.part), w.answers, now)
	}
	if d.readHealth {
		w.health.running = true
		go readHealth(ctx, w.monitor.router, w.healthGroups(), w.answers)
	}
	if d.readRoutes {
		w.routes.running = true
		go readRoutesOf(ctx, w.stage.readRoutes, w.answers)
	}
	if d.pollRoutes {
		w.polls.running = true
		go w.monitor.poll.ask(ctx, w.answers)
	}
	if d.askPermit {
		w.permitted.running = true
		go askPermit(ctx, w.stage.permit, w.answers)
	}
}

// routesAnswer is the answer of stage.readRoutes.
type routesAnswer struct {
	states []traffic.State
	err    error
}

func readRoutesOf(ctx context.Context, read func(context.Context) ([]traffic.State, error), answers chan<- any) {
	states, err := read(ctx)
	select {
	case answers <- routesAnswer{states, err}:
	case <-ctx.Done():
	}
}

func (w *waiting) handleRoutes(a routesAnswer, now time.Time) *Failure {
	w.routes.running, w.routes.next = false, now.Add(rereadPause)
	shown, f := w.stage.shown(a.states, a.err)
	w.unshown = !shown
	return f
}

// permitAnswer is the answer of stage.permit.
type permitAnswer struct{ err error }

func askPermit(ctx context.Context, permit func(context.Context) error, answers chan<- any) {
	err := permit(ctx)
	select {
	case answers <- permitAnswer{err}:
	case <-ctx.Done():
	}
}

// handlePermit grants the permission. One that could not be asked for only delays the end
// of the stage, while gates and health go on.
func (w *waiting) handlePermit(a permitAnswer, now time.Time) *Failure {
	w.permitted.running = false
	if f := refusedPermit(a.err); f != nil {
		return f
	}
	if a.err == nil {
		w.permitted.granted = now
		return nil
	}
	w.permitted.next = now.Add(permitRetry)
	w.monitor.report.warn("The record of the shift could not be read or written for a while, which delayed the next step: " + a.err.Error())
	return nil
}

// refusedPermit returns the Failure of a permission that somebody else prevents; nil: none does.
func refusedPermit(err error) *Failure {
	if lost, is := errors.AsType[*leaseLostError](err); is {
		return lost.failure()
	}
	if mark, is := errors.AsType[*markError](err); is {
		return mark.failure()
	}
	return nil
}

// waitForAnswer waits for one answer of a gate or of health and handles it. It ignores
// answers after ctx has ended, which may be errors because of that.
func (w *waiting) waitForAnswer(ctx context.Context, until time.Time) *Failure {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case asked := <-w.monitor.requests.arrived:
		if ctx.Err() == nil {
			return w.handleRequests(ctx, asked)
		}
	case shown := <-w.monitor.poll.looks():
		w.handleShown(shown, time.Now())
	case answer := <-w.answers:
		if ctx.Err() == nil {
			return w.handle(answer, time.Now())
		}
	}
	return nil
}

// handle processes one answer.
func (w *waiting) handle(answer any, now time.Time) *Failure {
	switch a := answer.(type) {
	case gateAnswer:
		return w.monitor.handleVerdict(a, now)
	case healthAnswer:
		return w.handleHealth(a, now)
	case routesAnswer:
		return w.handleRoutes(a, now)
	case pollAnswer:
		return w.handlePoll(a, now)
	case permitAnswer:
		return w.handlePermit(a, now)
	}
	return nil
}

// atStage sets the stage of a Failure.
func (w *waiting) atStage(f *Failure) *Failure {
	f.Stage = w.stage.name
	return f
}

// named returns the gates with these settings.
func (m *monitor) named(settings []shift.GateSettings) []*activeGate {
	var gates []*activeGate
	for _, s := range settings {
		if g := m.gate(s.Name); g != nil {
			gates = append(gates, g)
		}
	}
	return gates
}

// gate returns a gate by name, nil if there is none.
func (m *monitor) gate(name string) *activeGate {
	for _, g := range m.gates {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// checkGates checks that every gate of the strategy is configured.
func (m *monitor) checkGates(strategy shift.Strategy) *Failure {
	for _, g := range strategy.Gates {
		if a := m.gate(g.Name); a == nil || a.Gate == nil {
			return &Failure{Cause: GateErrored, Gate: g.Name, Err: errNoGate}
		}
	}
	return nil
}

// input returns the input for the next evaluation of a gate, and counts it.
func (m *monitor) input(g *activeGate, part shift.When) GateInput {
	g.attempt++
	g.count++
	input := m.position()
	input.Gate, input.Part, input.Attempt, input.Call, input.Approved = g.Name, part, g.attempt, g.count, g.approved
	input.StartedAt, input.ChangedAt, input.DataFrom = m.startedAt, m.changedAt, g.dataFrom
	return input
}

// weightsChanged records a weight change: verdicts from before it no longer count.
func (m *monitor) weightsChanged() {
	m.changedAt = time.Now()
	m.resetGates()
}

// resetGates discards the verdicts of all gates and starts their initial delay. The counts
// of failures and consecutive errors continue.
func (m *monitor) resetGates() {
	m.reset = true
	for _, g := range m.gates {
		g.attempt = 0
		g.restart(time.Now())
	}
}

// awaitGateCalls waits up to callGrace for calls that are still running, so that a gate
// can end what it started, such as a program: the process may exit when Run returns. It
// runs last, so that no rollback waits for it.
func (m *monitor) awaitGateCalls() {
	limit := time.NewTimer(callGrace)
	defer limit.Stop()
	for _, g := range m.gates {
		select {
		case g.calling <- struct{}{}:
			<-g.calling
		case <-limit.C:
			return
		}
	}
}

// warnTolerated adds the warnings about what gates were allowed, in the order of gates.
func (m *monitor) warnTolerated(gates []*activeGate) {
	for _, g := range gates {
		for _, text := range g.tolerated {
			m.report.warn(text)
		}
	}
}
