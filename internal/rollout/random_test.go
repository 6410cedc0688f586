package rollout_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// rollbackMargin is how much longer than its schedule and the retries of a rollback a run
// can take: the reads before and after a rollback, and the writes of a revert.
const rollbackMargin = 80 * time.Second

// recoveryMargin is how long a rollback can take once the API has recovered: the rest of a
// call that hangs, a pause, a write and a read. A call that hangs takes attemptLimit.
const recoveryMargin, attemptLimit = 30 * time.Second, 12 * time.Second

// retried is how long rollbacks of the story are retried.
func (p *playback) retried() time.Duration {
	return cmp.Or(p.story.rollbackTimeout, rollout.DefaultRollbackTimeout)
}

// recovered returns when the last fault has ended: the time of the ones that end at a time,
// and how long calls take that end the others. It returns false for faults that never end.
func (p *playback) recovered() (at, calls time.Duration, ok bool) {
	for _, f := range p.story.faults {
		switch {
		case f.Until > 0:
			at = max(at, f.Until)
		case f.Times == routertest.Always:
			return 0, 0, false
		default:
			calls += time.Duration(max(f.Times, 1)+f.Skip) * attemptLimit
		}
	}
	return at, calls, true
}

// failsAfterRecovery reports whether a rollback failed although the API had recovered
// before its timeout: every route that exists is at its rollback target then.
func (p *playback) failsAfterRecovery() bool {
	at, calls, ok := p.recovered()
	return ok && !p.changesExternally() && p.failure.Disposition == rollout.RollbackFailed &&
		at+recoveryMargin < p.took && calls+recoveryMargin < p.retried()
}

// TestRun_randomStories plays stories that are drawn at random: steps, gate responses,
// health, faults of the load balancer, external changes and interrupts. The player checks
// what holds at any time; endViolations checks that a run ends, and how.
func TestRun_randomStories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := drawStory(rt)
		var p *playback
		synctest.Test(t, func(*testing.T) { p = play(parse(script)) })
		violations := append(p.violations, p.endViolations()...)
		if len(violations) > 0 {
			rt.Fatalf("%s\n\n%s\n%s", strings.Join(violations, "\n"), script, p.text())
		}
	})
}

// endViolations checks that a run ends within its limits, and that its failure is
// consistent with the story.
func (p *playback) endViolations() []string {
	var violations []string
	if p.took > p.longest+p.retried()+rollbackMargin {
		violations = append(violations, fmt.Sprintf("it took %s, the schedule allows %s", p.took, p.longest))
	}
	if p.cancelAt > 0 && len(p.story.faults) == 0 && p.took > p.cancelAt+5*time.Second {
		violations = append(violations, fmt.Sprintf("interrupted at %s, but it ended at %s", p.cancelAt, p.took))
	}
	if p.failure == nil {
		return violations
	}
	f := p.failure
	known := map[rollout.Disposition]bool{rollout.Unchanged: true, rollout.RolledBack: true, rollout.Stopped: true, rollout.RollbackFailed: true,
		rollout.RollbackUnhealthy: true, rollout.NotOverridden: true, rollout.NoRouteLeft: true}
	// An interrupt after a rollback or revert leaves the traffic there.
	isRollback := f.Cause == rollout.Interrupted && (p.result.Kind == shift.Rollback || p.result.Kind == shift.Revert)
	mayStop := isRollback || p.story.stopOnFailure || p.story.stopOnInterrupt || strings.Contains(f.Stage, "attach and detach") ||
		f.Cause == rollout.RouteMissing && f.Stage == "final check" || // at the desired weights
		f.Cause == rollout.GateInconclusive
	switch {
	case !known[f.Disposition]:
		violations = append(violations, fmt.Sprintf("unknown disposition: %+v", f))
	case f.Disposition == rollout.Stopped && !mayStop:
		violations = append(violations, "stopped in place, which is not configured")
	case f.Disposition == rollout.RollbackFailed && (f.RollbackErr == nil || len(p.story.faults) == 0 && !p.removesRoute() && !p.changesExternally()):
		violations = append(violations, fmt.Sprintf("the rollback fails without a fault: %v", f.RollbackErr))
	case p.failsAfterRecovery():
		violations = append(violations, fmt.Sprintf("the rollback fails although the API has recovered: %v", f.RollbackErr))
	case f.Cause == rollout.Interrupted && p.cancelAt == 0:
		violations = append(violations, "interrupted without an interrupt")
	case f.Cause == rollout.ExternalChange && !p.changesExternally():
		violations = append(violations, "external change without one")
	case f.Rejects && f.Change == "" && (f.Cause == rollout.GateErrored || f.Cause == rollout.RouterFailed || f.Cause == rollout.Interrupted ||
		f.Cause == rollout.HealthUnreadable || f.Cause == rollout.TooFewTargets || f.Disposition == rollout.Stopped):
		violations = append(violations, "a version is rejected without an evaluation")
	}
	return violations
}

