package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// firstAnswerWait is how long gates wait for the first health read of a stage that it
// may complete; see mayEndAtOnce.
const firstAnswerWait = time.Second

// waitState is a stage in progress as a value: its conditions, and what gates and health
// have returned so far. It has no clock and makes no call, so that its one question,
// next, can be asked of any state and any time.
type waitState struct {
	ready    bool // health must suffice before the stage ends
	steady   bool // ... and must have been steady for SteadyFor
	watch    bool // degraded health is a failure after BreachFor
	unjudged bool // the results of gates do not delay its end
	permit   bool // the stage ends, or with advance ends early, only with a fresh permission
	unshown  bool // the routes do not show yet what they must
	polled   bool // the routes are read to find an external change
	paused   bool // it was reported that the stage waits for a gate
	advance  bool // the stage ends early where the giving side has no registered target

	limits    HealthSettings
	began     time.Time
	heldUntil time.Time
	until     time.Time // when the stage must have ended because of its gates; zero: never
	health    healthState
	permitted permitState
	routes    routesState
	polls     routesState
	gates     []gateState
}

// pausedAfter is how long a stage waits for an inconclusive gate, after its hold, before that is
// reported: the data of a metric is often a little late.
const pausedAfter = time.Minute

// permitFor is how long a permission to end the stage counts.
const permitFor = 2 * time.Second

// permitRetry is the pause after a permission could not be asked for.
const permitRetry = 2 * time.Second

// rereadPause is the pause before a stage reads the routes again.
const rereadPause = 2 * time.Second

// routesState is the reads of the routes of a stage that waits for what they show.
type routesState struct {
	running bool
	next    time.Time // earliest start of the next read
	changed bool      // the last one showed an external change
}

// permitState is the permission to end a stage, which is asked for when all else is ready.
type permitState struct {
	running bool
	next    time.Time // earliest start of the next call
	granted time.Time // zero: not granted
}

// healthState is what the health reads of a stage have shown.
type healthState struct {
	running  bool      // a read is in progress
	nextRead time.Time // earliest start of the next read

	known       bool      // at least one read returned
	lastRead    time.Time // the last read that succeeded; zero: none
	err         error     // of the last read; nil: it succeeded, or there was none
	ready       bool      // by the last read
	lacks       shortage  // why not ready, by the last read that succeeded
	steadySince time.Time // zero: not steady
	shortSince  time.Time // since when only the capacity of live environments was lacking, and no target was added or removed; zero: not so
	breachSince time.Time // zero: not degraded
	breach      shortage  // why degraded, by the last read that succeeded
	sourceEmpty bool      // reads have proven that the giving side has no registered target on an entry point
	readyForAll bool      // what advance requires, by the last read that succeeded
	evidence
}

// gateState is what a gate has returned since the last weight change, and whether it is
// called.
type gateState struct {
	NamedGate
	running bool
	next    time.Time // earliest start of the next call

	latest             Status    // of the last evaluation; empty: none
	approved           string    // who approved the step; empty: nobody
	waived             bool      // an inconclusive result counts as a pass, after InconclusiveTimeout
	standing           bool      // the cause of the last result was there before the weight change
	waivedOnce         bool      // a standing cause was waived in this shift, and the gate has neither passed nor failed since
	dataFrom           time.Time // the end of the initial delay; zero: there is none
	inconclusiveSince  time.Time // zero: the last verdict was not inconclusive
	inconclusiveDetail string
}

// decision is what a stage does at a time. If it has neither passed nor failed, nothing
// changes before wake unless an answer arrives.
type decision struct {
	passed   bool
	advances bool // passed before the hold was over
	failure  *Failure

	waivers    []waiver // gates that count as passed from now on; also with a failure
	calls      []int    // indexes of the gates to call
	readHealth bool
	readRoutes bool
	pollRoutes bool
	askPermit  bool
	pausedBy   *gateState // the gate for which the stage has waited so long that it is reported; nil: none
	settling   bool       // only answers of calls in progress are missing: no gate is called
	wake       time.Time  // after now
}

// waiver says that an inconclusive gate counts as passed, as OnInconclusive says.
type waiver struct {
	gate    int    // its index
	warning string // for the result
}

// horizon compares times with now, and remembers the earliest one that is still ahead.
// Every comparison of a decision goes through it, so no two of them can disagree about
// when to decide again: until next, each of them has the same result.
type horizon struct{ now, next time.Time }

func (h *horizon) reached(t time.Time) bool {
	if !h.now.Before(t) {
		return true
	}
	if t.Before(h.next) {
		h.next = t
	}
	return false
}

