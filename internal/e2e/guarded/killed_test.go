//go:build linux

package guarded

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// back is the longest time from a death to all traffic on the stable environment, beyond what
// the API takes.
const back = 3 * time.Second

// quick is a pace at which a shift takes about a second.
var quick = rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}

// nth matches calls of an action.
func nth(action string) func(localaws.Call) bool {
	return func(call localaws.Call) bool { return call.Action == action }
}

// hasAll reports whether the listener, and the rules that are routes, send everything to an
// environment.
func hasAll(w *e2e.World, environment string, rules ...string) bool {
	other := map[string]string{"blue": "green", "green": "blue"}[environment]
	for _, arn := range append([]string{w.Stack.Listener}, rules...) {
		if !w.Feeds(arn, environment) || w.Feeds(arn, other) {
			return false
		}
	}
	return true
}

// returned waits until the traffic is back on blue after a death, and returns a text if that was
// late.
func returned(w *e2e.World, died time.Time, api time.Duration, rules ...string) (late string) {
	w.Eventually("the traffic is back", func() bool { return hasAll(w, "blue", rules...) })
	if took := time.Since(died); slow.Exceeds(took-api, back) {
		return fmt.Sprintf("the traffic was back after %s", took)
	}
	return ""
}

// withRules makes two rules routes of the switch as well.
func withRules(w *e2e.World, n int) (rules []string) {
	for i := range n {
		rules = append(rules, w.AddRule(i+10))
	}
	if n > 0 {
		w.Route(append([]string{w.Stack.Listener}, rules...)...)
		w.MustApply()
	}
	return rules
}

// Terraform and the provider are killed at every write of the traffic.
func TestGuardian_killedAtEveryWrite(t *testing.T) {
	for _, victims := range []e2e.Victims{e2e.AllButGuards, e2e.OnlyProvider} {
		for _, routes := range []int{1, 3} {
			for n := 1; n <= 3; n++ {
				if routes == 3 && n != 2 || victims == e2e.OnlyProvider && n == 1 {
					continue // the matrix has all combinations
				}
				t.Run(fmt.Sprintf("victims %d, %d routes, write %d", victims, routes, n), func(t *testing.T) {
					t.Parallel()
					w := e2e.NewQuietWorld(t, quick)
					rules := withRules(w, routes-1)
					w.MustConfigure("green")
					isWrite := func(call localaws.Call) bool { return strings.HasPrefix(call.Action, "Modify") }
					if !w.StruckAt(e2e.Kill(victims), routes*n, isWrite) {
						t.Fatal("the apply was not killed")
					}
					if late := returned(w, time.Now(), 0, rules...); late != "" {
						t.Error(late)
					}
					mark := w.Mark()
					w.MustApply(e2e.Unlocked)
					if !hasAll(w, "green", rules...) {
						t.Error("the next apply did not release green")
					}
					if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) > 0 {
						t.Errorf("the listener still has the tags %v", tags)
					}
					if n := w.Writes(mark); n < 3*routes {
						t.Errorf("green was released with %d writes, not by steps", n)
					}
					w.LostNothing()
				})
			}
		}
	}
}