func (p *playback) removesRoute() bool {
	for _, c := range p.story.changes {
		if c.remove != "" {
			return true
		}
	}
	return false
}

// changesExternally reports whether a route is changed externally, or appears to be,
// because of lost writes or of reads that are older than any service's.
func (p *playback) changesExternally() bool {
	for _, c := range p.story.changes {
		if c.route != "" {
			return true
		}
	}
	for _, f := range p.story.faults {
		if isAgeless(f) || f.Kind == routertest.Lost {
			return true
		}
	}
	return false
}

// isAgeless reports whether a fault makes reads show what was before the last change, however
// long ago that was.
func isAgeless(f routertest.Fault) bool { return f.Kind == routertest.Stale && f.For == 0 }

// drawing writes a script at random.
type drawing struct {
	t     *rapid.T
	lines []string
}

func (d *drawing) line(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *drawing) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(d.t, label)
}

func (d *drawing) chance(label string, in int) bool {
	return rapid.IntRange(1, in).Draw(d.t, label) == 1
}

// time draws a time within the first half hour. It is never a round one, so it does not
// coincide with another event.
func (d *drawing) time() time.Duration {
	return time.Duration(rapid.IntRange(1, 1800).Draw(d.t, "when"))*time.Second + 337*time.Millisecond
}

