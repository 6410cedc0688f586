//go:build unix

package abandoned

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// quick is a pace at which a shift takes about a second.
var quick = rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}

// move moves the traffic as somebody does without Terraform.
func move(t *testing.T, w *e2e.World, weights map[string]int32) {
	t.Helper()
	var groups []types.TargetGroupTuple
	for _, name := range slices.Sorted(maps.Keys(w.Stack.Groups)) {
		groups = append(groups, types.TargetGroupTuple{TargetGroupArn: new(w.Stack.Groups[name]), Weight: new(weights[name])})
	}
	_, err := w.Stack.Client().ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: new(w.Stack.Listener),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}})
	if err != nil {
		t.Fatal(err)
	}
}

// untag removes all tags of the listener, as hashicorp/aws does with tags that it does not know.
func untag(t *testing.T, w *e2e.World) {
	t.Helper()
	keys := slices.Collect(maps.Keys(w.Balancer.Tags(w.Stack.Listener)))
	if len(keys) == 0 {
		t.Fatal("the listener has no tags")
	}
	if _, err := w.Stack.Client().RemoveTags(t.Context(), &elb.RemoveTagsInput{ResourceArns: []string{w.Stack.Listener}, TagKeys: keys}); err != nil {
		t.Fatal(err)
	}
}

// killedAt100 leaves green at 100 %, whose state does not know it.
func killedAt100(t *testing.T) *e2e.World {
	t.Helper()
	w := e2e.NewQuietWorld(t, quick)
	release{version: "1.3"}.start(w)
	if !w.KilledAt(3, nth("ModifyListener")) {
		t.Fatal("the apply was not killed")
	}
	w.MustHaveAll("green")
	return w
}

// The environment that was stable gets another version: that is a release by steps, not a
// rollback to something unproven.
func TestAbandoned_fixedForward(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	w.MustDeploy("blue", rehearsal.AppTerms{Version: "1.5"})
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 3 {
		t.Errorf("%d writes, want 5, 50 and 100 %%", n)
	}
	settled(t, w)
	w.LostNothing()
}

// The same from 50 %, and the version is bad: it does not keep its share, because green can
// have it. The next apply refuses it without a write.
func TestAbandoned_fixedForwardAndRejected(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
	release{version: "1.3"}.start(w)
	if !w.KilledAt(2, nth("ModifyListener")) {
		t.Fatal("the apply was not killed")
	}
	w.MustDeploy("blue", rehearsal.AppTerms{Version: "1.5"})
	w.SetGates(failing)
	w.MustConfigure("blue")
	mark := w.Mark()
	either := golden.ReplacePattern(`hello from version 1\.[35]\.?`, "hello from version <either>.") // of the split
	golden.CheckPart(t, "failed", e2e.ErrorsIn(w.MustFail(e2e.Unlocked)), append(golden.Volatile(), either)...)
	w.MustHaveAll("green")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("%d writes, want that of the rollback", n)
	}
	mark = w.Mark()
	golden.CheckPart(t, "refused", e2e.ErrorsIn(w.MustFail(e2e.Unlocked)), append(golden.Volatile(), either)...)
	if n := w.Writes(mark); n > 0 {
		t.Errorf("%d writes, want none", n)
	}
	w.MustHaveAll("green")
	w.MustConfigure("green")
	w.MustApply(e2e.Unlocked)
	settled(t, w)
	w.LostNothing()
}

// On-call moved the traffic back, and the configuration says so: nothing is written, no
// bake waits for an alarm, and the version that was left is rejected.
func TestAbandoned_movedBackOutsideTerraform(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	move(t, w, map[string]int32{"blue": 100})
	w.SetGates(failing)
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n > 0 {
		t.Errorf("%d writes, want none", n)
	}
	settled(t, w)
	w.MustConfigure("green")
	golden.Check(t, e2e.ErrorsIn(w.MustFail()), golden.Volatile()...)
	w.MustHaveAll("blue")
	w.LostNothing()
}

// hashicorp/aws removes the tags between the plan and the apply: what the plan read counts.
func TestAbandoned_tagsRemovedAfterThePlan(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	w.MustConfigure("blue")
	w.MustRun("plan", "-no-color", "-out=planned", e2e.Unlocked)
	untag(t, w)
	mark := w.Mark()
	w.MustRun("apply", "-no-color", e2e.Unlocked, "planned")
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	settled(t, w)
	w.LostNothing()
}

// The tags cannot be read during the apply: what the plan read counts, and the record does not make
// the next refresh believe that somebody moved the traffic back.
func TestAbandoned_tagsUnreadAfterThePlan(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	w.MustConfigure("blue")
	w.MustRun("plan", "-no-color", "-out=planned", e2e.Unlocked)
	remove := w.Balancer.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied})
	w.MustRun("apply", "-no-color", e2e.Unlocked, "planned")
	remove()
	w.MustHaveAll("blue")
	w.MustConfigure("green")
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("green")
	settled(t, w)
	w.LostNothing()
}

