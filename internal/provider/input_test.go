package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	listenerARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	ruleARN     = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	balancerARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188"
	networkARN  = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
)

func groupARN(name string) string {
	return "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/" + name + "/73e2d6bc24d8a067"
}

// good is a configuration with nothing wrong; a row changes one thing.
func good() hcl {
	return hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", listenerARN),
		environments: environment("blue", "1.0", groupARN("blue")) + environment("green", "1.1", groupARN("green")),
		traffic:      `active = "green"`,
	}
}

// httpGate is the gate smoke that asks a URL, with more arguments of the kind and of
// the gate.
func httpGate(kind, more string) string {
	return fmt.Sprintf("gates = {\n smoke = { http = { url = \"http://127.0.0.1/\"\n %s }\n %s }\n }", kind, more)
}

type badInput struct {
	name   string
	change func(h *hcl)
	want   []string // "attribute: what is said of it"
}

func wrong(name string, change func(h *hcl), want ...string) badInput {
	return badInput{name, change, want}
}

func badTraffic() []badInput {
	return []badInput{
		wrong("both", func(h *hcl) { h.rest = `weights = { blue = 0, green = 100 }` },
			"weights: Both active and weights are set. Keep one: active for all the traffic, weights for a split that stays."),
		wrong("none", func(h *hcl) { h.traffic = "" },
			"active: Neither active nor weights is set. Set one: active for all the traffic, weights for a split that stays."),
		wrong("active_nobody", func(h *hcl) { h.traffic = `active = "teal"` },
			`active: There is no environment "teal". Use one of "blue", "green", or add it to environments.`),
		wrong("weight_nobody", func(h *hcl) { h.traffic = `weights = { blue = 40, green = 50, teal = 10 }` },
			`weights["teal"]: There is no environment "teal". Use one of "blue", "green", or add it to environments.`),
		wrong("weight_left_out", func(h *hcl) { h.traffic = `weights = { green = 100 }` },
			`weights: It leaves out the environment "blue". Name every environment; 0 is a weight.`),
		wrong("sum", func(h *hcl) { h.traffic = `weights = { blue = 40, green = 50.5 }` },
			"weights: The weights do not sum to 100. Change them so that they do.\n\nSum: 90.5"),
		wrong("weight_null", func(h *hcl) { h.traffic = `weights = { blue = null, green = 100 }` },
			`weights["blue"]: It is null. Give it a value, or leave it out.`),
		wrong("weight_fine", func(h *hcl) { h.traffic = `weights = { blue = 0.05, green = 99.95 }` },
			"weights[\"blue\"]: It is finer than 0.1. Write percent with one decimal at most.\n\nValue: 0.05",
			"weights[\"green\"]: It is finer than 0.1. Write percent with one decimal at most.\n\nValue: 99.95"),
		wrong("weight_negative", func(h *hcl) { h.traffic = `weights = { blue = -1, green = 101 }` },
			"weights[\"blue\"]: It is out of range. Write percent from 0 to 100.\n\nValue: -1",
			"weights[\"green\"]: It is out of range. Write percent from 0 to 100.\n\nValue: 101"),
		wrong("six_groups", func(h *hcl) {
			h.environments, h.traffic = "", "weights = {"
			for i := range 6 {
				h.environments += environment(fmt.Sprint("e", i), "1", groupARN(fmt.Sprint("g", i)))
				h.traffic += fmt.Sprintf(" e%d = %d,", i, []int{50, 10, 10, 10, 10, 10}[i])
			}
			h.traffic += "}"
		}, "weights: The shift would need more than 5 target groups in one action at once, the most that Elastic Load Balancing takes. "+
			"Move the traffic to fewer environments first.\n\nCause: more target groups in one action at once than the balancer takes"),
	}
}

