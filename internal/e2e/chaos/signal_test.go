//go:build linux

package chaos

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// blow is what happens to the processes of an apply.
type blow struct {
	name string
	// strike may go on in another goroutine. It is called while the call that it hits waits.
	strike func(a *e2e.Apply) error
	// guarded reports that a guardian survives it.
	guarded bool
}

func blows() []blow {
	group := func(s syscall.Signal) func(*e2e.Apply) error {
		return func(a *e2e.Apply) error { return proc.SignalGroup(a.Command, s) }
	}
	return []blow{
		{"INT", group(syscall.SIGINT), true},
		{"INT twice", intTwice, true},
		{"TERM to Terraform", func(a *e2e.Apply) error { return a.Command.Process.Signal(syscall.SIGTERM) }, true},
		{"TERM to the group", group(syscall.SIGTERM), true},
		{"HUP", group(syscall.SIGHUP), true},
		{"KILL of Terraform", func(a *e2e.Apply) error { return a.Command.Process.Kill() }, true},
		{"KILL of the provider", e2e.Kill(e2e.OnlyProvider), true},
		{"KILL of both", e2e.Kill(e2e.AllButGuards), true},
		{"KILL of everything", e2e.Kill(e2e.Everything), false},
		{"canceled job", cancelJob, true},
	}
}

// intTwice is Ctrl-C, and again 300 ms later.
func intTwice(a *e2e.Apply) error {
	time.AfterFunc(300*time.Millisecond, func() { _ = proc.Interrupt(a.Command) }) // it may have ended
	return proc.Interrupt(a.Command)
}

// cancelJob is the end of a canceled CI job: TERM, and 2.5 s later KILL for the process tree.
func cancelJob(a *e2e.Apply) error {
	tree := append([]int{a.Command.Process.Pid}, e2e.Children(a.Command.Process.Pid)...)
	time.AfterFunc(2500*time.Millisecond, func() {
		for _, pid := range tree {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return a.Command.Process.Signal(syscall.SIGTERM)
}

// moment is when a blow falls.
type moment struct {
	name string
	n    int // the n-th call that matches
	// matches is made anew for each case.
	matches func(r *rig) func(localaws.Call) bool
	// attaches: the routes do not have green before, so that the first write attaches it.
	attaches bool
}

func isWeightWrite(call localaws.Call) bool { return strings.HasPrefix(call.Action, "Modify") }

// writeMoments are the writes of a shift with a number of routes, and their read-backs.
func writeMoments(routes int) []moment {
	always := func(is func(localaws.Call) bool) func(*rig) func(localaws.Call) bool {
		return func(*rig) func(localaws.Call) bool { return is }
	}
	all := []moment{{name: "the record", n: 1, matches: always(nthWrite)}}
	for n := 1; n <= 3; n++ {
		all = append(all, moment{name: fmt.Sprintf("write %d", n), n: routes * n, matches: always(isWeightWrite)},
			moment{name: fmt.Sprintf("read-back of write %d", n), n: 1, matches: func(*rig) func(localaws.Call) bool { return afterWrites(routes * n) }})
		if routes > 1 {
			all = append(all, moment{name: fmt.Sprintf("write %d on the first route", n), n: routes*(n-1) + 1, matches: always(isWeightWrite)})
		}
	}
	return append(all, moment{name: "attach", n: 1, matches: always(isWeightWrite), attaches: true},
		moment{name: "read-back of attach", n: 1, matches: func(*rig) func(localaws.Call) bool { return afterWrites(routes) }, attaches: true})
}

// detach takes green, which is idle, from every route.
func (r *rig) detach() {
	r.t.Helper()
	for _, arn := range r.arns {
		set(map[string]int32{"blue": 100}, false)(r, arn)
	}
}

// afterWrites matches reads of routes after the n-th write.
func afterWrites(n int) func(localaws.Call) bool {
	var writes atomic.Int64
	return func(call localaws.Call) bool {
		if isWeightWrite(call) {
			writes.Add(1)
		}
		return writes.Load() >= int64(n) && (call.Action == "DescribeListeners" || call.Action == "DescribeRules")
	}
}

// spread is the setups and guardians of the cases.
func spread(do func(s setup, guarded bool)) {
	for _, routes := range []int{1, 3} {
		for _, sticky := range []bool{false, true} {
			for _, guarded := range []bool{true, false} {
				do(setup{routes: routes, sticky: sticky, later: true}, guarded)
			}
		}
	}
}

// unguarded turns the guardian off.
func (r *rig) unguarded() {
	r.t.Helper()
	r.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  guardian = false\n}")
}

// struck releases green until a blow falls. It returns false if none fell.
func (r *rig) struck(b blow, m moment, guarded bool) bool {
	r.t.Helper()
	if !guarded {
		r.unguarded()
	}
	if m.attaches {
		r.detach()
	}
	if !r.StruckAt(b.strike, m.n, m.matches(r), e2e.Unlocked) {
		return false
	}
	r.Eventually("no process of the apply writes any more", func() bool { return !e2e.RunsProvider(r.Terraform.Dir) })
	if guarded && b.guarded {
		r.Eventually("the traffic is on one environment", func() bool { return r.sole() != "" })
		r.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(r.Terraform.Dir) })
	}
	return true
}

