package provider_test

import (
	"fmt"
	"hash/crc32"
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

// good is a valid configuration; a row changes one thing.
func good() hcl {
	return hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", listenerARN),
		environments: environment("blue", "1.0", groupARN("blue")) + environment("green", "1.1", groupARN("green")),
		traffic:      `active = "green"`,
	}
}

// onListenerOf is the configuration with a listener of its own: no two switches have one route.
func (h hcl) onListenerOf(name string) hcl {
	own := fmt.Sprintf("%016x", crc32.ChecksumIEEE([]byte(name)))
	h.routes = strings.Replace(h.routes, "f2f7dc8efc522ab2", own, 1)
	return h
}

// httpGate is the gate "smoke" of type http, with more arguments.
func httpGate(kind, more string) string {
	return gateBlock("smoke", block("http", `url = "http://127.0.0.1/"`, kind), more)
}

type badInput struct {
	name   string
	change func(h *hcl)
}

func wrong(name string, change func(h *hcl)) badInput {
	return badInput{name, change}
}

func badTraffic() []badInput {
	return []badInput{
		wrong("both", func(h *hcl) { h.rest = `weights = { blue = 0, green = 100 }` }),
		wrong("none", func(h *hcl) { h.traffic = "" }),
		wrong("active_nobody", func(h *hcl) { h.traffic = `active = "teal"` }),
		wrong("weight_nobody", func(h *hcl) { h.traffic = `weights = { blue = 40, green = 50, teal = 10 }` }),
		wrong("weight_left_out", func(h *hcl) { h.traffic = `weights = { green = 100 }` }),
		wrong("sum", func(h *hcl) { h.traffic = `weights = { blue = 40, green = 50.5 }` }),
		wrong("weight_null", func(h *hcl) { h.traffic = `weights = { blue = null, green = 100 }` }),
		wrong("weight_fine", func(h *hcl) { h.traffic = `weights = { blue = 0.05, green = 99.95 }` }),
		wrong("weight_negative", func(h *hcl) { h.traffic = `weights = { blue = -1, green = 101 }` }),
		wrong("six_groups", func(h *hcl) {
			h.environments, h.traffic = "", "weights = {"
			for i := range 6 {
				h.environments += environment(fmt.Sprint("e", i), "1", groupARN(fmt.Sprint("g", i)))
				h.traffic += fmt.Sprintf(" e%d = %d,", i, []int{50, 10, 10, 10, 10, 10}[i])
			}
			h.traffic += "}"
		}),
	}
}

func badEnvironments() []badInput {
	return []badInput{
		wrong("no_environments", func(h *hcl) { h.environments = "" }),
		wrong("environment_null", func(h *hcl) { h.environments += "\n teal = null" }),
		wrong("environment_empty", func(h *hcl) { h.environments += "\n teal = {}" }),
		wrong("environment_nameless", func(h *hcl) { h.environments += environment("", "1", groupARN("teal")) }),
		wrong("environment_blank", func(h *hcl) { h.environments += environment(" \t", "1", groupARN("teal")) }),
		wrong("environment_spaced", func(h *hcl) { h.environments += environment("teal ", "1", groupARN("teal")) }),
		wrong("environment_control", func(h *hcl) { h.environments += environment("te\nal", "1", groupARN("teal")) }),
		wrong("environment_comma", func(h *hcl) { h.environments += environment("te,al", "1", groupARN("teal")) }),
		wrong("environment_equals", func(h *hcl) { h.environments += environment("te=al", "1", groupARN("teal")) }),
		wrong("backing_null", func(h *hcl) { h.environments += inline("teal", groupARN("teal"), "backed_by = [null]") }),
		wrong("resource_type", func(h *hcl) { h.environments += inline("teal", groupARN("teal"), `resource_type = "aws_instance"`) }),
		wrong("group_null", func(h *hcl) { h.environments += "\n teal = { target_groups = { web = null } }" }),
		wrong("group_empty", func(h *hcl) { h.environments += environment("teal", "1", "") }),
		wrong("group_missing", func(h *hcl) { h.environments += "\n teal = { target_groups = {} }" }),
		wrong("group_too_many", func(h *hcl) {
			h.environments += fmt.Sprintf("\n teal = { target_groups = { web = %q, api = %q } }", groupARN("teal"), groupARN("teal-api"))
		}),
		wrong("group_twice", func(h *hcl) { h.environments += environment("teal", "1", groupARN("blue")) }),
		wrong("group_is_balancer", func(h *hcl) { h.environments += environment("teal", "1", balancerARN) }),
		wrong("group_malformed", func(h *hcl) { h.environments += environment("teal", "1", "teal") }),
	}
}

