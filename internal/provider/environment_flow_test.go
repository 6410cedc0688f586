package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// many returns environments under for_each and a switch over them. Terraform knows
// the target groups only after the first apply.
func (s *site) many(groups map[string]string, active string) string {
	words := ""
	for name, group := range groups {
		words += fmt.Sprintf(" %s = %q,", name, group)
	}
	h := hcl{routes: fmt.Sprintf("routes = { web = [%q] }", s.listener), traffic: fmt.Sprintf("active = %q", active)}
	return fmt.Sprintf(`
resource "terraform_data" "group" {
  for_each = {%s }
  input    = each.value
}

resource "bluegreen_environment" "app" {
  for_each      = terraform_data.group
  name          = each.key
  version       = "${each.key}-1"
  target_groups = { web = each.value.output }
  backed_by     = [each.value.id]
  drain         = "0s"
  ready { steady_for = "0s" }
  lifecycle { create_before_destroy = true }
}
`, words) + strings.Replace(h.resource("web"), "environments = { \n  }", "environments = bluegreen_environment.app", 1)
}

func TestEnvironment_forEachFeedsTheSwitch(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"blue"}, {"blue", "green"}, {"blue", "green", "red", "teal", "plum"}} {
		t.Run(fmt.Sprint(len(names)), func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			groups := map[string]string{"blue": s.blue.group}
			for _, name := range names[1:] {
				groups[name] = s.green.group
				if name != "green" {
					groups[name] = s.group(name)
				}
			}
			w.raises(s, s.many(groups, "blue")).ok()
			v := w.values()
			live, _ := v["live"].(map[string]any)
			environments, _ := v["environments"].(map[string]any)
			if live["environment"] != "blue" || live["version"] != "blue-1" || len(environments) != len(names) {
				t.Errorf("the switch has %v", v)
			}
			if out := w.terraform("plan", "-json", "-input=false", "-detailed-exitcode"); out.err != nil {
				t.Errorf("the second plan is not empty: %s", out.out)
			}
			if len(names) == 1 {
				return
			}
			w.raises(s, s.many(groups, "green")).ok()
			v = w.values()
			previous, _ := v["previous"].(map[string]any)
			if previous["version"] != "blue-1" || v["active"] != "green" {
				t.Errorf("after a release the switch has %v", v)
			}
			w.raises(s, s.many(groups, "blue")).ok()
			if schedule := fmt.Sprint(w.values()["schedule"]); !strings.Contains(schedule, "blue (blue-1)") {
				t.Errorf("the schedule of the revert is %s", schedule)
			}
		})
	}
}

func TestEnvironment_singleResourcesFeedTheSwitch(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
		environments: "blue = bluegreen_environment.blue\n green = bluegreen_environment.green",
		traffic:      `active = "green"`,
	}
	w.raises(s, s.blueEnv(), s.greenEnv(), h.resource("web")).ok()
	s.want("app-blue 0, app-green 100")

	h.environments = "teal = bluegreen_environment.blue\n green = bluegreen_environment.green"
	w.plans(s, s.blueEnv(), s.greenEnv(), h.resource("web")).failsAs("error")
}

func TestEnvironment_switchRefusesTwoWithOneGroup(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	twin := env{name: "green", groups: fmt.Sprintf("web = %q", s.blue.group)}
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
		environments: "blue = bluegreen_environment.blue\n green = bluegreen_environment.green",
		traffic:      `active = "blue"`,
	}
	w.plans(s, s.blueEnv(), twin, h.resource("web")).failsAs("error")
}

// The environment would take its only route for a test rule, because the route has
// a header condition and another group serves the rest. The switch lists it.
func TestEnvironment_switchProvidesRoutes(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.green.group: 100}))
	tenant := s.testRule(s.listener, 1, s.blue.group)
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", tenant),
		environments: "blue = bluegreen_environment.blue",
		traffic:      `active = "blue"`,
	}
	blue := s.blueEnv()
	w.raises(s, blue, h.resource("web")).ok()
	blue.version = `"2.0"`
	w.plans(s, blue, h.resource("web")).failsAs("error")
	blue.rest = "protect = false"
	w.raises(s, blue, h.resource("web")).ok()
}