func badEnvironments() []badInput {
	return []badInput{
		wrong("no_environments", func(h *hcl) { h.environments = "" },
			"environments: It names no environment. Add at least one."),
		wrong("environment_null", func(h *hcl) { h.environments += "\n teal = null" },
			`environments["teal"]: It is null. Give it a value, or leave it out.`),
		wrong("environment_empty", func(h *hcl) { h.environments += "\n teal = {}" },
			`environments["teal"].target_groups: It is missing. Give the environment a target group for each entry point of load_balancer.routes.`),
		wrong("environment_nameless", func(h *hcl) { h.environments += environment("", "1", groupARN("teal")) },
			`environments[""]: Its name is empty. Give it a name.`),
		wrong("group_null", func(h *hcl) { h.environments += "\n teal = { target_groups = { web = null } }" },
			`environments["teal"].target_groups["web"]: It is null. Give it a value, or leave it out.`),
		wrong("group_empty", func(h *hcl) { h.environments += environment("teal", "1", "") },
			`environments["teal"].target_groups["web"]: It is empty. Give it a value, or leave it out.`),
		wrong("group_missing", func(h *hcl) { h.environments += "\n teal = { target_groups = {} }" },
			`environments["teal"].target_groups: It has no target group for the entry point "web". Add one, or take the entry point out of load_balancer.routes.`),
		wrong("group_too_many", func(h *hcl) {
			h.environments += fmt.Sprintf("\n teal = { target_groups = { web = %q, api = %q } }", groupARN("teal"), groupARN("teal-api"))
		}, `environments["teal"].target_groups["api"]: There is no entry point "api" in load_balancer.routes. Use one of "web", or take the target group out.`),
		wrong("group_twice", func(h *hcl) { h.environments += environment("teal", "1", groupARN("blue")) },
			"environments[\"teal\"].target_groups[\"web\"]: The same target group stands at environments[\"blue\"].target_groups[\"web\"] already. "+
				"Give each environment target groups of its own.\n\nTarget group: "+groupARN("blue")),
		wrong("group_is_balancer", func(h *hcl) { h.environments += environment("teal", "1", balancerARN) },
			"environments[\"teal\"].target_groups[\"web\"]: It is the ARN of a load balancer. Give the ARN of a target group.\n\nValue: \""+balancerARN+"\""),
		wrong("group_malformed", func(h *hcl) { h.environments += environment("teal", "1", "teal") },
			"environments[\"teal\"].target_groups[\"web\"]: It is not the ARN of a target group. Give one such as that of aws_lb_target_group.\n\nValue: \"teal\""),
	}
}

func badRoutes() []badInput {
	route := func(text string) func(h *hcl) {
		return func(h *hcl) { h.routes = "routes = { web = [" + text + "] }" }
	}
	return []badInput{
		wrong("no_routes", func(h *hcl) { h.routes = "" },
			"load_balancer.routes: It names no route. Give the ARN of at least one listener or listener rule."),
		wrong("routes_empty", func(h *hcl) { h.routes = "routes = {}" },
			"load_balancer.routes: It names no route. Give the ARN of at least one listener or listener rule."),
		wrong("entry_empty", route(""),
			`load_balancer.routes["web"]: It names no route. Give the ARN of at least one listener or listener rule.`),
		wrong("entry_null", func(h *hcl) { h.routes = "routes = { web = null }" },
			`load_balancer.routes["web"]: It is null. Give it a value, or leave it out.`),
		wrong("route_null", route("null"),
			`load_balancer.routes["web"][0]: It is null. Give it a value, or leave it out.`),
		wrong("route_empty", route(`""`),
			`load_balancer.routes["web"][0]: It is empty. Give it a value, or leave it out.`),
		wrong("route_twice", route(fmt.Sprintf("%q, %q, %[1]q", listenerARN, ruleARN)),
			"load_balancer.routes[\"web\"][2]: The same route stands at load_balancer.routes[\"web\"][0] already. Name each route once.\n\nRoute: "+listenerARN),
		wrong("route_malformed", route(`"web"`),
			"load_balancer.routes[\"web\"][0]: It is not the ARN of a listener or a listener rule. Give one such as that of aws_lb_listener or aws_lb_listener_rule.\n\nValue: \"web\""),
		wrong("route_is_balancer", route(fmt.Sprintf("%q", balancerARN)),
			"load_balancer.routes[\"web\"][0]: It is the ARN of a load balancer. Give the ARN of a listener or a listener rule.\n\nValue: \""+balancerARN+"\""),
		wrong("route_is_group", route(fmt.Sprintf("%q", groupARN("blue"))),
			"load_balancer.routes[\"web\"][0]: It is the ARN of a target group. Give the ARN of a listener or a listener rule.\n\nValue: \""+groupARN("blue")+"\""),
		wrong("route_of_network", route(fmt.Sprintf("%q", networkARN)),
			"load_balancer.routes[\"web\"][0]: It belongs to a Network Load Balancer. Give a listener or a listener rule of an Application Load Balancer.\n\nValue: \""+networkARN+"\""),
		wrong("sticky_long", func(h *hcl) { h.stickiness = `stickiness = "169h"` },
			"load_balancer.stickiness: It is out of range. Write whole seconds from \"1s\" to \"168h\" (7 days), or \"0s\" to switch stickiness off.\n\nValue: \"169h\""),
		wrong("sticky_short", func(h *hcl) { h.stickiness = `stickiness = "500ms"` },
			"load_balancer.stickiness: It is out of range. Write whole seconds from \"1s\" to \"168h\" (7 days), or \"0s\" to switch stickiness off.\n\nValue: \"500ms\""),
	}
}