func badRoutes() []badInput {
	route := func(text string) func(h *hcl) {
		return func(h *hcl) { h.routes = "routes = { web = [" + text + "] }" }
	}
	return []badInput{
		wrong("routes_empty", func(h *hcl) { h.routes = "routes = {}" }),
		wrong("entry_empty", route("")),
		wrong("entry_null", func(h *hcl) { h.routes = "routes = { web = null }" }),
		wrong("route_null", route("null")),
		wrong("route_empty", route(`""`)),
		wrong("route_twice", route(fmt.Sprintf("%q, %q, %[1]q", listenerARN, ruleARN))),
		wrong("route_malformed", route(`"web"`)),
		wrong("route_is_balancer", route(fmt.Sprintf("%q", balancerARN))),
		wrong("route_is_group", route(fmt.Sprintf("%q", groupARN("blue")))),
		wrong("route_of_gateway", route(fmt.Sprintf("%q", strings.Replace(networkARN, "/net/", "/gwy/", 1)))),
		wrong("route_rule_of_network", route(fmt.Sprintf("%q", strings.Replace(ruleARN, "/app/", "/net/", 1)))),
		wrong("sticky_network", func(h *hcl) {
			h.routes, h.stickiness = fmt.Sprintf("routes = { web = [%q] }", networkARN), `stickiness = "1h"`
		}),
		wrong("target_metrics_network", func(h *hcl) {
			h.routes = fmt.Sprintf("routes = { web = [%q] }", networkARN)
			h.gates = gateBlock("users", block("target_metrics", "max_error_rate = 1"))
		}),
		wrong("sticky_long", func(h *hcl) { h.stickiness = `stickiness = "169h"` }),
		wrong("sticky_short", func(h *hcl) { h.stickiness = `stickiness = "500ms"` }),
	}
}

func badStrategy() []badInput {
	steps := func(text string) func(h *hcl) {
		return func(h *hcl) { h.strategy = "steps = [" + text + "]" }
	}
	return []badInput{
		wrong("steps_not_rising", steps(`{ percent = 50, hold = "1m" }, { percent = 20, hold = "1m" }`)),
		wrong("step_whole", steps(`{ percent = 100, hold = "1m" }`)),
		wrong("step_zero", steps(`{ percent = 0, hold = "1m" }`)),
		wrong("step_fine", steps(`{ percent = 0.25, hold = "1m" }`)),
		wrong("step_null", steps("null")),
		wrong("step_empty", steps("{}")),
		wrong("step_misspelled", steps(`{ percent = 10, hodl = "1m" }`)),
		wrong("hold_negative", steps(`{ percent = 10, hold = "-1m" }`)),
		wrong("step_gates", steps(`{ percent = 10, hold = "1m", gates = ["approve"] }`)),
		wrong("step_gates_empty", steps(`{ percent = 10, hold = "1m", gates = [] }`)),
		wrong("baseline_range", func(h *hcl) { h.strategy = "baseline_percent = 100" }),
		wrong("baseline_zero", func(h *hcl) { h.strategy = "baseline_percent = 0" }),
		wrong("baseline_decimals", func(h *hcl) { h.strategy = "baseline_percent = 0.25" }),
		wrong("baseline_steps", func(h *hcl) {
			h.strategy = "baseline_percent = 50\n steps = [{ percent = 10, hold = \"1m\" }, { percent = 50, hold = \"1m\" }]"
		}),
		wrong("bake_unreadable", func(h *hcl) { h.strategy = `bake = "soon"` }),
		wrong("settle_unreadable", func(h *hcl) { h.settle = `settle = "60"` }),
		wrong("window_negative", func(h *hcl) { h.strategy = `rollback_window = "-24h"` }),
		wrong("rollback_short", func(h *hcl) { h.strategy = `rollback_timeout = "9s"` }),
		wrong("rollback_long", func(h *hcl) { h.strategy = `rollback_timeout = "24h1s"` }),
		wrong("rollback_zero", func(h *hcl) { h.strategy = `rollback_timeout = "0s"` }),
		wrong("rollback_unreadable", func(h *hcl) { h.strategy = `rollback_timeout = "10"` }),
		wrong("on_failure", func(h *hcl) { h.strategy = `on_failure = "hold"` }),
		wrong("on_interrupt", func(h *hcl) { h.strategy = `on_interrupt = "ignore"` }),
		wrong("capacity", func(h *hcl) { h.health = "\n capacity_percent = 101" }),
		wrong("min_healthy", func(h *hcl) { h.health = "\n min_healthy_percent = 0" }),
		wrong("min_targets", func(h *hcl) { h.health = "\n min_healthy_targets = 0" }),
		wrong("health_timeout", func(h *hcl) { h.health = "\n timeout = \"0s\"" }),
		wrong("steady_too_long", func(h *hcl) { h.health = "\n timeout = \"15s\"" }),
	}
}