// next returns what the stage does now. The caller waives, calls and reads what the
// decision says, and decides again when an answer arrives, at wake at the latest.
func (w waitState) next(now time.Time) decision {
	h := &horizon{now: now, next: now.Add(time.Hour)}
	var d decision
	if d.failure = w.healthFailure(h); d.failure != nil {
		return d
	}
	w.gates = slices.Clone(w.gates) // waived ones change
	for i := range w.gates {
		detail, overdue := w.gates[i].overdue(h, w.heldUntil)
		switch {
		case !overdue:
		case w.gates[i].OnInconclusive == Pass:
			w.gates[i].waive()
			d.waivers = append(d.waivers, waiver{i, detail})
		default:
			d.failure = &Failure{Cause: GateInconclusive, Gate: w.gates[i].Name, Detail: detail, stops: w.gates[i].OnInconclusive == Inconclusive}
			return d
		}
	}
	if w.end(h, &d); d.passed {
		return d
	}
	if d.failure = w.apart(h); d.failure != nil {
		return d
	}
	d.pausedBy = w.pausedBy(h)
	for i, g := range w.gates {
		if !g.running && !d.settling && !w.needsNoCall(g) && h.reached(g.next) && !w.mayEndAtOnce(h) {
			d.calls = append(d.calls, i)
		}
	}
	d.readHealth = (w.ready || w.watch) && !w.health.running && h.reached(w.health.nextRead)
	d.readRoutes = w.unshown && !w.routes.running && h.reached(w.routes.next)
	d.pollRoutes = w.polled && !w.polls.running && h.reached(w.polls.next)
	d.wake = h.next
	return d
}

// end decides whether the stage ends. One that may end early needs its permission only for
// that.
//
// A stage that is complete but for calls in progress awaits them, because the result may be
// another one than the last. Until it has them, and while it asks for its permission, it
// starts no further calls: of several gates, one would be in progress at any time.
func (w waitState) end(h *horizon, d *decision) {
	complete, advances := w.isComplete(h), w.mayAdvance(h)
	if complete && w.isCalling() {
		complete, d.settling = false, true
	}
	if w.permit && (advances || complete && !w.advance) { // also where the hold is over: the next step would ask for it too
		granted := !w.permitted.granted.IsZero() && !h.reached(w.permitted.granted.Add(permitFor))
		asks := !granted && !w.permitted.running && h.reached(w.permitted.next)
		d.settling = complete && !granted && (w.permitted.running || asks)
		complete, advances, d.askPermit = complete && granted, advances && granted, asks
	}
	d.passed, d.advances = complete || advances, advances
}

// apart returns the Failure of gates that pass, but not at the same time.
func (w waitState) apart(h *horizon) *Failure {
	i := slices.IndexFunc(w.gates, func(g gateState) bool { return !g.satisfied() })
	if w.until.IsZero() || i < 0 || !h.reached(w.until) {
		return nil
	}
	return &Failure{Cause: TimedOut, Gate: w.gates[i].Name, Detail: fmt.Sprintf("the gates did not all pass at the same time within %s; the last result of %q was %s",
		schedule.FormatDuration(w.until.Sub(w.began)), w.gates[i].Name, cmp.Or(w.gates[i].latest, "none"))}
}

// pausedBy returns the gate for which the stage has waited for pausedAfter, once; nil: none.
func (w waitState) pausedBy(h *horizon) *gateState {
	if w.paused || w.unjudged {
		return nil
	}
	for i, g := range w.gates {
		if !g.inconclusive() {
			continue
		}
		from := g.inconclusiveSince
		if w.heldUntil.After(from) {
			from = w.heldUntil
		}
		if h.reached(from.Add(pausedAfter)) {
			return &w.gates[i]
		}
	}
	return nil
}

// needsNoCall reports whether the gate has given the approval that lasts until the weights
// change, or is asked for it in the hold that follows.
func (w waitState) needsNoCall(g gateState) bool {
	return g.PassLasts && (g.latest == Pass || w.unjudged)
}

// isCalling reports whether a call is in progress whose result the stage depends on.
func (w waitState) isCalling() bool {
	return !w.unjudged && slices.ContainsFunc(w.gates, func(g gateState) bool { return g.running && !g.DryRun })
}

// mayAdvance reports whether the stage may end before its hold is over: the giving side was
// read to have no registered target, the gaining groups suffice for all of the traffic, and
// every gate passed when it was last evaluated. Report-only gates are never acted on.
func (w waitState) mayAdvance(h *horizon) bool {
	s := w.health
	if !w.advance || !s.sourceEmpty || !s.readyForAll || !s.breachSince.IsZero() || s.isUnread(h, w.limits.BreachFor) {
		return false
	}
	return !slices.ContainsFunc(w.gates, func(g gateState) bool { return !g.DryRun && g.latest != Pass })
}