func badStrategy() []badInput {
	steps := func(text string) func(h *hcl) {
		return func(h *hcl) { h.strategy = "steps = [" + text + "]" }
	}
	return []badInput{
		wrong("steps_not_rising", steps(`{ percent = 50, hold = "1m" }, { percent = 20, hold = "1m" }`),
			"strategy.steps[1].percent: It is not above the step before it, 50. Put the steps in rising order.\n\nValue: 20"),
		wrong("step_whole", steps(`{ percent = 100, hold = "1m" }`),
			"strategy.steps[0].percent: It is out of range. Write percent above 0 and below 100; the last step, 100, is always there.\n\nValue: 100"),
		wrong("step_zero", steps(`{ percent = 0, hold = "1m" }`),
			"strategy.steps[0].percent: It is out of range. Write percent above 0 and below 100; the last step, 100, is always there.\n\nValue: 0"),
		wrong("step_fine", steps(`{ percent = 0.25, hold = "1m" }`),
			"strategy.steps[0].percent: It is finer than 0.1. Write percent with one decimal at most.\n\nValue: 0.25"),
		wrong("step_null", steps("null"), "strategy.steps[0]: It is null. Give it a value, or leave it out."),
		wrong("step_empty", steps("{}"),
			"strategy.steps[0]: It has no percent. Write how much of the way it goes, such as percent = 10.",
			"strategy.steps[0]: It has no hold. Write how long the step is watched, such as hold = \"5m\"; \"0s\" goes on at once."),
		wrong("step_misspelled", steps(`{ percent = 10, hodl = "1m" }`),
			"strategy.steps[0]: It has no hold. Write how long the step is watched, such as hold = \"5m\"; \"0s\" goes on at once."),
		wrong("hold_negative", steps(`{ percent = 10, hold = "-1m" }`),
			"strategy.steps[0].hold: It is negative. Write a duration of \"0s\" or more.\n\nValue: \"-1m\""),
		wrong("step_gate_unknown", steps(`{ percent = 10, hold = "1m", gates = ["approve"] }`),
			`strategy.steps[0].gates: There is no gate "approve". Add it to gates.`),
		wrong("step_gate_elsewhere", func(h *hcl) {
			h.strategy = `steps = [{ percent = 10, hold = "1m", gates = ["smoke"] }]`
			h.gates = httpGate("", `when = "before"`)
		}, `strategy.steps[0].gates: The gate "smoke" has when = "before", and a gate of a step is asked at such steps alone. Take its when out, or the gate out of the step.`),
		wrong("step_gate_null", steps(`{ percent = 10, hold = "1m", gates = [null] }`),
			"strategy.steps[0].gates[0]: It is null. Give it a value, or leave it out."),
		wrong("bake_unreadable", func(h *hcl) { h.strategy = `bake = "soon"` },
			"strategy.bake: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"soon\""),
		wrong("settle_unreadable", func(h *hcl) { h.settle = `settle = "60"` },
			"strategy.settle: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"60\""),
		wrong("window_negative", func(h *hcl) { h.strategy = `rollback_window = "-24h"` },
			"strategy.rollback_window: It is negative. Write a duration of \"0s\" or more.\n\nValue: \"-24h\""),
		wrong("on_failure", func(h *hcl) { h.strategy = `on_failure = "hold"` },
			"strategy.on_failure: It is none of the known words. Write one of \"rollback\", \"stop\".\n\nValue: \"hold\""),
		wrong("on_interrupt", func(h *hcl) { h.strategy = `on_interrupt = "ignore"` },
			"strategy.on_interrupt: It is none of the known words. Write one of \"rollback\", \"stop\".\n\nValue: \"ignore\""),
		wrong("capacity", func(h *hcl) { h.health = "\n capacity_percent = 101" },
			"health.capacity_percent: It is out of range. Write a percentage from 0 to 100.\n\nValue: 101"),
		wrong("min_healthy", func(h *hcl) { h.health = "\n min_healthy_percent = 0" },
			"health.min_healthy_percent: It is out of range. Write a percentage from 1 to 100.\n\nValue: 0"),
		wrong("min_targets", func(h *hcl) { h.health = "\n min_healthy_targets = 0" },
			"health.min_healthy_targets: It is out of range. Write a whole number from 1 to 1000000.\n\nValue: 0"),
		wrong("health_timeout", func(h *hcl) { h.health = "\n timeout = \"0s\"" },
			"health.timeout: It is zero. Write a duration above zero, such as \"10s\"."),
		wrong("steady_too_long", func(h *hcl) { h.health = "\n timeout = \"15s\"" },
			"health.steady_for: Nothing could be steady for so long within the timeout. Write a shorter steady_for, or a longer timeout.\n\nSteady for: 15s\nTimeout: 15s"),
	}
}

