package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

// longStory has every phase of a shift, on two routes. Its calls are slow, so an interrupt
// can arrive during any of them.
const longStory = `
env blue 1.4.2 removed
env green 1.5.0
route web blue=100
route api blue=100
targets blue 2
targets green 2
stable blue
desired green
steps 5/1m 50/1m
bake 1m
settle 1m
gate idle before
gate errors during
fault slow read for=400ms times=always
fault slow write for=700ms times=always
fault slow health for=300ms times=always
`

// interruptTimes returns times around every event of a story.
func interruptTimes(t *testing.T, script string) []time.Duration {
	var all []time.Duration
	synctest.Test(t, func(t *testing.T) {
		p := play(parse(script))
		if p.failure != nil {
			t.Fatal(p.failure)
		}
		seen := map[time.Duration]bool{}
		for _, e := range p.events {
			for _, around := range []int{-350, -150, 50, 550} {
				at := (e.At.Sub(p.began) + time.Duration(around)*time.Millisecond).Truncate(10*time.Millisecond) + time.Millisecond/2
				if at > 0 && at < p.took && !seen[at] {
					seen[at] = true
					all = append(all, at)
				}
			}
		}
	})
	return all
}

func TestRun_interruptedAnywhere(t *testing.T) {
	for _, stop := range []string{"", "stop interrupt\n"} {
		all := interruptTimes(t, longStory)
		if len(all) < 50 {
			t.Fatalf("only %d times, want at least 50", len(all))
		}
		for _, at := range all {
			synctest.Test(t, func(t *testing.T) {
				p := play(parse(fmt.Sprintf("%s%sat %s interrupt\n", longStory, stop, at)))
				if violations := append(p.violations, p.interruptViolations(stop != "")...); len(violations) > 0 {
					t.Errorf("interrupted at %s:\n%s\n%s", at, strings.Join(violations, "\n"), p.text())
				}
			})
		}
	}
}

// interruptViolations checks that an interrupted shift is rolled back (or stopped in place)
// within five seconds and with one write per route, unless only detaching was left.
func (p *playback) interruptViolations(stop bool) []string {
	var violations []string
	if p.took > p.cancelAt+5*time.Second {
		violations = append(violations, fmt.Sprintf("the shift ended only at %s", p.took))
	}
	rollbacks := map[string]int{}
	for _, c := range p.memory.Calls() {
		if c.Op == routertest.Write && c.Rollback {
			rollbacks[c.Routes[0]]++
		}
	}
	onlyDetach := p.segments[len(p.segments)-1].phase == "attach and detach" && p.failure == nil
	for _, r := range p.story.routes {
		now := p.memory.Now(r.id)
		blue, green := now.Weights["web-blue"]+now.Weights["api-blue"], now.Weights["web-green"]+now.Weights["api-green"]
		if !stop && (rollbacks[r.id] > 1 || !onlyDetach && (blue == 0 || green > 0)) {
			violations = append(violations, fmt.Sprintf("%s has blue %d, green %d after %d rollback writes", r.id, blue, green, rollbacks[r.id]))
		}
		if stop && rollbacks[r.id] > 0 {
			violations = append(violations, r.id+" is written after the interrupt")
		}
	}
	if onlyDetach {
		return violations
	}
	allowed := map[rollout.Disposition]bool{rollout.Unchanged: true, rollout.RolledBack: !stop, rollout.Stopped: stop}
	if p.failure == nil || p.failure.Cause != rollout.Interrupted || !allowed[p.failure.Disposition] || p.failure.Rejects {
		violations = append(violations, fmt.Sprintf("got %v, want an interrupt", p.failure))
	}
	observed := p.events[0].Kind == rollout.ShiftStarted // otherwise the first read was interrupted
	for _, r := range p.result.Routes {
		if observed && !r.Read {
			violations = append(violations, r.ID+" was not read")
		}
	}
	return violations
}

// An interrupt makes running gates return errors. The cause of the failure is the interrupt.
func TestRun_interruptPrecedesErrorsItCauses(t *testing.T) {
	const script = `
env blue 1.4.2
env green 1.5.0
route web blue=100 green=0
targets blue 2
targets green 2
stable blue
desired green
steps 50/1m
gate errors during errors=0
returns errors slow
at 18s interrupt
`
	for range 50 { // to provoke a race
		synctest.Test(t, func(t *testing.T) {
			p := play(parse(script))
			if p.failure == nil || p.failure.Cause != rollout.Interrupted || p.failure.Disposition != rollout.RolledBack {
				t.Errorf("got %v, want an interrupt", p.failure)
			}
		})
	}
}
