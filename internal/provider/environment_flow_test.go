package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
)

// many are environments under for_each, by their groups, which Terraform knows
// after the first apply alone, and a switch that has them all.
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

func TestEnvironment_flowsIntoTheSwitch(t *testing.T) {
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
				t.Errorf("the way back is %s", schedule)
			}
		})
	}
}

func TestEnvironment_singleResourcesFlowIntoTheSwitch(t *testing.T) {
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
	w.plans(s, s.blueEnv(), s.greenEnv(), h.resource("web")).fails(`Unable to use environments["teal"].name`,
		`The environment is called "blue", and its key is "teal". Give it the key that is its name.`)
}

func TestEnvironment_theSwitchKnowsTwoWithOneGroup(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	twin := env{name: "green", groups: fmt.Sprintf("web = %q", s.blue.group)}
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
		environments: "blue = bluegreen_environment.blue\n green = bluegreen_environment.green",
		traffic:      `active = "blue"`,
	}
	w.plans(s, s.blueEnv(), twin, h.resource("web")).fails(`Unable to use environments["green"].target_groups["web"]`,
		`The same target group stands at environments["blue"].target_groups["web"] already. Give each environment target groups of its own.`+"\n\nTarget group: "+s.blue.group)
}

// The environment takes its only route for a test, since it asks for a header
// and the rest is served by another group. The switch knows better.
func TestEnvironment_theSwitchKnowsItsRoutes(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.hand(s.listener, forward(weights{s.green.group: 100}))
	tenant := s.testRule(s.listener, 1, s.blue.group)
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", tenant),
		environments: "blue = bluegreen_environment.blue",
		traffic:      `active = "blue"`,
	}
	blue := s.blueEnv()
	w.raises(s, blue, h.resource("web")).ok()
	blue.version = `"2.0"`
	w.plans(s, blue, h.resource("web")).fails(`Unable to change environment "blue"`, strings.Replace(
		liveChange(`version "1.0" -> "2.0"`), "listener :8001", "listener rule "+tail(tenant, ":listener-rule/"), 1))
	blue.rest = "protect = false"
	w.raises(s, blue, h.resource("web")).ok()
}

func TestEnvironment_importedWhileLive(t *testing.T) {
	t.Parallel()
	s := newTwoEntries(t)
	const address = "bluegreen_environment.blue"
	blue := s.blueEnv()
	blue.backing = `["asg-1"]`
	blue.ready = `gates = { smoke = { http = { url = "http://127.0.0.1:1/" } } }` // who is live is not judged
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
				s.hand(s.listener, forward(weights{s.green.group: 100}))
				s.unroute(s.secondRule)
			},
		},
	)
}

