package provider_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

const address = "bluegreen_switch.web"

func value(path string, want knownvalue.Check) statecheck.StateCheck {
	p := tfjsonpath.New("")
	for i, step := range strings.Split(path, ".") {
		if i == 0 {
			p = tfjsonpath.New(step)
			continue
		}
		if n, err := strconv.Atoi(step); err == nil {
			p = p.AtSliceIndex(n)
			continue
		}
		p = p.AtMapKey(step)
	}
	return statecheck.ExpectKnownValue(address, p, want)
}

func text(s string) knownvalue.Check { return knownvalue.StringExact(s) }

// routes checks the listener's action after a step.
func (s *site) routes(want string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if got := s.routed(s.listener); got != want {
			return fmt.Errorf("the listener has %s, want %s", got, want)
		}
		return nil
	}
}

var (
	unchanged = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	updated   = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
	}}
)

func unitTest(t *testing.T, steps ...resource.TestStep) {
	t.Helper()
	needTerraform(t)
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: factories(), Steps: steps})
}

func TestSwitch_createsUpdatesByStepsAndPlansNoChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	green := s.release("green")
	green.strategy = `steps = [{ percent = 5, hold = "10ms" }, { percent = 50, hold = "10ms" }]`
	unitTest(t,
		resource.TestStep{
			Config: s.release("blue").in(s.bench),
			Check:  s.routes("app-blue 100, app-green 0"),
			ConfigStateChecks: []statecheck.StateCheck{
				value("live.environment", text("blue")), value("live.version", text("1.0")),
				value("weights.green", knownvalue.Int64Exact(0)), value("weights.blue", knownvalue.Int64Exact(100)),
				value("stable.weights.blue", knownvalue.Int64Exact(100)),
				value("previous", knownvalue.Null()), value("rejected", knownvalue.Null()),
				value("last_shift", knownvalue.Null()),
			},
		},
		resource.TestStep{
			Config:           green.in(s.bench),
			ConfigPlanChecks: updated,
			Check:            s.routes("app-blue 0, app-green 100"),
			ConfigStateChecks: []statecheck.StateCheck{
				value("live.environment", text("green")), value("previous.environment", text("blue")), value("previous.version", text("1.0")),
				value("stable.weights.green", knownvalue.Int64Exact(100)),
				value("last_shift.outcome", text("completed")),
				value("last_shift.from.blue", knownvalue.Int64Exact(100)), value("last_shift.to.green", knownvalue.Int64Exact(100)),
				value("schedule", goldenValue{t, "schedule"}),
			},
		},
		resource.TestStep{Config: green.in(s.bench), ConfigPlanChecks: unchanged},
	)
	// Attach, two steps and 100 %; there is nothing to detach, and Delete moves
	// nothing.
	if n := len(s.writes()); n != 4 {
		t.Errorf("%d writes, want 4: %v", n, s.writes())
	}
	if got := s.routed(s.listener); got != "app-blue 0, app-green 100" {
		t.Errorf("after destroying the switch the listener has %s", got)
	}
}

func TestSwitch_importMovesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	unitTest(t,
		resource.TestStep{
			Config: s.release("blue").in(s.bench), ResourceName: address, ImportState: true,
			ImportStateId: "web=" + s.listener, ImportStatePersist: true,
			ImportStateCheck: func(states []*terraform.InstanceState) error {
				got := states[0].Attributes
				for key, want := range map[string]string{
					"active": "", "live.environment": "", "weights.%": "",
					"stable.weights.app-blue": "100", "environments.app-green.target_groups.web": s.green.group,
				} {
					if got[key] != want {
						return fmt.Errorf("%s is %q, want %q", key, got[key], want)
					}
				}
				return nil
			},
		},
		resource.TestStep{
			Config: s.release("blue").in(s.bench),
			ConfigStateChecks: []statecheck.StateCheck{
				value("live.environment", text("blue")), value("stable.weights.blue", knownvalue.Int64Exact(100)), value("stable.versions.blue", text("1.0")),
				value("last_shift", knownvalue.Null()),
			},
		},
		resource.TestStep{Config: s.release("blue").in(s.bench), ConfigPlanChecks: unchanged},
		resource.TestStep{Config: s.release("green").in(s.bench), Check: s.routes("app-blue 0, app-green 100"),
			ConfigStateChecks: []statecheck.StateCheck{value("previous.version", text("1.0"))}},
	)
	if n := len(s.writes()); n != 2 { // one external, one for the release
		t.Errorf("%d writes, want 2", n)
	}
}

