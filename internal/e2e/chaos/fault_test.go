//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// trouble is faults of the API with a name.
type trouble struct {
	name   string
	faults []faults.Fault
}

// outages are faults that last until they are removed.
func outages() []trouble {
	var all []trouble
	for _, kind := range []faults.Kind{faults.AccessDenied, faults.ExpiredToken, faults.Throttle, faults.ServerError,
		faults.DropConnection, faults.Slow, faults.EmptyBody, faults.HTMLBody, faults.CutAnswer, faults.DropAnswer, faults.LostWrite} {
		f := faults.Fault{Kind: kind}
		if kind == faults.Slow { // it hangs
			f.Delay = time.Hour
		}
		all = append(all, trouble{fmt.Sprintf("every call %s", kind), []faults.Fault{f}})
		for _, action := range []string{"ModifyListener", "DescribeListeners", "DescribeTargetHealth", "DescribeTags", "AddTags"} {
			if kind == faults.LostWrite && strings.HasPrefix(action, "Describe") {
				continue
			}
			f.Action = action
			all = append(all, trouble{fmt.Sprintf("%s %s", action, kind), []faults.Fault{f}})
		}
	}
	for _, action := range []string{"DescribeListeners", "DescribeTargetHealth", "DescribeTags"} {
		all = append(all, trouble{action + " EmptyList", []faults.Fault{{Action: action, Kind: faults.EmptyList}}},
			trouble{action + " StaleRead", []faults.Fault{{Action: action, Kind: faults.StaleRead, Times: 3}}})
	}
	return append(all,
		trouble{"every call takes 1.2 s", []faults.Fault{{Kind: faults.Slow, Delay: 1200 * time.Millisecond}}},
		trouble{"late writes", []faults.Fault{{Action: "ModifyListener", Kind: faults.Slow, Delay: 12 * time.Second}}},
		trouble{"late tags", []faults.Fault{{Kind: faults.LateTags, Delay: 5 * time.Second}}},
		trouble{"all tags denied", []faults.Fault{{Action: "AddTags", Kind: faults.AccessDenied}, {Action: "RemoveTags", Kind: faults.AccessDenied}, {Action: "DescribeTags", Kind: faults.AccessDenied}}})
}

// begin injects the faults and returns the function that ends them.
func (r *rig) begin(x trouble) (end func()) {
	var all []func()
	for _, f := range x.faults {
		all = append(all, r.Balancer.Inject(f))
	}
	return func() {
		for _, remove := range all {
			remove()
		}
	}
}

// withTimeout sets rollback_timeout.
func (r *rig) withTimeout(limit string) {
	r.t.Helper()
	r.Edit("settle = var.settle", "settle = var.settle\n    rollback_timeout = \""+limit+"\"")
}

// outage waits for eight seconds of requests.
func (r *rig) outage() {
	r.t.Helper()
	before := r.loads[0].Counts().Requests
	r.Eventually("eight seconds of requests", func() bool { return r.loads[0].Counts().Requests >= before+8*loadRate })
}

// brokenUnder starts a release, with a rollback_timeout, whose gate fails in the first hold
// right after the faults have begun. end ends them.
func (r *rig) brokenUnder(x trouble, timeout string) (apply *e2e.Apply, end func()) {
	r.t.Helper()
	r.withTimeout(timeout)
	apply = r.hold(slow)
	end = r.begin(x)
	r.broken.Store(true)
	return apply, end
}

// comesThrough checks the release of a good version after a fault: it completes, or the next apply
// completes it, and nothing is rejected.
func (r *rig) comesThrough(apply *e2e.Apply) {
	r.t.Helper()
	out, ok := apply.Wait()
	if !ok {
		r.t.Logf("the apply failed:\n%s", e2e.ErrorsIn(out))
		r.truthful(out)
	}
	r.is("rejected", "", e2e.ErrorsIn(out))
	r.MustConfigure("green")
	out = e2e.ErrorsIn(out) + r.must()
	r.on("green", out)
	r.settled(out)
	r.releases()
	r.lostNothing()
}

// A fault while an apply refreshes and plans: it fails, or goes on, and nothing is moved or forgotten.
func faultInRefresh(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		add(fmt.Sprintf("%s/%s", x.name, s), func(t *testing.T) {
			r := newRig(t, s)
			before := r.all()
			end := r.begin(x)
			out, ok := r.Start(e2e.Unlocked).Wait()
			end()
			if !ok {
				r.truthful(out)
				for i, w := range r.all() {
					if fmt.Sprint(w) != fmt.Sprint(before[i]) {
						r.violatef(notConverged, "a failed apply left route %d at %v\n%s", i, w, out)
					}
				}
			}
			r.is("rejected", "", e2e.ErrorsIn(out))
			out += r.must()
			r.on("green", out)
			r.settled(out)
			r.releases()
			r.lostNothing()
		})
	}
}

