//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// troubles are faults of an API.
func (x router) troubles() []trouble {
	var all []trouble
	for _, kind := range []faults.Kind{faults.AccessDenied, faults.ExpiredToken, faults.Throttle, faults.ServerError,
		faults.DropConnection, faults.Slow, faults.EmptyBody, faults.HTMLBody, faults.CutAnswer, faults.DropAnswer, faults.LostWrite} {
		for i, action := range x.actions {
			if kind == faults.LostWrite && i > 0 { // the first action writes
				continue
			}
			f := faults.Fault{Action: action, Kind: kind}
			if kind == faults.Slow { // it hangs
				f.Delay = time.Hour
			}
			all = append(all, trouble{fmt.Sprintf("%s %s", action, kind), []faults.Fault{f}})
		}
	}
	return append(all, trouble{"late writes", []faults.Fault{{Action: x.actions[0], Kind: faults.LateExecution, Delay: 12 * time.Second}}})
}

// outage injects faults for some seconds.
func (s *site) outage(x trouble) {
	s.t.Helper()
	var all []func()
	for _, f := range x.faults {
		all = append(all, s.Balancer.Inject(f))
	}
	until := time.Now().Add(8 * time.Second)
	s.Eventually("the outage ends", func() bool { return time.Now().After(until) })
	for _, remove := range all {
		remove()
	}
}

// Everything is killed at a write, and then the user applies the same, reverts the line, or the version is bad.
func siteKilledAtWrite(add adder) {
	for _, x := range routers() {
		for n := 1; n <= 3; n++ {
			for _, then := range []string{"same", "line", "bad"} {
				add(fmt.Sprintf("%s/%d/%s", x.name, n, then), func(t *testing.T) {
					s := x.site(t)
					s.configure("green", quickSteps)
					if !s.KilledAt(n, s.isWrite) {
						t.Fatalf("the apply was not killed at write %d", n)
					}
					left := fmt.Sprintln("left", s.shares())
					switch then {
					case "same":
						s.releases(left)
					case "line":
						s.broken.Store(true)
						s.configure("blue", quickSteps)
						out, ok := s.apply()
						if !ok {
							t.Errorf("apply failed:\n%s", out)
						}
						s.on("blue", left+out)
						s.isRejected(false, left+out)
						s.settled(left + out)
					case "bad":
						s.broken.Store(true)
						out, ok := s.apply()
						if ok && n < 3 {
							t.Errorf("the apply of a bad version succeeded after %s", left)
						}
						if n == 3 { // all of the traffic was on green: nothing is left to evaluate
							s.lostNone()
							return
						}
						s.on("blue", left+out)
						s.lostNone()
					}
				})
			}
		}
	}
}

// Terraform and the provider are killed at a write or in a hold. The guardian returns the traffic, and the next apply releases.
func siteKilledBesideGuardian(add adder) {
	for _, x := range routers() {
		for n := range 3 {
			add(fmt.Sprintf("%s/%d", x.name, n), func(t *testing.T) {
				s := x.site(t)
				if n == 0 {
					s.held(stays).Kill(e2e.AllButGuards)
				} else {
					s.configure("green", quickSteps)
					if !s.StruckAt(e2e.Kill(e2e.AllButGuards), n, s.isWrite) {
						t.Fatal("the apply was not killed")
					}
				}
				s.Eventually("blue has all traffic", func() bool { return s.shares()["blue"] == 100 && s.synced() })
				s.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(s.Terraform.Dir) })
				s.on("blue", "the guardian has ended")
				s.releases("after a guardian\n")
			})
		}
	}
}

// A fault in the hold and the step after it, of a version that is good.
func siteFaultInHold(add adder) {
	for _, x := range routers() {
		for _, fault := range x.troubles() {
			add(x.name+"/"+fault.name, func(t *testing.T) {
				s := x.site(t)
				apply := s.held(longStep)
				s.outage(fault)
				out, ok := apply.Wait()
				s.sound(out)
				s.isRejected(false, out)
				if ok {
					s.on("green", out)
				}
				s.releases(e2e.ErrorsIn(out))
			})
		}
	}
}

// A fault that begins in a hold once the gate has failed, and ends before rollback_timeout.
func siteFaultInRollback(add adder) {
	for _, x := range routers() {
		for _, fault := range x.troubles() {
			add(x.name+"/"+fault.name, func(t *testing.T) {
				s := x.site(t)
				apply := s.held(stays)
				s.broken.Store(true)
				s.Eventually("the gate has failed", s.failed.Load)
				s.outage(fault)
				out, ok := apply.Wait()
				s.sound(out)
				if ok {
					t.Errorf("the apply succeeded:\n%s", out)
				}
				s.on("blue", out)
				s.isRejected(true, out)
				mark := s.Mark()
				again, ok := s.apply()
				if ok || !strings.Contains(e2e.ErrorsIn(again), "rejected version") {
					t.Errorf("the rejected version is not refused:\n%s", again)
				}
				for _, call := range s.Balancer.Calls()[mark:] {
					if s.isWrite(call) {
						t.Errorf("the refused apply wrote:\n%s", again)
					}
				}
				s.on("blue", again)
				s.lostNone()
			})
		}
	}
}

// Somebody else changes the weights in a hold. The shift stops and leaves what others wrote; what leaves the weights alone
// does not end it.
func siteHandInHold(add adder) {
	for _, x := range routers() {
		for _, shares := range []map[string]int{{"blue": 70, "green": 30}, {"green": 100}, {"blue": 100}, nil} {
			for _, fails := range []bool{false, true} {
				add(fmt.Sprintf("%s/%v/the gate fails %t", x.name, shares, fails), func(t *testing.T) {
					s := x.site(t)
					if shares == nil {
						apply := s.held(longStep)
						s.touch()
						s.broken.Store(fails)
						out, ok := apply.Wait()
						if ok == fails {
							t.Errorf("success %t\n%s", ok, out)
						}
						s.on(map[bool]string{true: "blue", false: "green"}[fails], out)
						s.lostNone()
						return
					}
					apply := s.held(stays)
					s.change(shares)
					mark := s.Mark()
					s.broken.Store(fails)
					out, ok := apply.Wait()
					s.sound(out)
					if ok {
						t.Errorf("the apply succeeded:\n%s", out)
					}
					if got := s.shares(); fmt.Sprint(got) != fmt.Sprint(shares) && (!fails || got["blue"] != 100) {
						results.add(t, notConverged)
						t.Errorf("%v became %v\n%s", shares, got, out)
					}
					for _, call := range s.Balancer.Calls()[mark:] {
						if s.isWrite(call) && !fails {
							t.Errorf("the provider wrote after somebody else\n%s", out)
							break
						}
					}
					s.lostNone()
				})
			}
		}
	}
}
