//go:build linux

package operated

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const (
	// longestRollback is the time from the start of the command to the traffic restored on 3 routes.
	longestRollback = 300 * time.Millisecond
	// largestCommand was 25 MiB before the command had the clients of Kubernetes, which are 5 MiB.
	largestCommand = 30 << 20
)

// quick is a pace at which a shift takes about a second.
var quick = rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}

// volatile replaces what differs from run to run, with who rolled back.
func volatile() []golden.Replacement {
	return append(golden.Volatile(), golden.ReplacePattern(`olled back by \S+ on \S+( \([^)]*\))? with`, "olled back by <user> on <host> with"))
}

// hasAll reports whether all routes send everything to an environment.
func hasAll(w *e2e.World, environment string, rules ...string) bool {
	other := map[string]string{"blue": "green", "green": "blue"}[environment]
	for _, arn := range append([]string{w.Stack.Listener}, rules...) {
		if !w.Feeds(arn, environment) || w.Feeds(arn, other) {
			return false
		}
	}
	return true
}

// withRules makes rules routes of the switch as well.
func withRules(w *e2e.World, n int) (rules []string) {
	for i := range n {
		rules = append(rules, w.AddRule(i+10))
	}
	w.Route(append([]string{w.Stack.Listener}, rules...)...)
	w.MustApply()
	return rules
}

// nth matches calls of an action.
func nth(action string) func(localaws.Call) bool {
	return func(call localaws.Call) bool { return call.Action == action }
}

// Everything is killed at 50 %. The command takes it all back without Terraform, and the next plan
// rejects the version.
func TestOperated_rollbackAfterAKill(t *testing.T) {
	t.Parallel()
	size, err := os.Stat(e2e.BuildCommand(t))
	if err != nil || size.Size() > largestCommand {
		t.Errorf("the command has %d bytes (%v), at most %d", size.Size(), err, largestCommand)
	}
	w := e2e.NewQuietWorld(t, quick)
	rules := withRules(w, 2)
	w.MustConfigure("green")
	if !w.KilledAt(2, nth("ModifyListener")) {
		t.Fatal("the apply was not killed")
	}
	if weights := w.Weights(); weights["green"] != 50 {
		t.Fatalf("the split is %v", weights)
	}
	mark := w.Mark()
	rollback := e2e.Operate(w, "rollback", "-f", "terraform.tfstate", "--yes", "--reason", "checkout is slow")
	w.Eventually("the traffic is back", func() bool { return hasAll(w, "blue", rules...) })
	took := time.Since(rollback.Began)
	t.Logf("3 routes were restored %s after the start of the command, which has %.1f MB", took, float64(size.Size())/(1<<20))
	if slow.Exceeds(took, longestRollback) {
		t.Errorf("the traffic was back after %s, at most %s", took, longestRollback)
	}
	out, errs, code := rollback.Wait()
	if n := w.Writes(mark); code != 0 || n != 3 {
		t.Errorf("exit code %d, %d writes\n%s%s", code, n, out, errs)
	}
	if !strings.Contains(out, "Version 2 of green is rejected: rolled back by ") {
		t.Errorf("it printed\n%s", out)
	}
	mark = w.Mark()
	golden.Check(t, e2e.ErrorsIn(w.MustFail(e2e.Unlocked)), volatile()...)
	if n := w.Writes(mark); n != 0 || !hasAll(w, "blue", rules...) {
		t.Errorf("the next apply made %d writes", n)
	}
	w.MustDeploy("green", rehearsal.AppTerms{Version: "3"})
	w.MustConfigure("green")
	w.MustApply(e2e.Unlocked)
	if !hasAll(w, "green", rules...) {
		t.Error("the fixed version was not released")
	}
	if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) > 0 {
		t.Errorf("the listener still has the tags %v", tags)
	}
	w.LostNothing()
}

// A running apply whose shift is rolled back, by the ARN of one of its routes, stops and says so.
func TestOperated_rollbackOfARunningApply(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	rules := withRules(w, 2)
	w.MustConfigure("green")
	apply := w.Start()
	w.Eventually("all routes are at 5 %", func() bool {
		return w.Weights()["green"] == 5 && w.Feeds(rules[0], "green") && w.Feeds(rules[1], "green")
	})
	mark := w.Mark()
	rollback := e2e.Operate(w, "rollback", "--route", rules[1], "--yes", "--json")
	applied, ok := apply.Wait()
	if ok {
		t.Errorf("the apply succeeded:\n%s", applied)
	}
	golden.CheckPart(t, "apply", e2e.ErrorsIn(applied), volatile()...)
	out, errs, code := rollback.Wait()
	var result struct{ Outcome, Shift string }
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || result.Outcome != "rolled_back" || result.Shift == "" {
		t.Errorf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	if n := w.Writes(mark); n != 3 || !hasAll(w, "blue", rules...) {
		t.Errorf("%d writes", n)
	}
	for _, arn := range append(rules, w.Stack.Listener) {
		if tags := w.Balancer.Tags(arn); len(tags) > 0 {
			t.Errorf("%s still has the tags %v", arn, tags)
		}
	}
	last, _ := w.Switch()["last_shift"].(map[string]any)
	if last["outcome"] != "rolled_back" {
		t.Errorf("last_shift is %v", last)
	}
	golden.CheckPart(t, "next", e2e.ErrorsIn(w.MustFail()), volatile()...)
	w.LostNothing()
}

// A step of CI that always runs: it does nothing while the apply lives, and rolls back after its
// death without rejecting the version.
func TestOperated_recover(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	if out, errs, code := e2e.Operate(w, "recover", "--route", w.Stack.Listener).Wait(); code != 0 {
		t.Errorf("without a shift: exit code %d\n%s%s", code, out, errs)
	}
	w.MustConfigure("green")
	apply := w.Start()
	w.Eventually("green has 5 %", func() bool { return w.Weights()["green"] == 5 })
	if out, errs, code := e2e.Operate(w, "recover", "-f", "terraform.tfstate").Wait(); code != 3 {
		t.Errorf("while the apply runs: exit code %d\n%s%s", code, out, errs)
	}
	apply.Kill(e2e.Everything)
	if weights := w.Weights(); weights["green"] != 5 {
		t.Fatalf("the split is %v", weights)
	}
	if out, errs, code := e2e.Operate(w, "recover", "-f", "terraform.tfstate").Wait(); code != 0 {
		t.Errorf("after the death of the apply: exit code %d\n%s%s", code, out, errs)
	}
	w.MustHaveAll("blue")
	w.Pace = quick
	w.MustConfigure("green") // nothing was rejected
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("green")
	w.LostNothing()
}