// A fault that begins with the first write of the traffic, of a version that is good: a step, or
// the write that attaches its target group.
func faultAtStep(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		for _, attaches := range []bool{false, true} {
			add(fmt.Sprintf("%s/%s/attaches %t", x.name, s, attaches), func(t *testing.T) { faultAtFirstWrite(t, x, s, attaches) })
		}
	}
}

func faultAtFirstWrite(t *testing.T, x trouble, s setup, attaches bool) {
	t.Helper()
	r := newRig(t, s)
	if attaches {
		r.detach()
	}
	r.Pace = rehearsal.Pace{Hold: "3s", Settle: "300ms", SteadyFor: "100ms"}
	r.MustConfigure("green")
	var once sync.Once
	ended := make(chan func(), 1)
	remove := r.Balancer.Hook(func(call localaws.Call) {
		if isWeightWrite(call) {
			once.Do(func() { ended <- r.begin(x) })
		}
	})
	apply := r.Start(e2e.Unlocked)
	end := <-ended
	remove()
	r.Pace = quick
	r.outage()
	end()
	r.comesThrough(apply)
}

// A fault during a hold and the step after it, of a version that is good.
func faultInHold(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		add(fmt.Sprintf("%s/%s", x.name, s), func(t *testing.T) {
			r := newRig(t, s)
			apply := r.hold(rehearsal.Pace{Hold: "3s", Settle: "300ms", SteadyFor: "100ms"})
			end := r.begin(x)
			r.outage()
			end()
			r.comesThrough(apply)
		})
	}
}

// Reads that are eight seconds behind, of a version that is good: from the hold on, or from the
// first write on.
func staleForLonger(add adder) {
	for _, s := range setups() {
		for _, from := range []string{"hold", "write"} {
			add(fmt.Sprintf("%s/%s", s, from), func(t *testing.T) {
				r := newRig(t, s)
				stale := trouble{"stale", []faults.Fault{{Kind: faults.StaleRead}}}
				pace := rehearsal.Pace{Hold: "3s", Settle: "300ms", SteadyFor: "100ms"}
				var apply *e2e.Apply
				var end func()
				if from == "hold" {
					apply = r.hold(pace)
					end = r.begin(stale)
				} else {
					r.Pace = pace
					r.MustConfigure("green")
					var once sync.Once
					ended := make(chan func(), 1)
					remove := r.Balancer.Hook(func(call localaws.Call) {
						if call.Action == "ModifyListener" {
							once.Do(func() { ended <- r.begin(stale) })
						}
					})
					apply = r.Start(e2e.Unlocked)
					end = <-ended
					remove()
					r.Pace = quick
				}
				r.outage()
				end()
				r.comesThrough(apply)
			})
		}
	}
}

// A fault that begins in a hold in which the gate fails then, and ends before rollback_timeout.
func faultInRollback(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		add(fmt.Sprintf("%s/%s", x.name, s), func(t *testing.T) {
			r := newRig(t, s)
			apply, end := r.brokenUnder(x, "60s")
			r.outage()
			end()
			out, ok := apply.Wait()
			if ok {
				t.Errorf("the apply succeeded:\n%s", out)
			}
			r.truthful(out)
			errors := e2e.ErrorsIn(out)
			t.Logf("%v\n%s", r.all(), errors)
			r.on("blue", errors)
			r.is("rejected", "green 1.3", errors)
			r.MustConfigure("green")
			mark := r.Mark()
			refused := r.fails()
			if n := r.Writes(mark); n > 0 || !strings.Contains(refused, "rejected version") {
				t.Errorf("%d writes\n%s\n%s", n, errors, refused)
			}
			r.follow(refused)
			r.releases()
			r.lostNothing()
		})
	}
}

// A fault that lasts longer than rollback_timeout.
func faultOutlastsRollback(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		add(fmt.Sprintf("%s/%s", x.name, s), func(t *testing.T) {
			r := newRig(t, s)
			apply, end := r.brokenUnder(x, "10s")
			out, ok := apply.Wait()
			end()
			if ok {
				t.Errorf("the apply succeeded:\n%s", out)
			}
			r.truthful(out)
			errors := e2e.ErrorsIn(out)
			t.Logf("%v\n%s", r.all(), errors)
			had, mark := r.exposed(), r.Mark()
			r.MustConfigure("green")
			if i%2 == 0 {
				again := r.fails()
				t.Logf("again: %s", again)
				if n := r.Writes(mark); n > had {
					t.Errorf("%d writes on %d routes", n, had)
				}
				r.on("blue", errors+again)
				r.is("rejected", "green 1.3", errors+again)
				r.follow(again)
			} else {
				r.follow(errors)
				if n := r.Writes(mark); n > had {
					t.Errorf("%d writes on %d routes", n, had)
				}
				r.is("rejected", "green 1.3", errors)
			}
			r.releases()
			r.lostNothing()
		})
	}
}
