package rollout_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// lateStory is a shift whose write of the first step is executed after some time.
const lateStory = longStory + "record\nfault late write by=forward skip=2 times=2 for="

// diedInStep returns when the process of the story has sent the first step.
func diedInStep(t *testing.T) time.Duration {
	t.Helper()
	for at := time.Second; at < time.Hour; at += 300 * time.Millisecond {
		found := false
		synctest.Test(t, func(*testing.T) {
			x := dieAt(lateStory+"9s\n", at, false)
			found = x.handed != nil && x.handed.Moved && !slices.ContainsFunc(x.handed.Routes, func(r rollout.HandedRoute) bool { return !r.Pending })
		})
		if found {
			return at
		}
	}
	t.Fatal("the step was never sent")
	return 0
}

// A write of the dead process is undone as long as one can come, however long after the rollback.
func TestTakeOver_lateWriteAfterTheRollback(t *testing.T) {
	at := diedInStep(t)
	for _, late := range []string{"45s", "2m", "4m30s"} {
		synctest.Test(t, func(t *testing.T) {
			x := dieAt(lateStory+late+"\n", at, false)
			if v := x.violations(traffic.PhaseRolledBack); len(v) > 0 {
				t.Errorf("executed after %s: %q", late, v)
			}
			if x.writes["web"] != 2 || x.writes["api"] != 2 || x.took > time.Minute || x.stayed > 6*time.Minute {
				t.Errorf("executed after %s: undone with %v in %s and %s", late, x.writes, x.took, x.stayed)
			}
		})
	}
}

// What looks like a late write is the traffic of another shift once that has a record, or once a refresh has
// removed that of the dead process.
func TestTakeOver_laterShiftIsNoLateWrite(t *testing.T) {
	at := diedInStep(t)
	for name, next := range map[string]func(x *taken, id string){
		"another shift": func(x *taken, id string) {
			x.p.memory.Recorder().Set(id, traffic.Record{Shift: "s9", Switch: "this", Phase: traffic.PhaseOpen})
		},
		"after a refresh": func(x *taken, id string) { x.p.memory.Recorder().RemoveAll(id) },
	} {
		synctest.Test(t, func(t *testing.T) {
			step := traffic.State{}
			x := die(lateStory+"1s\n", at, true, func(x *taken) {
				step = x.handed.Routes[0].Ours[len(x.handed.Routes[0].Ours)-1]
				time.AfterFunc(2*time.Minute, func() {
					for _, id := range []string{"web", "api"} {
						next(x, id)
					}
					x.p.memory.Change("web", step)
				})
			})
			if now := x.p.memory.Now("web"); x.err != nil || !now.EqualTraffic(step) || x.stayed > 3*time.Minute {
				t.Errorf("%s: web has %v after %s (%v)", name, now.Weights, x.stayed, x.err)
			}
		})
	}
}

// fencing is a router that makes late writes fail, or not.
type fencing struct {
	traffic.Router
	fences bool
	before map[string][]traffic.State // that Fence was called with, by route
}

func (f fencing) Fence(route string, _ traffic.State, before []traffic.State) bool {
	f.before[route] = before
	return f.fences
}

// A command that knows nothing of the writes of a process that died does not guess what they were to replace. It
// watches the routes only if the router does not make such a write fail.
func TestRollBack_blind(t *testing.T) {
	for _, fences := range []bool{true, false} {
		for _, blind := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				before := map[string][]traffic.State{}
				x := ask(t, userStory, 90*time.Second, func(_ *rollout.Handover, by *rollout.Successor) {
					by.Router, by.Blind = fencing{by.Router, fences, before}, blind
				})
				if x.err != nil || x.back > time.Second {
					t.Errorf("fences %t, blind %t: the traffic was back after %s (%v)", fences, blind, x.back, x.err)
				}
				if watched := x.took >= 30*time.Second; watched == fences {
					t.Errorf("fences %t, blind %t: it took %s", fences, blind, x.took)
				}
				for _, route := range []string{"web", "api"} {
					if states, fenced := before[route]; !fenced || (states == nil) != blind {
						t.Errorf("fences %t, blind %t: %s was fenced %t against %v", fences, blind, route, fenced, states)
					}
				}
			})
		}
	}
}
