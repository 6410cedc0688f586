package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// movedBack applies green, then moves all traffic to blue outside Terraform.
func (s *site) movedBack(w *workspace) hcl {
	s.t.Helper()
	s.blueIsLive(w)
	h := s.guarded("green")
	w.write(h.in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	return h
}

// Shipping another version is one instruction of the message. It takes the steps,
// and blue is the rollback target.
func TestSwitch_newVersionShipsAfterExternalChange(t *testing.T) {
	t.Parallel()
	for _, between := range []bool{false, true} {
		t.Run(fmt.Sprintf("an apply in between %v", between), func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			h := s.movedBack(w)
			if between { // it reports the external change and rejects 1.1
				s.unwritten(func() {
					if r := w.apply(); r.err == nil {
						t.Error("the external change was not reported")
					}
				})
			}
			h.environments = strings.Replace(h.environments, "1.1", "1.2", 1)
			w.write(h.in(s.bench))
			before := len(s.writes())
			w.apply().ok()
			s.want("app-blue 0, app-green 100")
			if n := len(s.writes()) - before; n != 2 {
				t.Errorf("%d writes, want one for 5 %% and one for 100 %%", n)
			}
			v := w.values()
			if got := fmt.Sprint(v["rejected"], v["live"], v["previous"]); got != "<nil> map[environment:green version:1.2] map[environment:blue version:1.0]" {
				t.Error(got)
			}
		})
	}
}

// A new retry ships a version that was rejected by an external change; what had
// the traffic becomes the previous version.
func TestSwitch_retryAfterExternalChangeRecordsPrevious(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.movedBack(w)
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
	if got := fmt.Sprint(w.values()["previous"]); got != "map[environment:blue version:1.0]" {
		t.Error(got)
	}
}

// The version that was left outside Terraform does not return because the next
// version failed.
func TestSwitch_externalChangeHoldsAfterAFailedRelease(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.movedBack(w)
	s.green.status.Store(http.StatusInternalServerError)
	next := h
	next.environments = strings.Replace(h.environments, "1.1", "1.2", 1)
	w.write(next.in(s.bench))
	w.apply().failsAs("next_version_failed")
	s.want("app-blue 100, app-green 0")
	w.write(h.in(s.bench))
	s.unwritten(func() {
		w.apply().failsAs("not_undone")
	})
}

func TestSwitch_externalEndOfACanaryHolds(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.traffic = "weights = { blue = 90, green = 10 }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	for range 2 {
		s.unwritten(func() {
			w.apply().failsAs("error")
		})
		if rejected := w.values()["rejected"]; rejected != nil { // nothing is known against it
			t.Errorf("rejected is %v", rejected)
		}
	}
	s.want("app-blue 100, app-green 0")
}

// After an external change, the old environment is fixed in place and has an unknown
// version. The bad version must not return because of that.
func TestSwitch_externalChangeHoldsAfterAnInPlaceFix(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.movedBack(w)
	h.environments = strings.Replace(h.environments, `version = "1.0"`, `version = "1.0.1"`, 1)
	w.write(h.in(s.bench))
	s.unwritten(func() { w.apply().failsAs("error") })
	s.want("app-blue 100, app-green 0")
	if v := w.values(); v["rejected"] != nil {
		t.Errorf("the external change is not recorded, and %v is rejected", v["rejected"])
	}
}

// Without versions nothing is rejected, and the external change holds.
func TestSwitch_externalChangeHoldsWithoutVersions(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	bare := func(active string) string {
		h := s.guarded(active)
		h.environments = strings.NewReplacer(`version = "1.0",`, "", `version = "1.1",`, "").Replace(h.environments)
		return h.in(s.bench)
	}
	w.write(bare("blue"))
	w.apply().ok()
	w.write(bare("green"))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	s.unwritten(func() { w.apply().failsAs("error") })
	s.want("app-blue 100, app-green 0")
}

// A maintenance page set during a hold stays when the gate fails afterwards.
func TestSwitch_maintenancePageSurvivesAFailingGate(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "60s" }]`
	// The gate's first call is after the weights of the step have been read back.
	url := firstCall(t, func() { s.changeExternally(s.listener, fixed("503")) })
	h.gates = expectingGate(url)
	w.write(h.in(s.bench))
	r := w.apply()
	if a := s.actions(s.listener); a[0].Type != types.ActionTypeEnumFixedResponse {
		t.Errorf("the maintenance page was removed: the listener has %s", s.routed(s.listener))
	}
	r.failsAs("maintenance_page")
}

// The previously live environment gets another version in place while the traffic
// is elsewhere: shifting to it is a release with gates.
func TestSwitch_inPlaceVersionIsARelease(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 0, s.green.group: 100}))
	s.blue.status.Store(http.StatusInternalServerError)
	h := s.guarded("blue")
	h.environments = strings.Replace(h.environments, `"1.0"`, `"2.0"`, 1)
	h.gates = strings.Replace(h.gates, s.green.url, s.blue.url, 1)
	w.write(h.in(s.bench))
	w.apply().failsAs("gate_failed")
	s.want("app-blue 0, app-green 100")
	s.unwritten(func() {
		w.apply().failsAs("rejected")
	})
	s.blue.status.Store(http.StatusOK)
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	if got := fmt.Sprint(w.values()["previous"]); got != "map[environment:green version:1.1]" {
		t.Error(got)
	}
}

// With ignore_changes of both attributes the traffic is never moved.
func TestSwitch_ignoreChangesOfBothMovesNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	h := s.guarded("blue")
	h.rest = "lifecycle { ignore_changes = [active, weights] }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 0, s.green.group: 100}))
	s.green.status.Store(http.StatusInternalServerError) // the gate would fail
	s.unwritten(func() { w.apply().ok() })
	s.want("app-blue 0, app-green 100")
	if got := fmt.Sprint(w.values()["active"], w.values()["live"]); got != "greenmap[environment:green version:1.1]" {
		t.Error(got)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("the second plan is %s", action)
	}
}

// The gate fails while a partial external change is undone: the traffic stays where it was
// moved to, nothing is rejected, and the error has the command that undoes it at once.
func TestSwitch_repairFails(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 70, s.green.group: 30}))
	h := s.release("blue")
	h.gates = expectingGate(firstCall(t, func() {}))
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	s.want("app-blue 70, app-green 30")
	if v := w.values(); v["rejected"] != nil {
		t.Errorf("rejected is %v", v["rejected"])
	}
}

// An aws_lb_listener without ignore_changes writes its own forward, with one target group. The plan and the
// error name that first, and nothing is rejected. Also with TargetGroupArn alone.
func TestSwitch_resetByAnotherResource(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	for _, action := range [][]types.Action{
		forward(weights{s.blue.group: 1}),
		{{Type: types.ActionTypeEnumForward, TargetGroupArn: &s.blue.group}},
	} {
		s.changeExternally(s.listener, action)
		w.plan().ok()
		w.scheduleIs("schedule")
		s.unwritten(func() {
			w.apply().failsAs("error")
		})
		if rejected := w.values()["rejected"]; rejected != nil {
			t.Errorf("rejected is %v", rejected)
		}
	}
}
