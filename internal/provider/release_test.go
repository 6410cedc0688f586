package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// guarded is a release whose gate calls green directly at every step.
func (s *site) guarded(active string) hcl {
	h := s.release(active)
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	h.gates = s.gate()
	return h
}

// gate calls green directly, with short intervals.
func (s *site) gate(more ...string) string {
	return smokeGate(s.green.url, "10ms", append(more, `initial_delay = "1ms"`)...)
}

// blueIsLive has blue live under a switch, with green attached.
func (s *site) blueIsLive(w *workspace) {
	s.t.Helper()
	w.write(s.guarded("blue").in(s.bench))
	w.apply().ok()
}

// unwritten checks that a function writes to no route.
func (b *bench) unwritten(do func()) {
	b.t.Helper()
	before := len(b.writes())
	do()
	if n := len(b.writes()) - before; n != 0 {
		b.t.Errorf("%d writes, want none", n)
	}
}

func (s *site) want(routed string) {
	s.t.Helper()
	if got := s.routed(s.listener); got != routed {
		s.t.Errorf("the listener has %s, want %s", got, routed)
	}
}

func TestSwitch_rejectedVersionStaysRejected(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	w.write(s.guarded("green").in(s.bench))
	failed := w.apply()
	s.want("app-blue 100, app-green 0")
	v := w.values()
	rejected, _ := v["rejected"].(map[string]any)
	last, _ := v["last_shift"].(map[string]any)
	if rejected["version"] != "1.1" || rejected["environment"] != "green" || last["outcome"] != "rolled_back" || v["active"] != "blue" {
		t.Errorf("%v\n%s", v, failed.text())
	}
	failed.failsAs("error")

	s.green.status.Store(http.StatusOK) // it would pass now
	for range 2 {
		s.unwritten(func() {
			w.plan().ok()
			w.scheduleIs("rejected")
			w.apply().failsAs("error_2")
		})
	}
	h := s.guarded("green")
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
	if v := w.values(); v["rejected"] != nil {
		t.Errorf("rejected is %v after the version came through", v["rejected"])
	}
}

func TestSwitch_retryIsUsedUpByAnotherRejection(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	h := s.guarded("green")
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("a bad version was released")
	}
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	before := len(s.writes())
	if r := w.apply(); r.err == nil || len(s.writes()) == before {
		t.Fatal("it was not tried again")
	}
	s.unwritten(func() {
		w.apply().failsAs("rejected_again")
	})
}

func TestSwitch_newVersionShipsAfterARejectedOne(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	h := s.guarded("green")
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("a bad version was released")
	}
	// The change is reverted: the plan is empty.
	w.write(s.guarded("blue").in(s.bench))
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("after reverting, the plan is %s", action)
	}
	s.green.status.Store(http.StatusOK)
	h.environments = strings.Replace(h.environments, "1.1", "1.2", 1)
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" || w.values()["rejected"] != nil {
		t.Errorf("%s, rejected %v", action, w.values()["rejected"])
	}
}

func TestSwitch_externalChangeHolds(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
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
	w.write(s.guarded("blue").in(s.bench))
	s.unwritten(func() { w.apply().ok() })
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("the second plan is %s", action)
	}
}

func TestSwitch_revertIsRecognizedByVersion(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	s.green.status.Store(http.StatusInternalServerError) // the gate fails from now on
	w.write(s.guarded("blue").in(s.bench))
	before := len(s.writes())
	w.plan().ok()
	w.scheduleIs("revert")
	w.applyPlan().ok()
	s.want("app-blue 100, app-green 0")
	if n := len(s.writes()) - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	if w.values()["previous"] != nil {
		t.Error("after a revert there is still a previous version")
	}
	// 1.1 is no longer the previous version: it takes the steps, and its gate fails.
	w.write(s.guarded("green").in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Error("it was released without its gate")
	}
	s.want("app-blue 100, app-green 0")
}

// The release that creates the switch can be reverted like any other.
func TestSwitch_revertOfACreate(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	if previous := fmt.Sprint(w.values()["previous"]); previous != "map[environment:blue version:1.0]" {
		t.Error(previous)
	}
	w.write(s.guarded("blue").in(s.bench))
	before := len(s.writes())
	w.apply().ok()
	if n := len(s.writes()) - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestSwitch_revertAfterTheWindowTakesTheSteps(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.guarded("green")
	h.strategy += "\n rollback_window = \"0s\""
	w.write(h.in(s.bench))
	w.apply().ok()
	back := s.guarded("blue")
	back.strategy = h.strategy
	w.write(back.in(s.bench))
	w.plan().ok()
	w.scheduleIs("steps")
}

// A plan that skips the steps is valid only within the window.
func TestSwitch_savedPlanOfARevertExpires(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	w.ageMemory(25 * time.Hour)
	w.write(s.guarded("blue").in(s.bench))
	w.plan("-refresh=false").ok()
	w.scheduleIs("within_the_window")
	s.unwritten(func() {
		w.applyPlan().failsAs("error")
	})
	w.plan().ok()
	w.scheduleIs("after_the_window")
}

func TestSwitch_failedCreateLeavesNoState(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.green.status.Store(http.StatusInternalServerError)
	w.write(s.guarded("green").in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("a bad version was released")
	}
	if v := w.values(); v != nil {
		t.Errorf("there is state: %v", v)
	}
	s.want("app-blue 100")
	s.green.status.Store(http.StatusOK)
	s.unwritten(func() { // its record remembers that it is rejected
		w.apply().failsAs("rejected")
	})
	h := s.guarded("green")
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.plan().ok()
	if _, action := w.planned(); action != "create" {
		t.Errorf("the next plan is %s", action)
	}
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
	if err := w.busy.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	if tags := s.srv.Tags(s.listener); len(tags) > 0 {
		t.Errorf("the listener still has %v", tags)
	}
}

func TestSwitch_createReplacesFixedResponse(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, fixed("503"))
	s.green.status.Store(http.StatusInternalServerError)
	w.write(s.guarded("green").in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("a bad version was released")
	}
	if a := s.actions(s.listener); len(a) != 1 || a[0].Type != types.ActionTypeEnumFixedResponse || *a[0].FixedResponseConfig.StatusCode != "503" ||
		aws.ToString(a[0].FixedResponseConfig.MessageBody) != "closed" {
		t.Errorf("the fixed response was not restored: %v", a[0].Type)
	}
	s.green.status.Store(http.StatusOK)
	h := s.guarded("green")
	h.rest = `retry = "1"`
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")

	s.changeExternally(s.listener, fixed("503")) // in an Update it is somebody's maintenance page
	s.unwritten(func() {
		r := w.apply()
		r.failsAs("maintenance_page")
	})
}