// guardText is part of a case's name.
func guardText(guarded bool) string {
	if guarded {
		return "guardian"
	}
	return "no guardian"
}

// edits are what follows a blow, in turn.
var edits = []string{"same", "line", "same, bad", "commit"}

// A signal at every write of a shift, and at its read-back.
func signaledAtWrite(add adder) {
	n := 0
	spread(func(s setup, guarded bool) {
		for _, b := range blows() {
			for _, m := range writeMoments(s.routes) {
				then := edits[n%len(edits)]
				n++
				add(fmt.Sprintf("%s/%s/%s/%s/then %s", s, guardText(guarded), b.name, m.name, then), func(t *testing.T) {
					r := newRig(t, s)
					if !r.struck(b, m, guarded) {
						r.hadNoWrite(2, 1, "green")
						return
					}
					r.afterKill(then)
				})
			}
		}
	})
}

// A signal while the shift waits.
func signaledInWait(add adder) {
	n := 0
	spread(func(s setup, guarded bool) {
		for _, b := range blows() {
			for _, x := range append(waits(), wait{"health check", 0, 2, quick}) {
				then := edits[n%len(edits)]
				n++
				add(fmt.Sprintf("%s/%s/%s/%s/then %s", s, guardText(guarded), b.name, x.name, then), func(t *testing.T) {
					r := newRig(t, s)
					if !r.struckIn(x, b, guarded) {
						r.hadNoWrite(2, 1, "green")
						return
					}
					r.afterKill(then)
				})
			}
		}
	})
}

// struckIn releases green until a blow falls in a wait. It returns false if none fell.
func (r *rig) struckIn(x wait, b blow, guarded bool) bool {
	r.t.Helper()
	r.Pace = x.pace
	r.MustConfigure("green")
	var there atomic.Bool
	remove := r.Balancer.Hook(func(call localaws.Call) {
		if call.Action == "DescribeTargetHealth" {
			there.Store(r.allHave(x.share))
		}
	})
	hit := r.struck(b, moment{name: x.name, n: x.reads, matches: func(*rig) func(localaws.Call) bool {
		return func(call localaws.Call) bool { return call.Action == "DescribeTargetHealth" && there.Load() }
	}}, guarded)
	remove()
	r.Pace = quick
	r.MustConfigure("green")
	return hit
}

// allHave reports whether every route gives green a share in percent.
func (r *rig) allHave(percent int) bool {
	for _, w := range r.all() {
		if w["green"] != percent {
			return false
		}
	}
	return true
}

// A signal at a write of the rollback after a failed gate.
func signaledInRollback(add adder) {
	n := 0
	spread(func(s setup, guarded bool) {
		for _, b := range blows() {
			for _, nth := range []int{1, s.routes, s.routes + 1}[:min(s.routes+1, 3)] {
				then := []string{"same", "line", "same, bad"}[n%3]
				n++
				add(fmt.Sprintf("%s/%s/%s/write %d/then %s", s, guardText(guarded), b.name, nth, then), func(t *testing.T) {
					r := newRig(t, s)
					r.Pace = slow
					r.MustConfigure("green")
					remove := r.Balancer.Hook(func(call localaws.Call) { // in the first hold
						if call.Action == "DescribeTargetHealth" && r.exposed() == s.routes {
							r.broken.Store(true)
						}
					})
					m := moment{n: nth, matches: func(r *rig) func(localaws.Call) bool {
						return func(call localaws.Call) bool { return r.broken.Load() && e2e.IsWrite(call) }
					}}
					hit := r.struck(b, m, guarded)
					remove()
					r.Pace = quick
					r.MustConfigure("green")
					if !hit {
						r.hadNoWrite(2, 1, "blue")
						return
					}
					r.afterRollbackKill(then)
				})
			}
		}
	})
}

// Two applies of one configuration at the same time: the second one does not write.
func twoWriters(add adder) {
	for _, s := range setups() {
		for _, active := range []string{"green", "blue"} {
			for _, killed := range []bool{false, true} {
				add(fmt.Sprintf("%s/the second wants %s/the first is killed %t", s, active, killed), func(t *testing.T) {
					r := newRig(t, s)
					first := r.hold(rehearsal.Pace{Hold: "20s", Settle: "300ms", SteadyFor: "100ms"})
					mark := r.Mark()
					second := r.In(r.copied())
					if err := second.Configure(active); err != nil {
						t.Fatal(err)
					}
					out := second.MustFail(e2e.Unlocked)
					if !strings.Contains(out, "another apply") && !strings.Contains(out, "Another apply") {
						t.Errorf("the second apply was not stopped by the lease:\n%s", out)
					}
					if n := r.Writes(mark); n > 0 && r.allHave(5) {
						t.Errorf("%d writes while green has 5 %%", n)
					}
					if killed {
						first.Kill(e2e.AllButGuards)
						r.Eventually("the traffic is back", func() bool { return r.sole() == "blue" })
						r.afterKill("same")
						return
					}
					if out, ok := first.Wait(); !ok {
						t.Errorf("the first apply failed:\n%s", out)
					}
					r.on("green", out)
					r.releases()
					r.lostNothing()
				})
			}
		}
	}
}

// copied returns a copy of the configuration with its state.
func (r *rig) copied() string {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(r.Terraform.Dir)); err != nil {
		r.t.Fatal(err)
	}
	return dir
}