// twoEntries is a site with a second listener for api, and groups of its own.
type twoEntries struct {
	*site
	apiBlue            *app
	apiGreen           *app
	second, secondRule string
}

func newTwoEntries(t *testing.T) *twoEntries {
	t.Helper()
	s := &twoEntries{site: newSite(t)}
	s.apiBlue, s.apiGreen = s.app("api-blue"), s.app("api-green")
	s.second = s.listen(fixed("404"))
	s.secondRule = s.rule(s.second, "/api/*", 10, forward(weights{s.apiBlue.group: 100, s.apiGreen.group: 0}))
	s.healthy(s.apiBlue.group)
	return s
}

func (s *twoEntries) release(active string) hcl {
	return hcl{
		routes: fmt.Sprintf("routes = { web = [%q], api = [%q] }", s.listener, s.secondRule),
		environments: fmt.Sprintf(`
    blue  = { version = "1.0", target_groups = { web = %q, api = %q } }
    green = { version = "1.1", target_groups = { web = %q, api = %q } }`,
			s.blue.group, s.apiBlue.group, s.green.group, s.apiGreen.group),
		traffic: fmt.Sprintf("active = %q", active),
	}
}

func TestSwitch_importOfTwoEntryPointsMovesNothing(t *testing.T) {
	t.Parallel()
	s := newTwoEntries(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	before := len(s.writes())
	unitTest(t,
		resource.TestStep{
			Config: s.release("blue").in(s.bench), ResourceName: address, ImportState: true,
			ImportStateId: "web=" + s.listener + ",api=" + s.secondRule, ImportStatePersist: true,
			ImportStateCheck: func(states []*terraform.InstanceState) error {
				got := states[0].Attributes
				if got["active"] != "" || got["stable.weights.app-blue"] != "50" || got["stable.weights.api-blue"] != "50" {
					return fmt.Errorf("got %v", got)
				}
				return nil
			},
		},
		resource.TestStep{
			Config: s.release("blue").in(s.bench),
			ConfigStateChecks: []statecheck.StateCheck{
				value("live.environment", text("blue")), value("stable.weights.blue", knownvalue.Int64Exact(100)),
			},
		},
		resource.TestStep{Config: s.release("blue").in(s.bench), ConfigPlanChecks: unchanged},
	)
	if n := len(s.writes()) - before; n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

func TestSwitch_badImportIDsAreErrors(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	for name, id := range map[string]string{"no_entry_point": s.listener, "no_route": "web=", "not_a_route": "web=blue"} {
		golden.CheckPart(t, name, w.importing(id, address), golden.Volatile()...)
	}
}

func TestSwitch_driftIsShownAndRepaired(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 70, s.green.group: 30}))
	w.plan().ok()
	if _, action := w.planned(); action != "update" {
		t.Errorf("the plan is %s", action)
	}
	w.scheduleIs("drift")
	w.applyPlan().ok()
	if got := s.routed(s.listener); got != "app-blue 100, app-green 0" {
		t.Error(got)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

// changed returns the attributes that a saved plan changes.
func changed(before, after map[string]any) []string {
	var names []string
	for name := range after {
		if fmt.Sprint(before[name]) != fmt.Sprint(after[name]) {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Each of these edits changes only configured values and writes nothing.
func TestSwitch_editsThatMoveNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	writes := len(s.writes())
	for _, edit := range []struct {
		name   string
		change func(*hcl)
		want   []string
	}{
		{"gates", func(h *hcl) { h.gates = httpGate("", "") }, []string{"gate"}},
		{"strategy", func(h *hcl) { h.strategy = `bake = "1h"` }, []string{"gate", "strategy"}},
		{"health", func(h *hcl) { h.health = "\n breach_for = \"1m\"" }, []string{"health", "strategy"}},
		{"retry", func(h *hcl) { h.rest = `retry = "1"` }, []string{"health", "retry"}},
		{"names", func(h *hcl) { h.environments = strings.Replace(h.environments, `"green"`, `"teal"`, 1) }, []string{"environments", "retry", "stable", "weights"}},
		{"names of the live one", func(h *hcl) {
			h.environments, h.traffic = strings.Replace(h.environments, `"blue"`, `"azure"`, 1), `active = "azure"`
		}, []string{"active", "environments", "live", "stable", "weights"}},
		{"weights for active", func(h *hcl) { h.traffic = `weights = { blue = 100, green = 0 }` }, []string{"active", "environments", "live", "stable", "weights"}},
		{"active for weights", func(*hcl) {}, nil},
	} {
		h := s.release("blue")
		edit.change(&h)
		w.write(h.in(s.bench))
		before := w.values()
		w.plan().ok()
		after, _ := w.planned()
		if got := changed(before, after); !slices.Equal(got, edit.want) {
			t.Errorf("%s: the plan changes %v, want %v", edit.name, got, edit.want)
		}
		w.applyPlan().ok()
		w.plan().ok()
		if _, action := w.planned(); action != "no-op" {
			t.Errorf("%s: the second plan is %s", edit.name, action)
		}
	}
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

func TestSwitch_weightsAndActiveBothWays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	canary := s.release("blue")
	canary.traffic = `weights = { blue = 99.9, green = 0.1 }`
	thirds := s.release("blue")
	thirds.traffic = `weights = { blue = 66.7, green = 33.3 }`
	unitTest(t,
		resource.TestStep{Config: canary.in(s.bench), Check: s.routes("app-blue 999, app-green 1"),
			ConfigStateChecks: []statecheck.StateCheck{value("active", knownvalue.Null()), value("live", knownvalue.Null())}},
		resource.TestStep{Config: thirds.in(s.bench), Check: s.routes("app-blue 667, app-green 333")},
		resource.TestStep{Config: thirds.in(s.bench), ConfigPlanChecks: unchanged},
		resource.TestStep{Config: s.release("green").in(s.bench), Check: s.routes("app-blue 0, app-green 100"),
			ConfigStateChecks: []statecheck.StateCheck{value("weights.green", knownvalue.Int64Exact(100))}},
		resource.TestStep{Config: s.release("green").in(s.bench), ConfigPlanChecks: unchanged},
	)
}

func TestSwitch_ignoreChangesLeavesTheTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.rest = "lifecycle { ignore_changes = [active] }"
	w.write(h.in(s.bench))
	w.apply().ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 70, s.green.group: 30}))
	writes := len(s.writes())
	h.gates = httpGate("", "")
	w.write(h.in(s.bench))
	w.apply().ok()
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	if got := fmt.Sprint(w.values()["weights"]); got != "map[blue:70 green:30]" {
		t.Error(got)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

func TestSwitch_removedEnvironmentIsDetached(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("green").in(s.bench))
	w.apply().ok()
	h := s.release("green")
	h.environments = environment("green", "1.1", s.green.group)
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("detach")
	w.applyPlan().ok()
	if got := s.routed(s.listener); got != "app-green 1" && got != "app-green 100" {
		t.Error(got)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

func TestSwitch_stickinessAloneIsOneWrite(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	writes := len(s.writes())
	h := s.release("blue")
	h.stickiness = `stickiness = "1h"`
	w.write(h.in(s.bench))
	w.apply().ok()
	if n := len(s.writes()) - writes; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	if c := s.actions(s.listener)[0].ForwardConfig.TargetGroupStickinessConfig; !*c.Enabled || *c.DurationSeconds != 3600 {
		t.Errorf("stickiness is %v for %d s", *c.Enabled, *c.DurationSeconds)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

func TestSwitch_warnsOfUnmanagedRule(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	s.rule(s.listener, "/old/*", 10, forward(weights{s.blue.group: 1}))
	w.write(s.release("green").in(s.bench))
	w.plan().ok()
	w.scheduleIs("unmanaged_rule")
	w.applyPlan().ok()
}
