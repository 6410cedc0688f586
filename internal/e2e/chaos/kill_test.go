//go:build linux

package chaos

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// intents are what a user applies after a shift was killed.
var intents = []string{"same", "same, bad", "line", "commit", "red", "forward", "forward, bad"}

// afterKill does what a user does, and checks where that leads.
func (r *rig) afterKill(then string) {
	r.t.Helper()
	mark, had := r.Mark(), r.exposed()
	left := fmt.Sprint("left ", r.all(), r.Balancer.Tags(r.arns[0]), "\n")
	switch then {
	case "same":
		out := left + r.must()
		r.on("green", out)
		r.is("rejected", "", out)
		r.settled(out)
	case "same, bad":
		r.broken.Store(true)
		if r.version("live") == "green 1.3" {
			// Killed while the record was removed: the release is completed and saved, and an
			// apply without a change evaluates nothing.
			out := left + r.must()
			r.on("green", out)
			r.settled(out)
			break
		}
		out := left + r.fails()
		r.on("blue", out)
		r.is("rejected", "green 1.3", out)
		out += r.fails() // refused now
		r.on("blue", out)
		r.follow(out)
	case "line", "commit":
		r.broken.Store(true)
		if then == "commit" && r.later {
			r.Versions["green"] = "1.1"
		}
		r.MustConfigure("blue")
		out := left + r.must()
		r.on("blue", out)
		most := had
		if had == 0 && r.sticky {
			most = r.routes // a write detaches green, whose clients would stay with it
		}
		if n := r.Writes(mark); n < had || n > most {
			r.t.Errorf("%d writes on %d routes\n%s", n, had, out)
		}
		r.is("rejected", "", out)
		r.settled(out)
	case "red":
		r.red()
		r.MustConfigure("red")
		out := left + r.must()
		r.on("red", out)
		r.is("rejected", "", out)
		r.settled(out)
	case "forward", "forward, bad":
		r.MustDeploy("blue", rehearsal.AppTerms{Version: "1.5"})
		r.MustConfigure("blue")
		if then == "forward, bad" {
			r.broken.Store(true)
			out, ok := r.apply()
			r.t.Logf("%s: %s, success %t, now %v, rejected %s\n%s", then, left, ok, r.all(), r.version("rejected"), e2e.ErrorsIn(out))
			if !ok {
				r.broken.Store(false)
				r.follow(e2e.ErrorsIn(out))
			}
		} else {
			out := left + r.must()
			r.on("blue", out)
			r.is("rejected", "", out)
			r.settled(out)
		}
	}
	r.releases()
	r.lostNothing()
}

// hadNoWrite checks an apply that made fewer writes than the one at which it was to be killed: how
// many it makes depends on how its renewals fall, but never less than least.
func (r *rig) hadNoWrite(n, least int, live string) {
	r.t.Helper()
	if n <= least {
		r.t.Fatalf("the apply was not killed at write %d", n)
	}
	r.on(live, "the apply was not killed")
	r.lostNothing()
}

// SIGKILL at every write of a shift.
func killedAtWrite(add adder) {
	for _, s := range setups() {
		most := 12
		if s.routes > 1 {
			most = 20
		}
		for n := 1; n <= most; n++ {
			for _, then := range intents {
				add(fmt.Sprintf("%s/%d/%s", s, n, then), func(t *testing.T) {
					r := newRig(t, s)
					if !r.KilledAt(n, nthWrite) {
						r.hadNoWrite(n, 4*s.routes, "green") // a record and three steps
						return
					}
					r.afterKill(then)
				})
			}
		}
	}
}

// afterRollbackKill does what a user does after a rollback was killed. Whether the version
// is rejected depends on whether its record got to say so.
func (r *rig) afterRollbackKill(then string) {
	r.t.Helper()
	left := fmt.Sprint("left ", r.all(), r.Balancer.Tags(r.arns[0]), "\n")
	switch then {
	case "same", "same, bad":
		r.broken.Store(then == "same, bad")
		out, ok := r.apply()
		if ok {
			if then == "same, bad" {
				r.t.Errorf("apply succeeded:\n%s%s", left, out)
			}
			r.t.Logf("the evidence was lost: %s", left)
			r.on("green", left+out)
			break
		}
		out = left + e2e.ErrorsIn(out)
		r.on("blue", out)
		r.is("rejected", "green 1.3", out)
		mark := r.Mark()
		out += r.fails()
		if n := r.Writes(mark); n > 0 {
			r.t.Errorf("%d writes in a refusal\n%s", n, out)
		}
		r.follow(out)
	case "line", "commit", "red":
		if then == "commit" && r.later {
			r.Versions["green"] = "1.1"
		}
		to := "blue"
		if then == "red" {
			r.red()
			r.broken.Store(false)
			to = "red"
		}
		mark, had := r.Mark(), r.exposed()
		r.MustConfigure(to)
		out := left + r.must()
		r.on(to, out)
		if n := r.Writes(mark); to == "blue" && n != had {
			r.t.Errorf("%d writes on %d routes\n%s", n, had, out)
		}
		r.t.Logf("rejected %q after %s", r.version("rejected"), left)
		r.settled(out)
	case "forward":
		r.broken.Store(false)
		r.MustDeploy("blue", rehearsal.AppTerms{Version: "1.5"})
		r.MustConfigure("blue")
		out := left + r.must()
		r.on("blue", out)
		r.settled(out)
	}
	r.releases()
	r.lostNothing()
}

// SIGKILL at the n-th write of the rollback after a failed gate.
func killedInRollback(add adder) {
	for _, s := range setups() {
		for n := 1; n <= s.routes+2; n++ {
			for _, then := range []string{"same", "same, bad", "line", "commit", "red", "forward"} {
				add(fmt.Sprintf("%s/%d/%s", s, n, then), func(t *testing.T) {
					r := newRig(t, s)
					r.Pace = slow
					r.MustConfigure("green")
					remove := r.Balancer.Hook(func(call localaws.Call) { // in the first hold
						if call.Action == "DescribeTargetHealth" && r.exposed() == s.routes {
							r.broken.Store(true)
						}
					})
					killed := r.KilledAt(n, func(call localaws.Call) bool { return r.broken.Load() && e2e.IsWrite(call) })
					remove()
					r.Pace = quick
					r.MustConfigure("green")
					if !killed {
						r.hadNoWrite(n, s.routes, "blue")
						return
					}
					r.afterRollbackKill(then)
				})
			}
		}
	}
}
