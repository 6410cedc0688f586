package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// began is when the stages of these tests begin.
var began = time.Unix(1_000_000, 0)

func after(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

// text formats a decision: "passed", the failure, or what is due and the time of wake.
func (d decision) text() string {
	var parts []string
	for _, x := range d.waivers {
		parts = append(parts, fmt.Sprintf("waive %d (%s)", x.gate, x.warning))
	}
	switch {
	case d.failure != nil:
		return strings.Join(append(parts, d.failure.Error()), ", ")
	case d.advances:
		return strings.Join(append(parts, "passed early"), ", ")
	case d.passed:
		return strings.Join(append(parts, "passed"), ", ")
	}
	if d.pausedBy != nil {
		parts = append(parts, "paused by "+d.pausedBy.Name)
	}
	for _, i := range d.calls {
		parts = append(parts, fmt.Sprintf("call %d", i))
	}
	if d.readHealth {
		parts = append(parts, "read health")
	}
	if d.askPermit {
		parts = append(parts, "ask permit")
	}
	return strings.Join(append(parts, "wake at "+d.wake.Sub(began).String()), ", ")
}

// newWait returns a stage with a hold of 10 s and gates that have passed and are due again
// after 5 s.
func newWait(gates int) waitState {
	w := waitState{began: began, heldUntil: after(10),
		limits: HealthSettings{SteadyFor: 15 * time.Second, BreachFor: 30 * time.Second, Timeout: time.Minute},
	}
	for i := range gates {
		g := gateState{latest: Pass, next: after(5)}
		g.Name, g.OnInconclusive, g.InconclusiveTimeout = fmt.Sprintf("g%d", i), Fail, 20*time.Second
		w.gates = append(w.gates, g)
	}
	return w
}

// inconclusive makes a gate inconclusive since a time.
func (g *gateState) setInconclusive(since time.Time, then Status) {
	g.latest, g.inconclusiveSince, g.inconclusiveDetail, g.OnInconclusive = Inconclusive, since, "few requests.", then
}

// pending makes a gate inconclusive since 1 s that may be for an hour.
func (w *waitState) pending(gate int) {
	w.gates[gate].setInconclusive(after(1), Fail)
	w.gates[gate].InconclusiveTimeout = time.Hour - 10*time.Second
}

// readAt sets the last read that succeeded; the next one is due 5 s later.
func (s *healthState) readAt(seconds int) {
	s.known, s.lastRead, s.nextRead = true, after(seconds), after(seconds+5)
}

// degraded makes targets unhealthy since 4 s.
func (w *waitState) degraded() {
	w.watch, w.health.breachSince, w.health.breach.text = true, after(4), "0 of 2"
	w.health.observeEvidence(true, after(4))
}

// unhealthyAgain has reads that show unhealthy targets at 4 s, fail between 10 s and 20 s, and
// show unhealthy targets until a time.
func (w *waitState) unhealthyAgain(until int) {
	w.degraded()
	w.health.readAt(10)
	w.health.pauseEvidence()
	w.health.observeEvidence(true, after(20))
	w.health.readAt(until)
}

// mayAdvanceAt makes everything hold that ends a stage early, by a read at a time.
func (w *waitState) mayAdvanceAt(seconds int) {
	w.watch, w.advance = true, true
	w.health.known, w.health.sourceEmpty, w.health.readyForAll = true, true, true
	w.health.lastRead, w.health.nextRead = after(seconds), after(seconds+5)
}

// waitTest is a state of a wait, and what is decided at a time.
type waitTest struct {
	name  string
	gates int
	set   func(w *waitState)
	now   int
	want  string
}

func (tt waitTest) run(t *testing.T) {
	t.Helper()
	w := newWait(tt.gates)
	tt.set(&w)
	if got := w.next(after(tt.now)).text(); got != tt.want {
		t.Errorf("%s, at %ds:\ngot  %s\nwant %s", tt.name, tt.now, got, tt.want)
	}
}

func TestWaitState_next(t *testing.T) {
	for _, tt := range []waitTest{
		{"nothing to wait for", 0, func(w *waitState) { w.heldUntil = began }, 0, "passed"},
		{"in the hold", 0, func(*waitState) {}, 3, "wake at 10s"},
		{"after the hold", 0, func(*waitState) {}, 10, "passed"},
		{"a gate is due in the hold", 1, func(*waitState) {}, 5, "call 0, wake at 10s"},
		{"a gate is not due yet", 1, func(*waitState) {}, 2, "wake at 5s"},
		{"a gate is running", 1, func(w *waitState) { w.gates[0].running = true }, 7, "wake at 10s"},
		{"a gate has no result after the hold", 2, func(w *waitState) { w.gates[1].latest = "" }, 12, "call 0, call 1, wake at 1h0m12s"},
		{"a failure was tolerated", 2, func(w *waitState) { w.gates[1].latest = Fail }, 12, "call 0, call 1, wake at 1h0m12s"},
		{"the last result is an error", 2, func(w *waitState) { w.gates[1].latest = Errored }, 12, "call 0, call 1, wake at 1h0m12s"},
		{"an error after a waiver", 1, func(w *waitState) { w.gates[0].latest, w.gates[0].waived = Errored, true }, 12, "call 0, wake at 1h0m12s"},
		{"inconclusive after a waiver", 1, func(w *waitState) { w.gates[0].latest, w.gates[0].waived = Inconclusive, true }, 12, "passed"},
		{"a call is in progress after the hold", 2, func(w *waitState) { w.gates[1].running = true }, 12, "wake at 1h0m12s"},
		{"a call is in progress, another gate has not passed", 2, func(w *waitState) { w.gates[0].latest, w.gates[1].running = Errored, true }, 12, "call 0, wake at 1h0m12s"},
		{"a call of a report-only gate is in progress", 1, func(w *waitState) { w.gates[0].running, w.gates[0].DryRun = true, true }, 12, "passed"},
		{"a report-only gate was not evaluated", 1, func(w *waitState) { w.gates[0].DryRun, w.gates[0].latest = true, "" }, 12, "call 0, wake at 1h0m12s"},
		{"a report-only gate was evaluated", 1, func(w *waitState) { w.gates[0].DryRun, w.gates[0].latest = true, Errored }, 12, "passed"},
		{"a hold under the gate follows", 1, func(w *waitState) { w.unjudged, w.gates[0].latest, w.gates[0].running = true, Errored, true }, 12, "passed"},
		{"the lease is asked for before the next calls", 1, func(w *waitState) { w.permit = true }, 12, "ask permit, wake at 1h0m12s"},
		{"the lease is being asked for", 1, func(w *waitState) { w.permit, w.permitted.running = true, true }, 12, "wake at 1h0m12s"},
		{"the lease could not be asked for", 1, func(w *waitState) { w.permit, w.permitted.next = true, after(13) }, 12, "call 0, wake at 13s"},
		{"the lease is asked for again soon", 1, func(w *waitState) { w.permit, w.permitted.next, w.gates[0].next = true, after(13), after(20) }, 12, "wake at 13s"},
		{"the lease is there, and a call in progress", 1, func(w *waitState) { w.permit, w.permitted.granted, w.gates[0].running = true, after(11), true }, 12, "wake at 1h0m12s"},

		{"inconclusive in the hold", 1, func(w *waitState) { w.gates[0].setInconclusive(after(1), Fail) }, 3, "wake at 5s"},
		{"inconclusive after the hold", 1, func(w *waitState) { w.gates[0].setInconclusive(after(1), Fail) }, 29, "call 0, wake at 30s"},
		{"inconclusive for too long, which fails", 1, func(w *waitState) { w.gates[0].setInconclusive(after(1), Fail) }, 30,
			`gate_inconclusive: few requests; inconclusive for 29s (inconclusive_timeout = "20s")`},
		{"inconclusive for too long, which passes", 1, func(w *waitState) { w.gates[0].setInconclusive(after(1), Pass) }, 30,
			`waive 0 (few requests; inconclusive for 29s (inconclusive_timeout = "20s")), passed`},
		{"one passes and another waits", 2, func(w *waitState) { w.gates[0].setInconclusive(after(1), Pass); w.gates[1].latest = "" }, 30,
			`waive 0 (few requests; inconclusive for 29s (inconclusive_timeout = "20s")), call 0, call 1, wake at 1h0m30s`},
		{"one passes and another fails", 2, func(w *waitState) {
			w.gates[0].setInconclusive(after(1), Pass)
			w.gates[1].setInconclusive(after(2), Fail)
		}, 30,
			`waive 0 (few requests; inconclusive for 29s (inconclusive_timeout = "20s")), gate_inconclusive: few requests; inconclusive for 28s (inconclusive_timeout = "20s")`},
		{"a minute after the hold", 2, func(w *waitState) { w.pending(1) }, 70, "paused by g1, call 0, call 1, wake at 1h0m0s"},
		{"shortly before that", 2, func(w *waitState) { w.pending(1) }, 69, "call 0, call 1, wake at 1m10s"},
		{"a minute after the hold, which was reported", 2, func(w *waitState) { w.pending(1); w.paused = true }, 70, "call 0, call 1, wake at 1h0m0s"},
		{"inconclusive for the first time after the hold", 1, func(w *waitState) { w.pending(0); w.gates[0].inconclusiveSince = after(40) }, 70, "call 0, wake at 1m40s"},
		{"a report-only gate pauses nothing", 1, func(w *waitState) { w.pending(0); w.gates[0].DryRun = true; w.heldUntil = after(100) }, 90, "call 0, wake at 1m40s"},
		{"a gate pauses no stage that does not wait for it", 1, func(w *waitState) { w.pending(0); w.unjudged, w.health.breachSince = true, after(80) }, 90, "call 0, wake at 1m50s"},
		{"a report-only gate is never overdue", 1, func(w *waitState) { w.gates[0].setInconclusive(after(1), Fail); w.gates[0].DryRun = true }, 99, "passed"},

		{"health is read", 0, func(w *waitState) { w.watch = true }, 3, "read health, wake at 10s"},
		{"health is being read", 0, func(w *waitState) { w.watch, w.health.running = true, true }, 3, "wake at 10s"},
		{"health is read later", 0, func(w *waitState) { w.watch, w.health.nextRead = true, after(4) }, 3, "wake at 4s"},
		{"not ready after the hold", 0, func(w *waitState) { w.ready, w.health.known = true, true }, 11, "read health, wake at 1m0s"},
		{"ready after the hold", 0, func(w *waitState) { w.ready, w.health.ready = true, true }, 11, "passed"},
		{"ready but not steady", 0, func(w *waitState) { w.ready, w.steady, w.health.ready, w.health.known = true, true, true, true }, 11, "read health, wake at 1m0s"},
		{"ready and soon steady", 0, func(w *waitState) {
			w.ready, w.steady, w.health.ready, w.health.known, w.health.running = true, true, true, true, true
			w.health.steadySince = after(2)
		}, 11, "wake at 17s"},
		{"ready and steady", 0, func(w *waitState) {
			w.ready, w.steady, w.health.ready, w.health.steadySince = true, true, true, after(2)
		}, 17, "passed"},
		{"never ready", 0, func(w *waitState) {
			w.ready, w.health.lacks.text = true, "green (web): no targets"
			w.health.readAt(58)
		}, 60, "too_few_targets: green (web): no targets, after 1m"},
		{"never steady", 0, func(w *waitState) {
			w.ready, w.steady, w.health.ready, w.health.lacks.text = true, true, true, ""
			w.health.readAt(58)
		}, 60,
			"not_healthy: healthy, but not steady for 15s, after 1m"},
	} {
		tt.run(t)
	}
}

func TestWaitState_nextWithAnEmptyGivingSide(t *testing.T) {
	for _, tt := range []waitTest{
		{"the giving side is empty", 1, func(w *waitState) { w.mayAdvanceAt(3) }, 3, "passed early"},
		{"as the configuration says, the steps are unchanged", 1, func(w *waitState) { w.mayAdvanceAt(3); w.advance = false }, 3, "wake at 5s"},
		{"a gate has not passed", 2, func(w *waitState) { w.mayAdvanceAt(3); w.gates[1].latest = Inconclusive }, 3, "wake at 5s"},
		{"a gate was tolerated", 2, func(w *waitState) { w.mayAdvanceAt(3); w.gates[1].latest = Fail }, 3, "wake at 5s"},
		{"a report-only gate has failed", 1, func(w *waitState) { w.mayAdvanceAt(3); w.gates[0].latest, w.gates[0].DryRun = Fail, true }, 3, "passed early"},
		{"not ready for 100 %", 1, func(w *waitState) { w.mayAdvanceAt(3); w.health.readyForAll = false }, 3, "wake at 5s"},
		{"degraded for its step", 1, func(w *waitState) { w.mayAdvanceAt(3); w.health.breachSince, w.health.from = after(3), after(3) }, 3, "wake at 5s"},
		{"the last read failed", 1, func(w *waitState) { w.mayAdvanceAt(3); w.health.err = ErrNoAnswer }, 3, "wake at 5s"},
		{"without a fresh read", 1, func(w *waitState) {
			w.mayAdvanceAt(0)
			w.health.nextRead = after(0)
			w.health.running = true
			w.gates[0].running = true
		}, 9, "wake at 10s"},
		{"without the lease", 1, func(w *waitState) { w.mayAdvanceAt(3); w.permit = true }, 3, "ask permit, wake at 5s"},
		{"with the lease", 1, func(w *waitState) { w.mayAdvanceAt(3); w.permit, w.permitted.granted = true, after(2) }, 3, "passed early"},
		{"with a lease from before", 1, func(w *waitState) { w.mayAdvanceAt(3); w.permit, w.permitted.granted = true, after(1) }, 3, "ask permit, wake at 5s"},
		{"a hold that is over waits for the lease, as the next step would", 1, func(w *waitState) { w.mayAdvanceAt(11); w.permit = true; w.permitted.running = true }, 11, "wake at 16s"},
		{"a hold that is over needs no lease if the next step follows", 1, func(w *waitState) { w.mayAdvanceAt(11); w.health.sourceEmpty, w.permit = false, true }, 11, "passed"},
		{"before the first step, not steady yet", 0, func(w *waitState) {
			w.mayAdvanceAt(3)
			w.ready, w.steady, w.health.ready, w.health.steadySince = true, true, true, after(3)
		}, 3, "passed early"},
		{"the first health read may end the stage", 1, func(w *waitState) { w.ready, w.gates[0].next = true, began }, 0, "read health, wake at 1s"},
		{"the first health read takes long", 1, func(w *waitState) { w.ready, w.gates[0].next, w.health.running = true, began, true }, 1, "call 0, wake at 10s"},

		{"degraded after the hold", 0, func(w *waitState) { w.watch, w.health.running, w.health.breachSince = true, true, after(4) }, 33, "wake at 34s"},
		{"without targets for too long", 0, func(w *waitState) {
			w.watch, w.health.breachSince, w.health.breach.text = true, after(4), "no targets"
			w.health.readAt(33)
		}, 34, "too_few_targets: no targets, for 30s"},
		{"unhealthy for too long", 0, func(w *waitState) {
			w.degraded()
			w.health.readAt(33)
		}, 34, "health_failed: 0 of 2, for 30s"},
		{"health before gates", 1, func(w *waitState) {
			w.degraded()
			w.health.readAt(33)
			w.gates[0].setInconclusive(after(1), Pass)
		}, 34, "health_failed: 0 of 2, for 30s"},
		{"one read does not suffice", 0, func(w *waitState) {
			w.degraded()
			w.health.readAt(4)
		}, 34, "health_unreadable: the last read that succeeded was 30s ago and showed 0 of 2: no answer"},
		{"unhealthy, then unread", 0, func(w *waitState) {
			w.degraded()
			w.health.readAt(20)
			w.health.pauseEvidence()
			w.health.err = ErrNoAnswer
		}, 34, "health_unreadable: the last read that succeeded was 14s ago and showed 0 of 2: no answer"},
		{"unhealthy again after reads failed", 0, func(w *waitState) { w.unhealthyAgain(30) }, 34, "wake at 35s"},
		{"unhealthy again for long enough", 0, func(w *waitState) { w.unhealthyAgain(43) }, 44, "health_failed: 0 of 2, for 30s"},
		{"unread again", 0, func(w *waitState) { w.unhealthyAgain(30) }, 40, "health_unreadable: the last read that succeeded was 10s ago and showed 0 of 2: no answer"},
		{"unhealthy before the timeout", 0, func(w *waitState) {
			w.ready, w.health.lacks.text, w.health.lacks.unhealthy = true, "0 of 2", true
			w.health.readAt(58)
		}, 60, "not_healthy: 0 of 2, after 1m"},
		{"unread before the timeout", 0, func(w *waitState) {
			w.ready, w.health.lacks.text, w.health.lacks.unhealthy = true, "0 of 2", true
			w.health.readAt(48)
		}, 60, "health_unreadable: the last read that succeeded was 12s ago and showed 0 of 2: no answer"},
		{"never read", 0, func(w *waitState) { w.ready, w.health.err = true, ErrNoAnswer }, 60, "health_unreadable: no read succeeded: no answer"},
	} {
		tt.run(t)
	}
}

// Deciding does not change the state, so that it can be decided again.
func TestWaitState_nextIsPure(t *testing.T) {
	w := newWait(1)
	w.gates[0].setInconclusive(after(1), Pass)
	first := w.next(after(30)).text()
	if second := w.next(after(30)).text(); first != second || w.gates[0].waived {
		t.Errorf("first %s, then %s", first, second)
	}
}

// drawWait draws a stage in progress and a time during it.
func drawWait(t *rapid.T) (waitState, time.Time) {
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	seconds := func(label string) int { return rapid.IntRange(0, 20).Draw(t, label) }
	span := func(label string) time.Duration { return time.Duration(seconds(label)) * time.Second }
	since := func(label string) time.Time {
		if flag(label) {
			return after(seconds(label + " since"))
		}
		return time.Time{}
	}
	w := waitState{began: began, heldUntil: after(seconds("hold")),
		ready: flag("ready"), steady: flag("steady"), watch: flag("watch"), unjudged: flag("unjudged"),
		until:  since("limit"),
		limits: HealthSettings{SteadyFor: span("steady for"), BreachFor: span("breach for"), Timeout: span("timeout")},
		health: healthState{running: flag("health running"), nextRead: after(seconds("next read")), known: flag("health known"),
			ready: flag("ready now"), steadySince: since("steady"), breachSince: since("breach")}}
	w.health.lastRead = since("last read")
	w.advance, w.permit = flag("advance"), flag("permit")
	w.permitted = permitState{running: flag("asking"), next: after(seconds("next permit")), granted: since("granted")}
	w.health.sourceEmpty, w.health.readyForAll = flag("source empty"), flag("ready for all")
	w.health.evidence = evidence{collected: span("collected"), from: since("evidence"), unread: span("unread")}
	if flag("failed read") {
		w.health.err = ErrNoAnswer
	}
	for range rapid.IntRange(0, 3).Draw(t, "gates") {
		g := gateState{running: flag("running"), next: after(seconds("next")), waived: flag("waived"), inconclusiveSince: since("inconclusive")}
		g.latest = rapid.SampledFrom([]Status{"", Pass, Fail, Inconclusive, Errored}).Draw(t, "latest")
		g.InconclusiveTimeout, g.DryRun = span("inconclusive timeout"), seconds("dry") < 4
		g.OnInconclusive = rapid.SampledFrom([]Status{Pass, Fail, Inconclusive}).Draw(t, "on inconclusive")
		w.gates = append(w.gates, g)
	}
	return w, after(seconds("now"))
}

// act returns the state after the caller did what a decision says.
func (w waitState) act(d decision) waitState {
	w.gates = append([]gateState(nil), w.gates...)
	for _, x := range d.waivers {
		w.gates[x.gate].waive()
	}
	for _, i := range d.calls {
		w.gates[i].running = true
	}
	w.paused = w.paused || d.pausedBy != nil
	w.health.running = w.health.running || d.readHealth
	w.permitted.running = w.permitted.running || d.askPermit
	return w
}

// A stage sleeps exactly until something changes: never not at all, which would be a busy
// loop, and never too long.
func TestWaitState_nothingChangesBeforeWake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, now := drawWait(t)
		d := w.next(now)
		if d.passed || d.failure != nil {
			if d.passed && d.failure != nil || d.calls != nil || d.readHealth {
				t.Fatalf("an end that starts calls: %s", d.text())
			}
			return
		}
		if !d.wake.After(now) {
			t.Fatalf("it wakes immediately, after %s", d.wake.Sub(now))
		}
		w = w.act(d)
		for _, at := range []time.Time{now, now.Add(d.wake.Sub(now) / 2), d.wake.Add(-time.Nanosecond)} {
			later := w.next(at)
			idle := !later.passed && later.failure == nil && later.waivers == nil && later.calls == nil && later.pausedBy == nil && !later.readHealth && !later.askPermit
			// Without anything to wait for, the hour counts from the decision. A call that starts may
			// make other things wait for it, which the decision did not know.
			sameWake := later.wake.Equal(d.wake) || later.wake.Equal(at.Add(time.Hour)) || d.calls != nil && later.wake.After(d.wake)
			if !idle || !sameWake {
				t.Fatalf("at %s: %s\nafter %s: %s", now.Sub(began), d.text(), at.Sub(now), later.text())
			}
		}
	})
}
