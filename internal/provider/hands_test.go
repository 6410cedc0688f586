package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// handedBack has green live, and a person take all of it back to blue.
func (s *site) handedBack(w *workspace) hcl {
	s.t.Helper()
	s.blueIsLive(w)
	h := s.guarded("green")
	w.write(h.in(s.bench))
	w.apply().ok()
	s.hand(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	return h
}

// Another version is one of the ways on that the message names, and goes out
// by steps. Blue is what is left to go back to.
func TestSwitch_anotherVersionGoesOutAfterAHandMovedBack(t *testing.T) {
	t.Parallel()
	for _, between := range []bool{false, true} {
		t.Run(fmt.Sprintf("an apply in between %v", between), func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			h := s.handedBack(w)
			if between { // it says that a hand did it, and rejects 1.1
				s.unwritten(func() {
					if r := w.apply(); r.err == nil {
						t.Error("the traffic was moved back by hand, and the apply says nothing")
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

// A version that a hand sent back goes out again with a new retry, and what
// carried the traffic until then is left to go back to.
func TestSwitch_retryAfterAHandRemembersWhoCarriedTheTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.handedBack(w)
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
	if got := fmt.Sprint(w.values()["previous"]); got != "map[environment:blue version:1.0]" {
		t.Error(got)
	}
}

// What a person fled from does not come back at once because the version after
// it was bad as well.
func TestSwitch_handIsNotUndoneAfterTheNextVersionFailed(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.handedBack(w)
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

func TestSwitch_handThatEndedACanaryIsNotUndone(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.traffic = "weights = { blue = 90, green = 10 }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.hand(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	for range 2 {
		s.unwritten(func() {
			w.apply().failsAs("error")
		})
		if rejected, _ := w.values()["rejected"].(map[string]any); rejected["environment"] != "green" || rejected["version"] != "1.1" {
			t.Errorf("rejected is %v", rejected)
		}
	}
	s.want("app-blue 100, app-green 0")
}

// The old side is mended in place after a hand took the traffic there, so that
// it is not known any more. The bad version must not come back at once for it.
func TestSwitch_handIsNotUndoneAfterTheOldSideIsMended(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.handedBack(w)
	h.environments = strings.Replace(h.environments, `version = "1.0"`, `version = "1.0.1"`, 1)
	w.write(h.in(s.bench))
	s.unwritten(func() { w.apply().failsAs("error") })
	s.want("app-blue 100, app-green 0")
	if v := w.values(); v["rejected"] != nil {
		t.Errorf("nobody knows that it was a hand, and %v is rejected", v["rejected"])
	}
}

// Without versions nothing is rejected, and nothing undone either.
func TestSwitch_handIsNotUndoneWithoutVersions(t *testing.T) {
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
	s.hand(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	s.unwritten(func() { w.apply().failsAs("error") })
	s.want("app-blue 100, app-green 0")
}

// During a hold a person puts up a maintenance page, and then the gate fails.
// The page is somebody's, and stays.
func TestSwitch_maintenancePageSurvivesAFailingGate(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.strategy = `steps = [{ percent = 5, hold = "60s" }]`
	w.write(h.in(s.bench))
	done := make(chan run, 1)
	go func() { done <- w.apply() }()
	s.until("green has 5 %", func() bool { return s.routed(s.listener) == "app-blue 95, app-green 5" })
	s.hand(s.listener, fixed("503"))
	s.green.status.Store(http.StatusInternalServerError)
	r := <-done
	if a := s.actions(s.listener); a[0].Type != types.ActionTypeEnumFixedResponse {
		t.Errorf("the maintenance page is gone: the listener has %s", s.routed(s.listener))
	}
	r.failsAs("maintenance_page")
}

// The environment that was live gets another version in place while a hand has
// the traffic elsewhere: going back to it is a release, and is judged.
func TestSwitch_anotherVersionInPlaceIsJudged(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.hand(s.listener, forward(weights{s.blue.group: 0, s.green.group: 100}))
	s.blue.status.Store(http.StatusInternalServerError)
	h := s.guarded("blue")
	h.environments = strings.Replace(h.environments, `"1.0"`, `"2.0"`, 1)
	h.gates = strings.Replace(h.gates, s.green.url, s.blue.url, 1)
	w.write(h.in(s.bench))
	w.apply().failsAs("judged")
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

// Under ignore_changes of both the traffic is left as it is, all of it on one
// side too.
func TestSwitch_ignoreChangesOfBothLeavesAllTheTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.hand(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	h := s.guarded("blue")
	h.rest = "lifecycle { ignore_changes = [active, weights] }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.hand(s.listener, forward(weights{s.blue.group: 0, s.green.group: 100}))
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
