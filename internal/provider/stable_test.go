package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// An added route that has the desired weights is no shift: previous and last_shift
// stay.
func TestSwitch_addedRoutePreservesPrevious(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	w.write(s.release("green").in(s.bench))
	w.apply().ok()
	before := w.values()
	third := s.rule(s.listener, "/third", 77, forward(weights{s.green.group: 100}))
	h := s.release("green")
	h.routes = strings.Replace(h.routes, "]", fmt.Sprintf(", %q]", third), 1)
	w.write(h.in(s.bench))
	w.apply().ok()
	after := w.values()
	if before["previous"] == nil {
		t.Error("there is no previous version")
	}
	for _, name := range []string{"previous", "last_shift", "stable", "live", "rejected"} {
		if fmt.Sprint(before[name]) != fmt.Sprint(after[name]) {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("the second plan is %s", action)
	}
}

// Replacing a listener is no shift; the observed weights of the new one become
// stable.
func TestSwitch_replacedRouteIsTheNewStable(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.listener = s.listen(forward(weights{s.green.group: 100}))
	s.healthy(s.green.group)
	w.write(s.release("green").in(s.bench))
	w.apply().ok()
	v := w.values()
	if got := fmt.Sprint(v["stable"], v["previous"], v["live"]); got != "map[versions:map[blue:1.0 green:1.1] weights:map[blue:0 green:100]] <nil> map[environment:green version:1.1]" {
		t.Error(got)
	}
}

// The names of two environments and the active one are swapped.
func TestSwitch_swappedNamesMoveNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	h := s.guarded("blue")
	h.environments = environment("green", "1.0", s.blue.group) + environment("blue", "1.1", s.green.group)
	w.write(h.in(s.bench))
	s.unwritten(func() { w.apply().ok() })
	v := w.values()
	if got := fmt.Sprint(v["live"], v["previous"], v["stable"]); got != "map[environment:blue version:1.1] map[environment:green version:1.0] "+
		"map[versions:map[blue:1.1 green:1.0] weights:map[blue:100 green:0]]" {
		t.Error(got)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

// With a missing listener no shift starts.
func TestSwitch_missingRoutePreservesLastShift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	before := fmt.Sprint(w.values()["last_shift"])
	h := s.guarded("green")
	h.routes = strings.Replace(h.routes, s.listener, s.missing(), 1)
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	if after := fmt.Sprint(w.values()["last_shift"]); after != before {
		t.Errorf("last_shift is %s, was %s", after, before)
	}
	h.routes = strings.Replace(h.routes, "[", fmt.Sprintf("[%q, ", s.listener), 1)
	w.write(h.in(s.bench))
	w.apply().failsAs("two_routes")
}

// Two imported routes have different weights. A failed first release restores the
// weights of each.
func TestSwitch_rollbackAfterImportRestoresEachRoute(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	s.changeExternally(s.second, forward(weights{s.apiBlue.group: 50, s.apiGreen.group: 50}))
	s.healthy(s.green.group, s.apiGreen.group)
	h := s.release("green")
	h.routes = fmt.Sprintf("routes = { web = [%q], api = [%q] }", s.listener, s.second)
	h.strategy = `steps = [{ percent = 80, hold = "1ms" }]`
	h.gates = s.gate()
	s.green.status.Store(http.StatusInternalServerError)
	w.write(h.in(s.bench))
	w.imports("web=" + s.listener + ",api=" + s.second)
	before := len(s.writes())
	if r := w.apply(); r.err == nil {
		t.Error("a bad version was released")
	}
	if n := len(s.writes()) - before; n != 4 {
		t.Errorf("%d writes, want 2 to 80 %% and 2 back", n)
	}
	s.want("app-blue 100, app-green 0")
	if got := s.routed(s.second); got != "api-blue 50, api-green 50" {
		t.Errorf("the second listener has %s", got)
	}
}

// A shift to decimals, the same weights in other numbers, and a revert.
func TestSwitch_scaledWeightsAreNoDrift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.traffic = "weights = { blue = 66.7, green = 33.3 }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 2, s.green.group: 1}))
	s.unwritten(func() { w.apply().ok() })
	w.write(s.guarded("blue").in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
}

// With on_failure = "stop" the next apply evaluates the current step, and continues
// after the version is fixed.
func TestSwitch_applyAfterStopContinues(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.strategy += "\n on_failure = \"stop\""
	s.green.status.Store(http.StatusInternalServerError)
	w.write(h.in(s.bench))
	for range 2 {
		if r := w.apply(); r.err == nil {
			t.Error("a bad version was released")
		}
		s.want("app-blue 95, app-green 5")
	}
	s.green.status.Store(http.StatusOK)
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
}

// After a stop, reverting to the previous environment is one write.
func TestSwitch_revertAfterStopIsOneWrite(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.strategy += "\n on_failure = \"stop\""
	s.green.status.Store(http.StatusInternalServerError)
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Error("a bad version was released")
	}
	s.want("app-blue 95, app-green 5")
	w.write(s.guarded("blue").in(s.bench))
	before := len(s.writes())
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	if n := len(s.writes()) - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// A revert does not read target groups: neither a deleted idle group nor a missing
// permission may block it.
func TestSwitch_revertSkipsIdleGroups(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	idle := s.group("idle")
	config := func(active string) string {
		h := s.guarded(active)
		h.environments += environment("teal", "1.2", idle)
		h.stickiness = `stickiness = "1m"` // idle groups are detached
		return h.in(s.bench)
	}
	w.write(config("blue"))
	w.apply().ok()
	w.write(config("green"))
	w.apply().ok()
	_, err := s.api.DeleteTargetGroup(t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &idle})
	s.must(err)
	remove := s.refuse("DescribeTargetGroups", "", 0)
	defer remove()
	w.write(config("blue"))
	w.apply().ok()
	s.want("app-blue 100")
}

// A group that no action will contain is not read.
func TestSwitch_deletedIdleGroupDoesNotBlock(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.guarded("green")
	h.environments += environment("teal", "1.2", goneGroup)
	h.stickiness = `stickiness = "1m"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-green 100")
}
