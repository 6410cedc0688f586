package provider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// The giving side loses its targets in an endless hold: the shift goes to 100 % at once.
func TestSwitch_advancesWhereTheGivingSideHasNoTargets(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	before := len(s.writes())
	w.write(s.guardedBy("24h", "", func() { s.deregister(s.blue) }).in(s.bench))
	r := w.apply()
	r.ok()
	s.want("app-blue 0, app-green 100")
	golden.CheckPart(t, "warning", r.warnings(), golden.Volatile()...)
	if n := len(s.writes()) - before; n != 2 { // 5 % and 100 %
		t.Errorf("%d writes, want 2", n)
	}
	if last := w.lastShift(); last["outcome"] != "completed" {
		t.Error(last)
	}
	w.isEmpty()
}

// As configured, it keeps its steps and reports a warning.
func TestSwitch_onlyWarnsWhereTheGivingSideHasNoTargets(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	before := len(s.writes())
	h := s.guardedBy("0s", "", func() { s.deregister(s.blue) })
	h.strategy = fmt.Sprintf("steps = [{ percent = 5, hold = %q }, { percent = 50, hold = \"1ms\" }]\n on_source_unhealthy = \"warn\"", slow.Deadline(5*time.Second))
	w.write(h.in(s.bench))
	r := w.apply()
	r.ok()
	s.want("app-blue 0, app-green 100")
	golden.CheckPart(t, "warning", r.warnings(), golden.Volatile()...)
	if n := len(s.writes()) - before; n != 3 {
		t.Errorf("%d writes, want 3", n)
	}
}

// With detach_idle, only the target group with traffic is attached between two shifts.
func TestSwitch_detachesIdleTargetGroups(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	release := func(active string) {
		h := s.guarded(active)
		h.strategy += "\n detach_idle = true"
		w.write(h.in(s.bench))
		w.plan().ok()
		w.scheduleIs(active)
		w.applyPlan().ok()
		w.isEmpty()
	}
	s.unwritten(func() { release("blue") })
	s.want("app-blue 100")
	release("green")
	s.want("app-green 100")
	before := len(s.writes())
	h := s.guarded("blue") // a revert
	h.strategy += "\n detach_idle = true"
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("revert")
	w.applyPlan().ok()
	s.want("app-blue 100")
	if n := len(s.writes()) - before; n != 3 { // attach, shift, detach
		t.Errorf("%d writes, want 3", n)
	}
	w.isEmpty()
	w.write(s.guarded("blue").in(s.bench))
	w.plan().ok()
	w.applyPlan().ok()
	s.want("app-blue 100, app-green 0")
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 100")
}

// A schedule warns of an attached idle target group without a healthy target. Its health
// changes no plan, and a target group is read once per plan.
func TestSwitch_warnsOfAttachedIdleTargetGroups(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	red := s.group("app-red")
	release := func(active string) hcl {
		h := s.release(active)
		h.environments += environment("red", "1.0", red)
		return h
	}
	w.write(release("blue").in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0, app-red 0")
	s.healthy(s.green.group)
	before := s.calls("DescribeTargetHealth")
	w.isEmpty()
	if n := s.calls("DescribeTargetHealth") - before; n != 2 {
		t.Errorf("%d reads of health, want one of green and one of red", n)
	}
	w.write(release("green").in(s.bench))
	w.plan().ok()
	w.scheduleIs("warned")
	remove := s.refuse("DescribeTargetHealth", "app-red", 100)
	w.plan().ok()
	w.scheduleIs("unread")
	remove()
	h := release("green")
	h.strategy = "detach_idle = true"
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("detached")
	w.applyPlan().ok()
	s.want("app-green 100")
	w.isEmpty()
}