func TestEnvironment_importedWhileLive(t *testing.T) {
	t.Parallel()
	s := newTwoEntries(t)
	const address = "bluegreen_environment.blue"
	blue := s.blueEnv()
	blue.backing = `["asg-1"]`
	blue.ready = smokeGate("http://127.0.0.1:1/", "10s") // a live environment is not evaluated
	config := settings(s.bench, "") + fmt.Sprint(blue)
	unitTest(t,
		resource.TestStep{
			Config: config, ResourceName: address, ImportState: true, ImportStatePersist: true,
			ImportStateId: "blue,web=" + s.blue.group + ",api=" + s.apiBlue.group,
			ImportStateCheck: func(states []*terraform.InstanceState) error {
				got := states[0].Attributes
				if got["name"] != "blue" || got["target_groups.web"] != s.blue.group || got["target_groups.api"] != s.apiBlue.group || got["version"] != "" {
					return fmt.Errorf("imported %v", got)
				}
				return nil
			},
		},
		resource.TestStep{
			Config: strings.Replace(config, "web = ", fmt.Sprintf("api = %q\n web = ", s.apiBlue.group), 1),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
			}},
		},
		resource.TestStep{
			Config:           strings.Replace(config, "web = ", fmt.Sprintf("api = %q\n web = ", s.apiBlue.group), 1),
			ConfigPlanChecks: unchanged,
		},
		resource.TestStep{
			Config: strings.Replace(config, "web = ", fmt.Sprintf("api = %q\n web = ", s.apiBlue.group), 1) +
				"\n# it may go\n",
			PreConfig: func() {
				s.changeExternally(s.listener, forward(weights{s.green.group: 100}))
				s.unroute(s.secondRule)
			},
		},
	)
}

func TestEnvironment_badImports(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	blue := s.blueEnv()
	w.write(settings(s.bench, "") + fmt.Sprint(blue))
	for name, id := range map[string]string{
		"no_entry_point":    "blue",
		"no_name":           "web=" + s.blue.group,
		"no_target_group":   "blue,web",
		"a_listener":        "blue,web=" + s.listener,
		"group_not_found":   "blue,web=" + goneGroup,
		"entry_point_twice": "blue,web=" + s.blue.group + ",web=" + s.green.group,
	} {
		golden.CheckPart(t, name, w.importing(id, "bluegreen_environment.blue"), golden.Volatile()...)
	}
}

func TestEnvironment_movedToAnotherAddress(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := hcl{routes: fmt.Sprintf("routes = { web = [%q] }", s.listener), environments: "blue = bluegreen_environment.blue", traffic: `active = "blue"`}
	blue := s.blueEnv()
	blue.drain, blue.life = `"10m"`, "create_before_destroy = true"
	w.raises(s, blue, h.resource("web")).ok()
	writes := len(s.writes())

	blue.label, h.environments = "site", "blue = bluegreen_environment.site"
	moved := "\nmoved {\n  from = bluegreen_environment.blue\n  to = bluegreen_environment.site\n}\n"
	w.raises(s, blue, h.resource("web"), moved).ok()
	if got := w.addresses(); !slices.Equal(got, []string{"bluegreen_environment.site", "bluegreen_switch.web"}) {
		t.Errorf("the state has %q", got)
	}

	blue.label, h.environments = "app", "blue = bluegreen_environment.app"
	w.plans(s, blue, h.resource("web")).failsAs("error")
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestEnvironment_readsEachLoadBalancerOnce(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	environments := fmt.Sprint(s.blueEnv(), s.greenEnv())
	w.raises(s, environments).ok()
	before := s.called()
	w.plans(s, environments).ok()
	var made []string
	for _, call := range s.srv.Calls()[before:] {
		made = append(made, call.Action)
	}
	// Terraform decides how far apart it reads the two: target groups share a call only
	// within the batch window, which the tests of the router cover.
	slices.Sort(made)
	if made[len(made)-1] == "DescribeTargetGroups" && len(made) == 4 {
		made = made[:3]
	}
	if want := []string{"DescribeListeners", "DescribeRules", "DescribeTargetGroups"}; !slices.Equal(made, want) {
		t.Errorf("a plan of two environments took %q, want %q", made, want)
	}
}

func TestEnvironment_readIsDenied(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.blueEnv()).ok()
	defer s.srv.Inject(faults.Fault{Action: "DescribeTargetGroups", Kind: faults.AccessDenied})()
	w.plans(s, s.blueEnv()).failsAs("error")
}