// healthFailure returns a Failure if a time limit of health is exceeded: of degraded
// health, or of waiting for health.
func (w waitState) healthFailure(h *horizon) *Failure {
	if f := w.health.breachFailure(h, w.limits.BreachFor); f != nil {
		return f
	}
	if w.ready && !w.isReady(h) && (h.reached(w.began.Add(w.limits.Timeout)) || w.isShort(h)) {
		return w.health.notReady(h, w.limits, h.now.Sub(w.began))
	}
	return nil
}

// isShort reports whether it is known before the first step that capacity is lacking, without
// waiting for the timeout: environments that have traffic are not about to start, and the set of
// their targets is steady.
func (w waitState) isShort(h *horizon) bool {
	since := w.health.shortSince
	return w.steady && !since.IsZero() && h.reached(since.Add(max(w.limits.SteadyFor, sourceProof)))
}

// isComplete reports whether the hold is over, health is ready and not degraded, and the last
// result of every gate is a pass.
func (w waitState) isComplete(h *horizon) bool {
	if !h.reached(w.heldUntil) || w.unshown || !w.health.breachSince.IsZero() {
		return false
	}
	if w.ready && !w.isReady(h) {
		return false
	}
	return w.unjudged || !slices.ContainsFunc(w.gates, func(g gateState) bool { return !g.satisfied() })
}

func (w waitState) isReady(h *horizon) bool {
	if !w.health.ready {
		return false
	}
	since := w.health.steadySince
	return !w.steady || !since.IsZero() && h.reached(since.Add(w.limits.SteadyFor))
}

// mayEndAtOnce reports whether the first health read may complete the stage. Gates wait
// for it, up to firstAnswerWait, because the next step would cancel their calls.
func (w waitState) mayEndAtOnce(h *horizon) bool {
	return w.ready && !w.health.known && !h.reached(w.began.Add(firstAnswerWait))
}

// inconclusive reports whether the gate has been inconclusive since its last pass or
// failure. It is always false for a report-only gate.
func (g gateState) inconclusive() bool { return !g.DryRun && !g.inconclusiveSince.IsZero() }

// satisfied reports whether the stage may end: the last result of the gate is a pass or counts
// as one. A tolerated failure and an error do not, whatever the results before. A report-only
// gate was evaluated.
func (g gateState) satisfied() bool {
	if g.DryRun {
		return g.latest != ""
	}
	return g.latest == Pass || g.latest == Inconclusive && g.waived
}

// overdue reports whether the gate has been inconclusive for too long, with a detail.
// InconclusiveTimeout counts from the end of the hold, because the shift does not wait
// for the gate before.
func (g gateState) overdue(h *horizon, heldUntil time.Time) (detail string, overdue bool) {
	if !g.inconclusive() {
		return "", false
	}
	from := g.inconclusiveSince
	if heldUntil.After(from) {
		from = heldUntil
	}
	timeout := g.InconclusiveTimeout
	if g.standing && g.waivedOnce { // another wait would show nothing new
		timeout = 0
	}
	if !h.reached(from.Add(timeout)) {
		return "", false
	}
	return fmt.Sprintf("%s; inconclusive for %s (inconclusive_timeout = %q)", strings.TrimSuffix(g.inconclusiveDetail, "."),
		formatElapsed(h.now.Sub(g.inconclusiveSince)), schedule.FormatDuration(g.InconclusiveTimeout)), true
}

// restart discards the verdicts and starts the initial delay. It leaves the settings
// alone, which a call that hangs may still read.
func (g *gateState) restart(now time.Time) {
	g.latest, g.approved, g.waived, g.standing, g.inconclusiveSince = "", "", false, false, time.Time{}
	g.next, g.dataFrom = now.Add(g.InitialDelay), time.Time{}
	if g.InitialDelay > 0 {
		g.dataFrom = g.next
	}
}

// waive makes inconclusive results count as passes until the gate passes or fails.
func (g *gateState) waive() {
	g.waived, g.waivedOnce, g.inconclusiveSince = true, g.waivedOnce || g.standing, time.Time{}
}

// formatElapsed formats a duration, rounded to seconds from 10s and to milliseconds
// below.
func formatElapsed(d time.Duration) string {
	if d < 10*time.Second {
		return schedule.FormatDuration(d.Round(time.Millisecond))
	}
	return schedule.FormatDuration(d.Round(time.Second))
}