func TestEnvironment_importsThatCannotBe(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	blue := s.blueEnv()
	w.write(settings(s.bench, "") + fmt.Sprint(blue))
	for id, want := range map[string]string{
		"blue":                   "It is not a name with entry points. Write green,web=<arn>, more entry points as green,web=<arn>,api=<arn>.",
		"web=" + s.blue.group:    "It is not a name with entry points.",
		"blue,web":               "It is not a name with entry points.",
		"blue,web=" + s.listener: "is not the ARN of a target group. Give one.",
		"blue,web=" + goneGroup:  "A target group does not exist. Check its ARN, region and account included. Target group: " + goneGroup,
		"blue,web=" + s.blue.group + ",web=" + s.green.group: `The entry point "web" is named twice. Name each once.`,
	} {
		if got := w.importing(id, "bluegreen_environment.blue"); !strings.Contains(got, want) {
			t.Errorf("importing %s says\n%s\nwant\n%s", id, got, want)
		}
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
	w.plans(s, blue, h.resource("web")).fails(`Unable to destroy environment "blue"`, destroying)
	if n := len(s.writes()) - writes; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestEnvironment_oneLookForAllOfALoadBalancer(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.hand(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	environments := fmt.Sprint(s.blueEnv(), s.greenEnv())
	w.raises(s, environments).ok()
	before := s.called()
	w.plans(s, environments).ok()
	var made []string
	for _, call := range s.srv.Calls()[before:] {
		made = append(made, call.Action)
	}
	slices.Sort(made)
	if want := []string{"DescribeListeners", "DescribeRules", "DescribeTargetGroups"}; !slices.Equal(made, want) {
		t.Errorf("a plan of two environments took %q, want %q", made, want)
	}
}

func TestEnvironment_aReadThatIsDenied(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.blueEnv()).ok()
	defer s.srv.Inject(localalb.Fault{Action: "DescribeTargetGroups", Kind: localalb.AccessDenied})()
	w.plans(s, s.blueEnv()).fails(`Unable to read traffic of environment "blue"`,
		"AWS denied access: the credentials lack the IAM action elasticloadbalancing:DescribeTargetGroups.\n\nAllow it to them, and apply again.\n\n"+
			"IAM action: elasticloadbalancing:DescribeTargetGroups\nCause: elasticloadbalancing:DescribeTargetGroups of target group app-blue: AccessDenied: "+
			"User: arn:aws:iam::123456789012:user/local is not authorized to perform: elasticloadbalancing:DescribeTargetGroups because no identity-based policy allows "+
			"the elasticloadbalancing:DescribeTargetGroups action")
}

func TestEnvironment_badInput(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	gate := func(more string) string {
		return fmt.Sprintf("gates = { smoke = { http = { url = \"http://127.0.0.1/\" } \n %s } }", more)
	}
	for name, c := range map[string]struct {
		change func(e *env)
		want   string
	}{
		"empty name":          {func(e *env) { e.name, e.label = "", "green" }, "name: It is empty. Give it a value, or leave it out."},
		"no groups":           {func(e *env) { e.groups = "" }, "target_groups: It names no target group. Give at least one entry point with its target group."},
		"null group":          {func(e *env) { e.groups = "web = null" }, `target_groups["web"]: It is null. Give it a value, or leave it out.`},
		"empty group":         {func(e *env) { e.groups = `web = ""` }, `target_groups["web"]: It is empty. Give it a value, or leave it out.`},
		"no group":            {func(e *env) { e.groups = `web = "tg"` }, "target_groups[\"web\"]: It is not the ARN of a target group. Give one such as that of aws_lb_target_group.\n\nValue: \"tg\""},
		"listener":            {func(e *env) { e.groups = fmt.Sprintf("web = %q", listenerARN) }, "target_groups[\"web\"]: It is the ARN of a listener. Give the ARN of a target group.\n\nValue: \"" + listenerARN + "\""},
		"null backing":        {func(e *env) { e.backing = `["asg-1", null]` }, "backed_by[1]: It is null. Give the id of what serves behind the target groups; an empty list says that this is in another state."},
		"drain":               {func(e *env) { e.drain = `"soon"` }, "drain: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"soon\""},
		"negative drain":      {func(e *env) { e.drain = `"-1s"` }, "drain: It is negative. Write a duration of \"0s\" or more.\n\nValue: \"-1s\""},
		"timeout":             {func(e *env) { e.ready = `timeout = "0s"` }, `ready.timeout: It is zero. Write a duration above zero, such as "10s".`},
		"percent too low":     {func(e *env) { e.ready = "min_healthy_percent = 0" }, "ready.min_healthy_percent: It is out of range. Write a percentage from 1 to 100.\n\nValue: 0"},
		"percent too high":    {func(e *env) { e.ready = "min_healthy_percent = 101" }, "ready.min_healthy_percent: It is out of range. Write a percentage from 1 to 100.\n\nValue: 101"},
		"targets":             {func(e *env) { e.ready = "min_healthy_targets = 0" }, "ready.min_healthy_targets: It is out of range. Write a whole number from 1 to 1000000.\n\nValue: 0"},
		"gate without a kind": {func(e *env) { e.ready = `gates = { smoke = { interval = "1s" } }` }, `ready.gates["smoke"]: It has no kind. Give it exactly one of "cloudwatch_alarm", "cloudwatch_metric", "command", "http", "prometheus", "target_metrics", "webhook".`},
		"null gate":           {func(e *env) { e.ready = "gates = { smoke = null }" }, `ready.gates["smoke"]: It is null. Leave the gate out of the map instead.`},
		"when":                {func(e *env) { e.ready = gate(`when = "before"`) }, `ready.gates["smoke"].when: An environment is proven before it has any traffic, so its gates have no other part to be asked in. Take it out.`},
	} {
		t.Run(name, func(t *testing.T) {
			e := env{name: "green", groups: fmt.Sprintf("web = %q", groupARN("green"))}
			c.change(&e)
			w.write(settings(b, "") + fmt.Sprint(e))
			planned := w.plan()
			planned.t = t
			at, detail, _ := strings.Cut(c.want, ": ")
			planned.fails("Unable to use "+at, detail)
		})
	}
	w.write(settings(b, "") + strings.Replace(fmt.Sprint(env{name: "green", groups: fmt.Sprintf("web = %q", groupARN("green"))}), "  backed_by     = []\n", "", 1))
	w.plan().fails("Missing required argument", `The argument "backed_by" is required, but no definition was found.`)
	if n := len(b.writes()); n != 0 {
		t.Errorf("%d writes", n)
	}
}
