package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// wayHome is the most that a run may take after its schedule is over: a way
// back that is tried for a minute, and the looks around it.
const wayHome = 80 * time.Second

// TestRun_whateverGoesWrong plays stories that are drawn at random: steps,
// answers of gates, health, faults of the balancer, hands and interrupts. What
// no story may do is checked while it is played (see player); here, that it
// ends, and how.
func TestRun_whateverGoesWrong(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script := drawStory(rt)
		var p *played
		synctest.Test(t, func(*testing.T) { p = play(parse(script)) })
		wrong := append(p.wrong, p.endsWrong()...)
		if len(wrong) > 0 {
			rt.Fatalf("%s\n\n%s\n%s", strings.Join(wrong, "\n"), script, p.text())
		}
	})
}

// endsWrong: a run ends in time, all new, all old, or with a hold that is told.
func (p *played) endsWrong() []string {
	var wrong []string
	if p.took > p.longest+wayHome {
		wrong = append(wrong, fmt.Sprintf("it took %s of %s", p.took, p.longest))
	}
	if p.cancelAt > 0 && len(p.story.faults) == 0 && p.took > p.cancelAt+5*time.Second {
		wrong = append(wrong, fmt.Sprintf("interrupted at %s, it ended at %s", p.cancelAt, p.took))
	}
	if p.failure == nil {
		return wrong
	}
	f := p.failure
	known := map[rollout.Disposition]bool{rollout.Unchanged: true, rollout.RolledBack: true, rollout.Stopped: true, rollout.RollbackFailed: true,
		rollout.RollbackUnhealthy: true, rollout.LeftToOthers: true}
	// An interrupt after a way back leaves the traffic there.
	isBack := f.Cause == rollout.Interrupted && (p.result.Kind == shift.Rollback || p.result.Kind == shift.Revert)
	asked := isBack || p.story.stopOnFailure || p.story.stopOnInterrupt || strings.Contains(f.Stage, "attach and detach") || f.Cause == rollout.GateInconclusive
	switch {
	case !known[f.Disposition]:
		wrong = append(wrong, fmt.Sprintf("it is not said what was done: %+v", f))
	case f.Disposition == rollout.Stopped && !asked:
		wrong = append(wrong, "it stays where nobody asked for it")
	case f.Disposition == rollout.RollbackFailed && (f.RollbackErr == nil || len(p.story.faults) == 0 && !p.removes() && !p.hands()):
		wrong = append(wrong, fmt.Sprintf("the way back fails by itself: %v", f.RollbackErr))
	case f.Cause == rollout.Interrupted && p.cancelAt == 0:
		wrong = append(wrong, "nobody has interrupted it")
	case f.Cause == rollout.ExternalChange && !p.hands():
		wrong = append(wrong, "nobody has changed anything")
	case f.Rejects && (f.Cause == rollout.GateErrored || f.Cause == rollout.RouterFailed || f.Cause == rollout.Interrupted || f.Disposition == rollout.Stopped):
		wrong = append(wrong, "a version is rejected that nobody has judged")
	}
	return wrong
}

func (p *played) removes() bool {
	for _, h := range p.story.happens {
		if h.remove != "" {
			return true
		}
	}
	return false
}

// hands: someone changes a route, or readings are older than any patience.
func (p *played) hands() bool {
	for _, h := range p.story.happens {
		if h.route != "" {
			return true
		}
	}
	for _, f := range p.story.faults {
		if f.Kind == "stale" || f.Kind == "lost" {
			return true
		}
	}
	return false
}

// drawing writes a script at random.
type drawing struct {
	t     *rapid.T
	lines []string
}

func (d *drawing) line(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *drawing) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(d.t, label)
}

func (d *drawing) chance(label string, in int) bool {
	return rapid.IntRange(1, in).Draw(d.t, label) == 1
}