func badGates() []badInput {
	gate := func(kind, more string) func(h *hcl) {
		return func(h *hcl) { h.gates = httpGate(kind, more) }
	}
	return []badInput{
		wrong("gate_null", func(h *hcl) { h.gates = "gates = { smoke = null }" },
			`gates["smoke"]: It is null. Leave the gate out of the map instead.`),
		wrong("gate_empty", func(h *hcl) { h.gates = "gates = { smoke = {} }" },
			`gates["smoke"]: It has no kind. Give it exactly one of "cloudwatch_alarm", "cloudwatch_metric", "command", "http", "prometheus", "target_metrics", "webhook".`),
		wrong("gate_kindless", func(h *hcl) { h.gates = `gates = { smoke = { interval = "1s" } }` },
			`gates["smoke"]: It has no kind. Give it exactly one of "cloudwatch_alarm", "cloudwatch_metric", "command", "http", "prometheus", "target_metrics", "webhook".`),
		wrong("gate_when", gate("", `when = "sometimes"`),
			"gates[\"smoke\"].when: It is none of the known words. Write one of \"during\", \"before\", \"after\", \"always\".\n\nValue: \"sometimes\""),
		wrong("gate_inconclusive", gate("", `on_inconclusive_timeout = "wait"`),
			"gates[\"smoke\"].on_inconclusive_timeout: It is none of the known words. Write one of \"fail\", \"pass\", \"stop\".\n\nValue: \"wait\""),
		wrong("gate_interval", gate("", `interval = "0s"`),
			"gates[\"smoke\"].interval: It is zero. Write a duration above zero, such as \"10s\"."),
		wrong("gate_limit", gate("", "failure_limit = -1"),
			"gates[\"smoke\"].failure_limit: It is out of range. Write a whole number from 0 to 1000000.\n\nValue: -1"),
		wrong("http_url", func(h *hcl) { h.gates = `gates = { smoke = { http = { url = "app.example.com" } } }` },
			`gates["smoke"].http.url: It is not valid: it must begin with http:// or https:// and a host. Correct it.`),
		wrong("http_pattern", gate(`expect_body = "version 1.(2"`, ""),
			"gates[\"smoke\"].http.expect_body: It is not valid: error parsing regexp: missing closing ): `version 1.(2`. Correct it."),
		wrong("http_status", gate("expect_status = [200, 600]", ""),
			`gates["smoke"].http.expect_status: It is not valid: 600 is not between 100 and 599. Correct it.`),
		wrong("http_header", gate(`headers = { "X Y" = "1" }`, ""),
			`gates["smoke"].http.headers["X Y"]: It is not valid: it is no name of a header. Correct it.`),
		wrong("http_header_null", gate(`expect_headers = { "X" = null }`, ""),
			`gates["smoke"].http.expect_headers["X"]: It is null. Give it a value, or leave it out.`),
		wrong("http_header_empty", gate(`headers = { "X" = "" }`, ""),
			`gates["smoke"].http.headers["X"]: It is empty. Give it a value, or leave it out.`),
		wrong("http_samples", gate("samples = 0", ""),
			"gates[\"smoke\"].http.samples: It is out of range. Write a whole number from 1 to 1000000.\n\nValue: 0"),
	}
}