func badGates() []badInput {
	gate := func(kind, more string) func(h *hcl) {
		return func(h *hcl) { h.gates = httpGate(kind, more) }
	}
	named := func(name string) func(h *hcl) {
		return func(h *hcl) { h.gates = block("gate", "name = "+name, block("http", `url = "http://127.0.0.1/"`)) }
	}
	at := func(percent string) func(h *hcl) {
		return func(h *hcl) {
			h.strategy = `steps = [{ percent = 5, hold = "1m" }, { percent = 50.5, hold = "1m" }]`
			h.gates = httpGate("", "at_percent = ["+percent+"]")
		}
	}
	return []badInput{
		wrong("gate_kindless", func(h *hcl) { h.gates = gateBlock("smoke", `interval = "1s"`) }),
		wrong("gate_two_kinds", gate("", block("command", `argv = ["./smoke.sh"]`))),
		wrong("gate_twice", func(h *hcl) { h.gates = httpGate("", "") + "\n" + httpGate("", "") }),
		wrong("gate_nameless", named(`""`)),
		wrong("gate_blank", named(`" "`)),
		wrong("gate_null", named("null")),
		wrong("gate_spaced", named(`"smoke "`)),
		wrong("gate_control", named(`"smo\nke"`)),
		wrong("gate_comma", named(`"smoke,users"`)),
		wrong("at_percent_without_steps", gate("", "at_percent = [50]")),
		wrong("at_percent_nowhere", at("5, 51")),
		wrong("at_percent_zero", at("0")),
		wrong("at_percent_fine", at("5.25")),
		wrong("at_percent_large", at("101")),
		wrong("at_percent_null", at("null")),
		wrong("at_percent_and_when", gate("", "at_percent = [100]\n when = \"after\"")),
		wrong("gate_when", gate("", `when = "sometimes"`)),
		wrong("gate_inconclusive", gate("", `on_inconclusive_timeout = "wait"`)),
		wrong("gate_interval", gate("", `interval = "0s"`)),
		wrong("gate_limit", gate("", "failure_limit = -1")),
		wrong("http_url", func(h *hcl) { h.gates = smokeGate("app.example.com", "10s") }),
		wrong("http_pattern", gate(`expect_body = "version 1.(2"`, "")),
		wrong("http_status", gate("expect_status = [200, 600]", "")),
		wrong("http_header", gate(`headers = { "X Y" = "1" }`, "")),
		wrong("http_header_null", gate(`expect_headers = { "X" = null }`, "")),
		wrong("http_header_empty", gate(`headers = { "X" = "" }`, "")),
		wrong("http_samples", gate("samples = 0", "")),
	}
}

// One plan reports every bad input, without a call.
func TestSwitch_planRefusesBadInput(t *testing.T) {
	t.Parallel()
	wantErrors(t, slices.Concat(badTraffic(), badEnvironments(), badRoutes(), badStrategy(), badGates()))
}

// wantErrors makes one plan with a switch for each row and compares all errors.
func wantErrors(t *testing.T, rows []badInput) {
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
	var names []string
	for _, row := range rows {
		names = append(names, "bluegreen_switch."+row.name)
	}
	wantErrorsOf(t, w.plan(), names)
	if n := b.called() - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// The configuration that the rows change is valid.
func TestSwitch_goodInputPlansWithoutACall(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	before := b.called()
	w.write(settings(b, "") + good().resource("web"))
	w.plan().ok()
	if n := b.called() - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A default rule is recognized only by a call, which the plan makes.
func TestSwitch_planRefusesDefaultRule(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	rule := s.defaultRule(s.listener)
	h.routes = fmt.Sprintf("routes = { web = [%q] }", rule)
	w.write(h.in(s.bench))
	w.plan().failsAs("error")
}

// For example, half a pair of keys is an error of the provider's configuration.
func TestProvider_planRefusesBadInput(t *testing.T) {
	t.Parallel()
	for name, aws := range map[string]string{
		"key":        `secret_key = null`,
		"attempts":   `max_attempts = 0`,
		"role":       block("assume_role", `role_arn = "arn:aws:iam::123456789012:role/r"`, `duration = "1m"`),
		"endpoint":   "",
		"report_dir": "",
		"token":      block("assume_role_with_web_identity", `role_arn = "arn:aws:iam::123456789012:role/r"`),
		"accounts":   `allowed_account_ids = ["123456789012", "12345678901", "production"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := newBench(t), newWorkspace(t)
			base := `access_key = "AKIALOCAL"` + "\n"
			if name != "key" {
				base += `secret_key = "secret"` + "\n"
			}
			url := b.srv.URL()
			if name == "endpoint" {
				url = "localhost"
			}
			text := strings.ReplaceAll(settingsAt(url, ""), settingsKeys, base+aws) + good().resource("web")
			if name == "report_dir" {
				text = reportedTo(text, "~/reports")
			}
			w.write(text)
			w.plan().failsAs("error")
		})
	}
}
