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

// longStory has every phase of a shift, on two routes, and a balancer that
// takes its time, so that an interrupt can come in the middle of any call.
const longStory = `
env blue 1.4.2 leaving
env green 1.5.0
route web blue=100
route api blue=100
targets blue 2
targets green 2
stable blue
goal green
steps 5/1m 50/1m
bake 1m
settle 1m
gate idle before
gate errors during
fault slow read for=400ms times=always
fault slow write for=700ms times=always
fault slow health for=300ms times=always
`

// moments are the times of every event of a story and some around them.
func moments(t *testing.T, script string) []time.Duration {
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
		all := moments(t, longStory)
		if len(all) < 50 {
			t.Fatalf("only %d moments", len(all))
		}
		for _, at := range all {
			synctest.Test(t, func(t *testing.T) {
				p := play(parse(fmt.Sprintf("%s%sat %s interrupt\n", longStory, stop, at)))
				if wrong := append(p.wrong, p.interruptedWrong(stop != "")...); len(wrong) > 0 {
					t.Errorf("interrupted at %s:\n%s\n%s", at, strings.Join(wrong, "\n"), p.text())
				}
			})
		}
	}
}

// interruptedWrong: an interrupt takes the traffic back (or stops it where it
// is) within five seconds and with one write for each route, unless all that
// was left is to tidy.
func (p *played) interruptedWrong(stop bool) []string {
	var wrong []string
	if p.took > p.cancelAt+5*time.Second {
		wrong = append(wrong, fmt.Sprintf("it took until %s", p.took))
	}
	home := map[string]int{}
	for _, c := range p.memory.Calls() {
		if c.Op == routertest.Write && c.Rollback {
			home[c.Routes[0]]++
		}
	}
	ends := p.segments[len(p.segments)-1].phase == "attach and detach" && p.failure == nil
	for _, r := range p.story.routes {
		now := p.memory.Now(r.id)
		blue, green := now.Weights["web-blue"]+now.Weights["api-blue"], now.Weights["web-green"]+now.Weights["api-green"]
		if !stop && (home[r.id] > 1 || !ends && (blue == 0 || green > 0)) {
			wrong = append(wrong, fmt.Sprintf("%s gives blue %d, green %d after %d writes", r.id, blue, green, home[r.id]))
		}
		if stop && home[r.id] > 0 {
			wrong = append(wrong, r.id+" is written after the interrupt")
		}
	}
	if ends {
		return wrong
	}
	left := map[rollout.Disposition]bool{rollout.Unchanged: true, rollout.RolledBack: !stop, rollout.Stopped: stop}
	if p.failure == nil || p.failure.Cause != rollout.Interrupted || !left[p.failure.Disposition] || p.failure.Rejects {
		wrong = append(wrong, fmt.Sprintf("it ends with %v", p.failure))
	}
	looked := p.events[0].Kind == rollout.ShiftStarted // else it came in the very first reading
	for _, r := range p.result.Routes {
		if looked && !r.Read {
			wrong = append(wrong, r.ID+" was not read")
		}
	}
	return wrong
}

// An interrupt and an answer that come at the same time: it is an interrupt.
func TestRun_interruptBeatsTheAnswersThatItBrings(t *testing.T) {
	const script = `
env blue 1.4.2
env green 1.5.0
route web blue=100 green=0
targets blue 2
targets green 2
stable blue
goal green
steps 50/1m
gate errors during errors=0
says errors slow
at 18s interrupt
`
	for range 50 { // a race that is lost now and then
		synctest.Test(t, func(t *testing.T) {
			p := play(parse(script))
			if p.failure == nil || p.failure.Cause != rollout.Interrupted || p.failure.Disposition != rollout.RolledBack {
				t.Errorf("it ends with %v", p.failure)
			}
		})
	}
}