func TestSwitch_failedCreateRestoresFixedResponse(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, fixed("503"))
	h := s.release("empty")
	h.environments += environment("empty", "2", s.group("app-empty"))
	h.health = "\n steady_for = \"0s\"\n timeout = \"3s\""
	w.write(h.in(s.bench))
	w.apply().failsAs("never_healthy")
	if a := s.actions(s.listener); a[0].Type != types.ActionTypeEnumFixedResponse {
		t.Error("the fixed response was not restored")
	}
	if w.values() != nil {
		t.Error("there is state")
	}
}

func TestSwitch_externalChangeSinceThePlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	w.write(s.guarded("green").in(s.bench))
	w.plan().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 60, s.green.group: 40}))
	s.unwritten(func() {
		w.applyPlan().failsAs("error")
	})
}

// A saved plan does not depend on health; the apply waits for it.
func TestSwitch_savedPlanAppliesAfterHealthChanged(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	second := s.app("second")
	w.write(s.guarded("green").in(s.bench))
	w.plan().ok()
	s.moveTarget(second, s.green)
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
}

func TestSwitch_groupsUnknownAtPlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.environments = environment("blue", "1.0", s.blue.group)
	w.write(h.in(s.bench))
	w.apply().ok()
	h = s.release("green")
	h.before = fmt.Sprintf("\nresource \"terraform_data\" \"green\" {\n  input = %q\n}\n", s.green.group)
	h.environments = environment("blue", "1.0", s.blue.group) +
		"\n    green = { version = \"1.1\", target_groups = { web = terraform_data.green.output } }"
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("unknown_groups")
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

// The groups of an environment with traffic may change, so the schedule is unknown.
func TestSwitch_groupsOfTheLiveOneUnknownAtPlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	h := s.release("green")
	h.before = fmt.Sprintf("\nresource \"terraform_data\" \"blue\" {\n  input = %q\n}\n", s.blue.group)
	h.environments = environment("green", "1.1", s.green.group) +
		"\n    blue = { version = \"1.0\", target_groups = { web = terraform_data.blue.output } }"
	w.write(h.in(s.bench))
	w.plan().ok()
	planned, action := w.planned()
	if _, known := planned["schedule"]; known || action != "update" {
		t.Errorf("%s: the schedule is known: %v", action, planned["schedule"])
	}
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
}

func TestSwitch_authenticateOIDCSurvives(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	actions := []types.Action{{
		Type: types.ActionTypeEnumAuthenticateOidc, Order: new(int32(1)),
		AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
			AuthorizationEndpoint: new("https://id.example.com/auth"), ClientId: new("client"), ClientSecret: new("secret"),
			Issuer: new("https://id.example.com"), TokenEndpoint: new("https://id.example.com/token"), UserInfoEndpoint: new("https://id.example.com/user"),
		},
	}, {
		Type: types.ActionTypeEnumForward, Order: new(int32(2)), ForwardConfig: forward(weights{s.blue.group: 100})[0].ForwardConfig,
	}}
	secure := s.secureListener(actions)
	h := s.release("green")
	h.routes = fmt.Sprintf("routes = { web = [%q] }", secure)
	w.write(h.in(s.bench))
	w.apply().ok()
	got := s.actions(secure)
	if len(got) != 2 || got[0].Type != types.ActionTypeEnumAuthenticateOidc || aws.ToInt32(got[0].Order) != 1 ||
		aws.ToString(got[0].AuthenticateOidcConfig.ClientId) != "client" || aws.ToInt32(got[1].Order) != 2 {
		t.Errorf("got %d actions", len(got))
	}
	if r := routedBy(got); r != "app-blue 0, app-green 100" {
		t.Error(r)
	}
}

func TestSwitch_failedSecondRouteRollsBackTheFirst(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	remove := s.refuse("ModifyRule", s.secondRule, 1) // attach is not needed: it is named
	defer remove()
	w.write(s.release("green").in(s.bench))
	r := w.apply()
	s.want("app-blue 100, app-green 0")
	r.failsAs("access_denied")
}