// moment is a time within the first half hour, never a round one, so that it
// does not come together with anything else.
func (d *drawing) moment() time.Duration {
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
		d.line("at %s targets %s %s", d.moment(), d.one("whose", "green", "green", "blue"),
			d.one("targets", "0", "1", "4", "2 unhealthy", "1 healthy 1 unhealthy", "1 healthy 1 initial"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		d.drawFault()
	}
	if d.chance("a hand", 8) {
		d.line("at %s change web %s", d.moment(), d.one("to", "blue=100", "blue=100 green=0", "blue=70 green=30", "green=100", "red=100"))
	} else if d.chance("a route is deleted", 20) {
		d.line("at %s remove web", d.moment())
	}
	if d.chance("an interrupt", 4) {
		d.line("at %s interrupt", d.moment())
	}
	return strings.Join(d.lines, "\n") + "\n"
}

func (d *drawing) drawSwitch() {
	d.line("env blue 1.4.2%s", d.one("blue", "", "", " leaving"))
	d.line("env green 1.5.0")
	d.line("env red 1.0")
	sticky := d.one("sticky", "", "", " sticky=1h")
	create := d.chance("a Create", 4)
	found := []string{"blue=100", "blue=100 green=0", "blue=100 green=0", "blue=50 green=50", "blue=95 green=5", "green=100", "blue=1 green=2", "blue=90 legacy=10"}
	for i, id := range []string{"web", "api", "web/2"}[:rapid.IntRange(1, 3).Draw(d.t, "routes")] {
		if create && d.chance("idle", 4) {
			d.line("route %s fixed", id)
			continue
		}
		d.line("route %s %s%s", id, d.one("found", found...), sticky)
		if i > 0 && !create && d.chance("joins", 5) {
			d.line("saw %s none", id)
		}
	}
	d.line("targets blue %d", rapid.IntRange(1, 4).Draw(d.t, "blue targets"))
	d.line("targets green %s", d.one("green targets", "2", "2", "4", "1", "0", "2 initial"))
	d.line("targets red 1")
	if !create {
		d.line("stable blue")
	}
	d.line("goal %s", d.one("goal", "green", "green", "green", "blue=50 green=50", "blue=99.9 green=0.1", "blue"))
	if d.chance("previous", 4) {
		d.line("previous green 1.5.0\nrecent")
	}
	if d.chance("rejected", 8) {
		d.line("rejected green 1.5.0")
	}
	if d.chance("retry", 8) {
		d.line("retry")
	}
	if d.chance("new stickiness", 8) {
		d.line("sticky %s", d.one("stickiness", "0s", "1h"))
	}
}

func (d *drawing) drawStrategy() {
	hold := func() string { return d.one("hold", "0s", "20s", "1m", "5m") }
	var steps []string
	for _, at := range []string{"0.1", "5", "33.3", "50"} {
		if d.chance("step", 2) {
			steps = append(steps, at+"/"+hold())
		}
	}
	d.line("steps %s", strings.Join(steps, " "))
	d.line("bake %s", hold())
	d.line("settle %s", hold())
	d.line("health timeout=%s steady=%s breach=%s", d.one("timeout", "1m", "10m"), d.one("steady", "0s", "15s"), d.one("breach", "0s", "1s", "30s"))
	for _, what := range []string{"failure", "interrupt"} {
		if d.chance("stop on "+what, 6) {
			d.line("stop %s", what)
		}
	}
	if d.chance("credentials end", 8) {
		d.line("lasts %s", d.moment())
	}
}

func (d *drawing) drawGate(name string) {
	when := d.one("when", string(shift.Before), string(shift.During), string(shift.During), string(shift.After), string(shift.Always))
	d.line("gate %s %s failures=%d errors=%d undecided=%s then=%s interval=%s%s%s", name, when,
		rapid.IntRange(0, 1).Draw(d.t, "failures"), rapid.IntRange(0, 3).Draw(d.t, "errors"), d.one("undecided", "0s", "1m", "10m"),
		d.one("then", "fail", "pass", "stop"), d.one("interval", "10s", "30s"), d.one("dry", "", "", " dry"),
		d.one("ahead", "", "", "", " ahead=pass", " ahead=pass", " ahead=fail", " ahead=error", " ahead=hang", " ahead=inconclusive"))
	answers := rapid.SliceOfN(rapid.SampledFrom([]string{"pass", "pass", "pass", "pass", "pass", "pass", "fail", "inconclusive", "error", "hang", "panic", "slow"}), 1, 20)
	d.line("says %s %s", name, strings.Join(answers.Draw(d.t, "answers"), " "))
}

func (d *drawing) drawFault() {
	kind := d.one("fault", "throttled", "refused", "lost", "answer-lost", "blocked", "stale")
	ops := map[string][]string{"lost": {"write"}, "answer-lost": {"write"}, "stale": {"read"}}[kind]
	if ops == nil {
		ops = []string{"read", "write", "write", "health"}
	}
	op := d.one("op", ops...)
	text := fmt.Sprintf("fault %s %s skip=%d times=%s", kind, op, rapid.IntRange(0, 12).Draw(d.t, "skip"), d.one("times", "1", "2", "6", "always"))
	if op == "write" && d.chance("one route", 2) {
		text += " route=web"
	}
	d.line("%s%s%s", text, d.one("by", "", " by=forward", " by=rollback"), d.one("err", "", "", " err=denied"))
}