func TestEnvironment_badInput(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	gate := func(more string) string {
		return smokeGate("http://127.0.0.1/", "10s", more)
	}
	for name, c := range map[string]struct {
		change func(e *env)
	}{
		"empty name":          {func(e *env) { e.name, e.label = "", "green" }},
		"blank name":          {func(e *env) { e.name, e.label = "  ", "green" }},
		"name with a comma":   {func(e *env) { e.name, e.label = "green,v2", "green" }},
		"name with a newline": {func(e *env) { e.name, e.label = "green\n", "green" }},
		"entry point with =":  {func(e *env) { e.groups = fmt.Sprintf("\"a=b\" = %q", groupARN("green")) }},
		"no groups":           {func(e *env) { e.groups = "" }},
		"null group":          {func(e *env) { e.groups = "web = null" }},
		"empty group":         {func(e *env) { e.groups = `web = ""` }},
		"no group":            {func(e *env) { e.groups = `web = "tg"` }},
		"listener":            {func(e *env) { e.groups = fmt.Sprintf("web = %q", listenerARN) }},
		"null backing":        {func(e *env) { e.backing = `["asg-1", null]` }},
		"drain":               {func(e *env) { e.drain = `"soon"` }},
		"negative drain":      {func(e *env) { e.drain = `"-1s"` }},
		"timeout":             {func(e *env) { e.ready = `timeout = "0s"` }},
		"percent too low":     {func(e *env) { e.ready = "min_healthy_percent = 0" }},
		"percent too high":    {func(e *env) { e.ready = "min_healthy_percent = 101" }},
		"targets":             {func(e *env) { e.ready = "min_healthy_targets = 0" }},
		"gate without a kind": {func(e *env) { e.ready = gateBlock("smoke", `interval = "1s"`) }},
		"two gates, one name": {func(e *env) { e.ready = gate("") + "\n" + gate("") }},
		"only comparisons":    {func(e *env) { e.ready = gateBlock("users", block("target_metrics", "error_ratio = 2")) }},
		"live placeholder":    {func(e *env) { e.ready = gateBlock("it", block("http", `url = "http://h/{{live.version}}"`)) }},
		"approval":            {func(e *env) { e.ready = gateBlock("it", block("approval", "")) }},
		"at_percent":          {func(e *env) { e.ready = gate("at_percent = [50]") }},
		"when":                {func(e *env) { e.ready = gate(`when = "before"`) }},
	} {
		t.Run(name, func(t *testing.T) {
			e := env{name: "green", groups: fmt.Sprintf("web = %q", groupARN("green"))}
			c.change(&e)
			w.write(settings(b, "") + fmt.Sprint(e))
			planned := w.plan()
			planned.t = t
			planned.failsAs("error")
		})
	}
	w.write(settings(b, "") + strings.Replace(fmt.Sprint(env{name: "green", groups: fmt.Sprintf("web = %q", groupARN("green"))}), "  backed_by     = []\n", "", 1))
	w.plan().failsAs("error_2")
	if n := len(b.writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
}
