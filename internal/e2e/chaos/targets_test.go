//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Somebody deregisters or adds targets in a hold, while the gate passes or fails.
func targetsInHold(add adder) {
	for _, s := range unsticky() {
		for _, environment := range []string{"blue", "green"} {
			for _, fails := range []bool{false, true} {
				add(fmt.Sprintf("%s/%s deregistered/fails %t", s, environment, fails), func(t *testing.T) { deregistered(t, s, environment, fails) })
				add(fmt.Sprintf("%s/%s replaced/fails %t", s, environment, fails), func(t *testing.T) { replaced(t, s, environment, fails) })
			}
		}
	}
}

// deregistered is about an environment whose last target somebody deregisters in a hold. Its share
// of the requests is lost until the traffic has left it, which no balancer could serve.
func deregistered(t *testing.T, s setup, environment string, fails bool) {
	t.Helper()
	r := newRig(t, s)
	apply := r.hold(slow)
	if err := r.Stack.Retire(t.Context(), environment); err != nil {
		t.Fatal(err)
	}
	r.broken.Store(fails)
	out, ok := apply.Wait()
	errors := e2e.ErrorsIn(out)
	t.Logf("success %t, now %v, rejected %q\n%s", ok, r.all(), r.version("rejected"), errors)
	if !ok {
		r.truthful(out)
	}
	switch {
	case environment == "green" && fails:
		r.on("blue", errors)
		r.is("rejected", "green 1.3", errors)
		r.MustDeploy("green", rehearsal.AppTerms{Version: "1.3"})
		r.follow(errors)
	case environment == "green": // that it has no targets says nothing about the version
		r.on("blue", errors)
		r.is("rejected", "", errors)
		r.MustDeploy("green", rehearsal.AppTerms{Version: "1.3"})
		r.MustConfigure("green")
		r.follow(errors)
		r.on("green", errors)
	case !fails: // users are where they are served, at once
		r.on("green", errors)
		r.is("rejected", "", errors)
		r.MustDeploy("blue", rehearsal.AppTerms{Version: r.Versions["blue"]})
		r.MustConfigure("green")
		out := errors + r.must()
		r.on("green", out)
		r.settled(out)
	default: // the gate fails, and there is nowhere to return to before blue has a target again
		if ok {
			t.Errorf("the apply succeeded:\n%s", out)
		}
		r.MustDeploy("blue", rehearsal.AppTerms{Version: r.Versions["blue"]})
		r.MustConfigure("green")
		again := r.fails()
		r.on("blue", errors+again)
		r.is("rejected", "green 1.3", errors+again)
		r.follow(again)
	}
	r.releases()
}

// replaced is about an environment whose target somebody replaces in a hold by another one with
// the same version, as autoscaling does.
func replaced(t *testing.T, s setup, environment string, fails bool) {
	t.Helper()
	r := newRig(t, s)
	pace := rehearsal.Pace{Hold: "5s", Settle: "300ms", SteadyFor: "100ms"}
	if fails {
		pace = slow
	}
	apply := r.hold(pace)
	r.MustDeploy(environment, rehearsal.AppTerms{Version: r.Versions[environment]})
	r.broken.Store(fails)
	out, ok := apply.Wait()
	errors := e2e.ErrorsIn(out)
	if !ok {
		r.truthful(out)
	}
	r.MustConfigure("green")
	if fails {
		r.on("blue", errors)
		r.is("rejected", "green 1.3", errors)
		r.follow(r.fails())
	} else {
		r.is("rejected", "", errors)
		out := errors + r.must()
		r.on("green", out)
		r.settled(out)
	}
	r.releases()
	r.lostNothing()
}

// A provider is frozen until its lease has expired, and an apply on another machine takes the shift
// over. When the first one goes on, it writes nothing, and rejects nothing.
func frozen(add adder) {
	for _, s := range setups() {
		for _, guarded := range []bool{true, false} {
			for _, active := range []string{"blue", "green"} {
				add(fmt.Sprintf("%s/%s/the other apply wants %s", s, guardText(guarded), active), func(t *testing.T) {
					r := newRig(t, s)
					if !guarded {
						r.unguarded()
					}
					first := r.hold(rehearsal.Pace{Hold: "10s", Settle: "300ms", SteadyFor: "100ms"})
					thaw := e2e.Freeze(t, first.Provider())
					other := r.In(r.copied())
					if err := other.Configure(active); err != nil {
						t.Fatal(err)
					}
					mark := r.Mark()
					out, ok := other.RunElsewhere("apply", "-no-color", "-auto-approve", e2e.Unlocked)
					if !ok {
						t.Errorf("the other apply failed:\n%s", out)
					}
					if n := r.Writes(mark); active == "blue" && n != r.routes {
						t.Errorf("it made %d writes on %d routes", n, r.routes)
					}
					r.on(active, out)
					mark = r.Mark()
					thaw()
					out, ok = first.Wait()
					if ok {
						t.Errorf("the frozen apply succeeded:\n%s", out)
					}
					r.truthful(out)
					r.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(r.Terraform.Dir) })
					errors := e2e.ErrorsIn(out)
					if n := r.Writes(mark); n > 0 || !strings.Contains(errors, "Traffic:") {
						t.Errorf("%d writes after another apply took over\n%s", n, errors)
					}
					r.on(active, errors)
					r.is("rejected", "", errors)
					r.MustConfigure("green")
					out = errors + r.must()
					r.on("green", out)
					r.settled(out)
					r.releases()
					r.lostNothing()
				})
			}
		}
	}
}