// The tags are removed before the plan, but an earlier refresh was saved: what it read counts
// while the traffic is where the killed apply left it.
func TestAbandoned_tagsRemovedAfterARefresh(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	w.MustRun("apply", "-no-color", "-refresh-only", "-auto-approve", e2e.Unlocked)
	untag(t, w)
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	settled(t, w)
	w.LostNothing()
}

// forget makes the next apply a Create.
func forget(t *testing.T, w *e2e.World) {
	t.Helper()
	w.MustRun("state", "rm", "bluegreen_switch.web")
}

// A Create that was killed: the next one finds its record.
func TestAbandoned_create(t *testing.T) {
	killed := func(t *testing.T) *e2e.World {
		t.Helper()
		t.Parallel()
		w := e2e.NewQuietWorld(t, quick)
		release{version: "1.3"}.start(w)
		forget(t, w)
		if !w.KilledAt(2, nth("ModifyListener")) {
			t.Fatal("the apply was not killed")
		}
		return w
	}
	t.Run("evaluated", func(t *testing.T) {
		w := killed(t)
		mark := w.Mark()
		w.MustApply(e2e.Unlocked)
		w.MustHaveAll("green")
		if n := w.Writes(mark); n != 1 {
			t.Errorf("%d writes, want 1", n)
		}
		settled(t, w)
		w.LostNothing()
	})
	t.Run("rolled back", func(t *testing.T) {
		w := killed(t)
		w.MustConfigure("blue")
		w.SetGates(failing)
		mark := w.Mark()
		w.MustApply(e2e.Unlocked)
		w.MustHaveAll("blue")
		if n := w.Writes(mark); n != 1 {
			t.Errorf("%d writes, want 1", n)
		}
		settled(t, w)
		w.LostNothing()
	})
	t.Run("evaluated and rejected", func(t *testing.T) {
		w := killed(t)
		w.SetGates(failing)
		w.MustFail(e2e.Unlocked)
		w.MustHaveAll("blue")
		mark := w.Mark()
		either := golden.ReplacePattern(`hello from version 1\.(3\.)?`, "hello from version <either>.") // of the split
		golden.Check(t, e2e.ErrorsIn(w.MustFail(e2e.Unlocked)), append(golden.Volatile(), either)...)
		if n := w.Writes(mark); n > 0 {
			t.Errorf("%d writes, want none", n)
		}
		w.LostNothing()
	})
	t.Run("without a record", func(t *testing.T) {
		t.Parallel()
		w := e2e.NewQuietWorld(t, quick)
		w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  shift_record = \"off\"\n}")
		release{version: "1.3"}.start(w)
		forget(t, w)
		if !w.KilledAt(2, nth("ModifyListener")) {
			t.Fatal("the apply was not killed")
		}
		if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) > 0 {
			t.Errorf("the listener has the tags %v", tags)
		}
		w.SetGates(failing)
		if plan := w.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(plan, "split") {
			t.Errorf("the plan does not mention a split:\n%s", plan)
		}
		w.MustFail(e2e.Unlocked)
		w.MustHaveAll("blue")
		w.LostNothing()
	})
}

// otherState is the same configuration with a state of its own.
func otherState(t *testing.T, w *e2e.World) *e2e.World {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(w.Terraform.Dir, "*.tf*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.Contains(path, "tfstate") {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	other := w.In(dir)
	other.MustRun("init", "-no-color")
	return other
}

// Two states have the same route: the lease stops the second one before it writes. When
// the first is killed, the second takes its shift over.
func TestAbandoned_twoStates(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, rehearsal.Pace{Hold: "10h", Settle: "300ms", SteadyFor: "100ms"})
	release{version: "1.3"}.start(w)
	second := otherState(t, w)
	first := w.Start()
	w.Eventually("green has 5 %", func() bool { return w.Weights()["green"] == 5 })
	if _, err := w.Balancer.AwaitCall(t.Context(), func(call localaws.Call) bool { return call.Action == "AddTags" && call.Status == 200 }); err != nil {
		t.Fatal(err)
	}
	writes := len(slices.DeleteFunc(w.Balancer.Calls(), func(call localaws.Call) bool { return call.Action != "ModifyListener" }))
	golden.Check(t, e2e.ErrorsIn(second.MustFail()), golden.Volatile()...)
	if n := len(slices.DeleteFunc(w.Balancer.Calls(), func(call localaws.Call) bool { return call.Action != "ModifyListener" })); n != writes {
		t.Errorf("the second apply wrote %d times", n-writes)
	}
	first.Kill(e2e.Everything)
	second.Pace = quick
	second.MustConfigure("green")
	second.MustApply()
	w.MustHaveAll("green")
	settled(t, second)
	w.LostNothing()
}