// Every bad input is told by one plan, which calls nothing.
func TestSwitch_badInputIsToldByThePlan(t *testing.T) {
	t.Parallel()
	wantTold(t, slices.Concat(badTraffic(), badEnvironments(), badRoutes(), badStrategy(), badGates()))
}

// wantTold makes one plan of a switch for each row and compares all that is said,
// whole.
func wantTold(t *testing.T, rows []badInput) {
	t.Helper()
	b, w := newBench(t), newWorkspace(t)
	before := b.called()
	text := settings(b, "")
	for _, row := range rows {
		h := good()
		row.change(&h)
		text += h.resource(row.name)
	}
	w.write(text)
	got := map[string][]string{}
	for _, m := range w.plan().errors {
		attribute, ok := strings.CutPrefix(m.Summary, "Unable to use ")
		if !ok {
			t.Errorf("%s: %s: %s", m.Address, m.Summary, m.Detail)
			continue
		}
		name := strings.TrimPrefix(m.Address, "bluegreen_switch.")
		got[name] = append(got[name], attribute+": "+m.Detail)
	}
	for _, row := range rows {
		if !slices.Equal(slices.Sorted(slices.Values(got[row.name])), slices.Sorted(slices.Values(row.want))) {
			t.Errorf("%s: got\n  %s\nwant\n  %s", row.name, strings.Join(got[row.name], "\n  "), strings.Join(row.want, "\n  "))
		}
		delete(got, row.name)
	}
	if len(got) > 0 {
		t.Errorf("told of what nobody asked: %v", got)
	}
	if n := b.called() - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// Nothing is wrong with the configuration that the rows start from.
func TestSwitch_goodInputIsPlannedWithoutACall(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	before := b.called()
	w.write(settings(b, "") + good().resource("web"))
	w.plan().ok()
	if n := b.called() - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A rule that stands for its listener is seen by asking, and still by the plan.
func TestSwitch_defaultRuleIsToldByThePlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	rule := s.defaultRule(s.listener)
	h.routes = fmt.Sprintf("routes = { web = [%q] }", rule)
	w.write(h.in(s.bench))
	w.plan().fails(`Unable to use load_balancer.routes["web"][0]`,
		"It is the default rule of its listener. Give the ARN of the listener instead.\n\nRoute: "+rule+"\nListener: "+s.listener)
}

// Half a pair of keys and the like are faults of the provider's configuration.
func TestProvider_badInputIsToldByThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ aws, summary, detail string }{
		"key": {`secret_key = null`, "Unable to use aws.access_key",
			"It needs aws.secret_key beside it. Add it, or leave both to the environment."},
		"attempts": {`max_attempts = 0`, "Unable to use aws.max_attempts",
			"It is out of range. Write a whole number from 1 to 1000000.\n\nValue: 0"},
		"role": {`assume_role = { role_arn = "arn:aws:iam::123456789012:role/r", duration = "1m" }`, "Unable to use aws.assume_role.duration",
			"It is out of range. Write a duration from \"15m\" to \"12h\".\n\nValue: \"1m\""},
		"endpoint": {`endpoints = { elbv2 = "localhost" } #`, "Unable to use aws.endpoints.elbv2",
			"It is not an http or https URL. Write one such as \"http://127.0.0.1:4566\".\n\nValue: \"localhost\""},
		"token": {`assume_role_with_web_identity = { role_arn = "arn:aws:iam::123456789012:role/r" }`,
			"Unable to use aws.assume_role_with_web_identity.web_identity_token_file",
			"It is missing. Write the path of the file with the token, or set AWS_WEB_IDENTITY_TOKEN_FILE."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := newBench(t), newWorkspace(t)
			base := `access_key = "AKIALOCAL"` + "\n"
			if name != "key" {
				base += `secret_key = "secret"` + "\n"
			}
			w.write(strings.ReplaceAll(settings(b, ""), settingsKeys, base+c.aws) + good().resource("web"))
			w.plan().fails(c.summary, c.detail)
		})
	}
}