func drawStory(t *rapid.T) string {
	d := &drawing{t: t}
	d.drawSwitch()
	d.drawStrategy()
	for i := range rapid.IntRange(0, 2).Draw(t, "gates") {
		d.drawGate(fmt.Sprintf("g%d", i))
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes of health") {
		d.line("at %s targets %s %s", d.time(), d.pick("whose", "green", "green", "blue"),
			d.pick("targets", "0", "1", "4", "2 unhealthy", "1 healthy 1 unhealthy", "1 healthy 1 initial"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		d.drawFault()
	}
	if d.chance("external change", 8) {
		d.line("at %s change web %s", d.time(), d.pick("to", "blue=100", "blue=100 green=0", "blue=70 green=30", "green=100", "red=100"))
	} else if d.chance("a route is deleted", 20) {
		d.line("at %s remove web", d.time())
	}
	if d.chance("an interrupt", 4) {
		d.line("at %s interrupt", d.time())
	}
	return strings.Join(d.lines, "\n") + "\n"
}

func (d *drawing) drawSwitch() {
	d.line("env blue 1.4.2%s", d.pick("blue", "", "", " removed"))
	d.line("env green 1.5.0")
	d.line("env red 1.0")
	sticky := d.pick("sticky", "", "", " sticky=1h")
	create := d.chance("a Create", 4)
	observed := []string{"blue=100", "blue=100 green=0", "blue=100 green=0", "blue=50 green=50", "blue=95 green=5", "green=100", "blue=1 green=2", "blue=90 legacy=10"}
	for i, id := range []string{"web", "api", "web/2"}[:rapid.IntRange(1, 3).Draw(d.t, "routes")] {
		if create && d.chance("fixed response", 4) {
			d.line("route %s fixed", id)
			continue
		}
		d.line("route %s %s%s", id, d.pick("observed", observed...), sticky)
		if i > 0 && !create && d.chance("joins", 5) {
			d.line("planned %s none", id)
		}
	}
	d.line("targets blue %d", rapid.IntRange(1, 4).Draw(d.t, "blue targets"))
	d.line("targets green %s", d.pick("green targets", "2", "2", "4", "1", "0", "2 initial"))
	d.line("targets red 1")
	if !create {
		d.line("stable blue")
	}
	d.line("desired %s", d.pick("desired", "green", "green", "green", "blue=50 green=50", "blue=99.9 green=0.1", "blue"))
	if d.chance("previous", 4) {
		d.line("previous green 1.5.0\nwithin_window")
	}
	if d.chance("rejected", 8) {
		d.line("rejected green 1.5.0")
	}
	if d.chance("retry", 8) {
		d.line("retry")
	}
	if d.chance("new stickiness", 8) {
		d.line("sticky %s", d.pick("stickiness", "0s", "1h"))
	}
}

func (d *drawing) drawStrategy() {
	hold := func() string { return d.pick("hold", "0s", "20s", "1m", "5m") }
	var steps []string
	for _, at := range []string{"0.1", "5", "33.3", "50"} {
		if d.chance("step", 2) {
			steps = append(steps, at+"/"+hold())
		}
	}
	d.line("steps %s", strings.Join(steps, " "))
	d.line("bake %s", hold())
	if d.chance("baseline", 4) {
		d.line("baseline %s", d.pick("baseline percent", "0.1", "5", "40"))
	}
	d.line("settle %s", hold())
	d.line("health timeout=%s steady=%s breach=%s", d.pick("timeout", "1m", "10m"), d.pick("steady", "0s", "15s"), d.pick("breach", "0s", "1s", "30s"))
	if d.chance("rollback_timeout", 2) {
		d.line("rollback_timeout %s", d.pick("rollback timeout", "20s", "2m", "1h"))
	}
	for _, what := range []string{"failure", "interrupt"} {
		if d.chance("stop on "+what, 6) {
			d.line("stop %s", what)
		}
	}
	if d.chance("credentials expire", 8) {
		d.line("credentials %s", d.time())
	}
}

func (d *drawing) drawGate(name string) {
	when := d.pick("when", string(shift.Before), string(shift.During), string(shift.During), string(shift.After), string(shift.Always))
	d.line("gate %s %s failures=%d errors=%d inconclusive=%s on_inconclusive=%s interval=%s%s%s", name, when,
		rapid.IntRange(0, 1).Draw(d.t, "failures"), rapid.IntRange(0, 3).Draw(d.t, "errors"), d.pick("inconclusive", "0s", "1m", "10m"),
		d.pick("on_inconclusive", "fail", "pass", "stop"), d.pick("interval", "10s", "30s"), d.pick("dry", "", "", " dry"),
		d.pick("preflight", "", "", "", " preflight=pass", " preflight=pass", " preflight=fail", " preflight=error", " preflight=hang", " preflight=inconclusive"))
	responses := rapid.SliceOfN(rapid.SampledFrom([]string{"pass", "pass", "pass", "pass", "pass", "pass", "fail", "inconclusive", "error", "hang", "panic", "slow"}), 1, 20)
	d.line("returns %s %s", name, strings.Join(responses.Draw(d.t, "responses"), " "))
}

func (d *drawing) drawFault() {
	kind := d.pick("fault", "throttled", "refused", "refused", "lost", "answer-lost", "blocked", "stale", "late")
	ops := map[string][]string{"lost": {"write"}, "answer-lost": {"write"}, "late": {"write"}, "stale": {"read"}}[kind]
	if ops == nil {
		ops = []string{"read", "write", "write", "health"}
	}
	op := d.pick("op", ops...)
	text := fmt.Sprintf("fault %s %s skip=%d", kind, op, rapid.IntRange(0, 12).Draw(d.t, "skip"))
	if d.chance("ends at a time", 3) {
		text += fmt.Sprintf(" until=%s", d.time())
	} else {
		text += " times=" + d.pick("times", "1", "2", "6", "always")
	}
	if kind == "late" {
		text += " for=" + d.pick("late", "2s", "8s") // within any rollback_timeout
	}
	if kind == "stale" {
		text += d.pick("stale", "", " for=1s", " for=8s", " for=20s", " for=20s")
	}
	if op == "write" && d.chance("one route", 2) {
		text += " route=web"
	}
	d.line("%s%s%s", text, d.pick("by", "", " by=forward", " by=rollback", " by=rollback"),
		d.pick("err", "", "", " err=denied", " err=expired", " err=incomplete", " err=reset", " err=empty"))
}
