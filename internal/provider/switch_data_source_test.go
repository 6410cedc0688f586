package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// lookup returns the HCL of the data source.
func lookup(name, routes, rest string) string {
	return fmt.Sprintf("\ndata \"bluegreen_switch\" %q {\n  %s\n  %s\n}\n", name, routes, rest)
}

// in is the argument environments.
func in(environments string) string { return "environments = {" + environments + "\n  }" }

// reads returns checks of live ("" for none, "blue 1.0") and weights.
func reads(name, live string, weights map[string]int64) []statecheck.StateCheck {
	var want knownvalue.Check = knownvalue.Null()
	if environment, version, versioned := strings.Cut(live, " "); live != "" {
		side := map[string]knownvalue.Check{"environment": text(environment), "version": knownvalue.Null()}
		if versioned {
			side["version"] = text(version)
		}
		want = knownvalue.ObjectExact(side)
	}
	shares := map[string]knownvalue.Check{}
	for environment, percent := range weights {
		shares[environment] = knownvalue.Int64Exact(percent)
	}
	at := "data.bluegreen_switch." + name
	return []statecheck.StateCheck{
		statecheck.ExpectKnownValue(at, tfjsonpath.New("live"), want),
		statecheck.ExpectKnownValue(at, tfjsonpath.New("weights"), knownvalue.MapExact(shares)),
	}
}

// reading is a data source and its expected values.
type reading struct {
	routes, rest string
	live         string
	weights      map[string]int64
}

func (s *twoEntries) readings() map[string]reading {
	web := s.release("").routes
	alone := fmt.Sprintf("routes = { web = [%q] }", s.listener)
	both := environment("blue", "1.0", s.blue.group) + environment("green", "1.1", s.green.group)
	unforwarding := fmt.Sprintf("routes = { web = [%q] }", s.second)
	split := s.rule(s.second, "/split/*", 20, forward(weights{s.blue.group: 90, s.green.group: 10}))
	rule := fmt.Sprintf("routes = { web = [%q] }", split)
	disagree := fmt.Sprintf("routes = { web = [%q, %q] }", s.listener, split)
	return map[string]reading{
		"live":         {alone, in(both), "blue 1.0", map[string]int64{"blue": 100, "green": 0}},
		"unversioned":  {alone, in(fmt.Sprintf("\n blue = { target_groups = { web = %q } }", s.blue.group)), "blue", map[string]int64{"blue": 100}},
		"two_entries":  {web, in(s.release("").environments), "blue 1.0", map[string]int64{"blue": 100, "green": 0}},
		"split":        {rule, in(both), "", map[string]int64{"blue": 90, "green": 10}},
		"disagree":     {disagree, in(both), "", map[string]int64{"blue": 95, "green": 5}},
		"unforwarding": {unforwarding, in(both), "", map[string]int64{"blue": 0, "green": 0}},
		// One of two routes does not forward: it does not count.
		"half": {fmt.Sprintf("routes = { web = [%q, %q] }", s.listener, s.second), in(both), "blue 1.0", map[string]int64{"blue": 100, "green": 0}},
		// An unmanaged target group has its own name.
		"unmanaged":       {rule, in(environment("green", "1.1", s.green.group)), "", map[string]int64{"app-blue": 90, "green": 10}},
		"unmanaged_lives": {alone, in(environment("green", "1.1", s.green.group)), "app-blue", map[string]int64{"app-blue": 100, "green": 0}},
		"called_like_one": {alone, in(environment("app-blue", "1.1", s.green.group)), "app-blue (target group)", map[string]int64{"app-blue": 0, "app-blue (target group)": 100}},
		"unnamed":         {rule, "", "", map[string]int64{"app-blue": 90, "app-green": 10}},
		"unnamed_null":    {alone, "environments = null", "app-blue", map[string]int64{"app-blue": 100}},
		// A group that is attached at weight 0 is listed with 0.
		"unnamed_idle":        {fmt.Sprintf("routes = { api = [%q] }", s.secondRule), "", "api-blue", map[string]int64{"api-blue": 100, "api-green": 0}},
		"unnamed_two_entries": {web, "", "", map[string]int64{"app-blue": 50, "api-blue": 50, "api-green": 0}},
		"unnamed_nowhere":     {unforwarding, "", "", map[string]int64{}},
	}
}

func TestSwitchData_readsTheRoutes(t *testing.T) {
	t.Parallel()
	s := newTwoEntries(t)
	config, checks := settings(s.bench, ""), []statecheck.StateCheck{}
	for name, want := range s.readings() {
		config += lookup(name, want.routes, want.rest)
		live := reads(name, want.live, want.weights)
		if name == "called_like_one" { // its name has spaces, and there is no version
			live[0] = statecheck.ExpectKnownValue("data.bluegreen_switch."+name, tfjsonpath.New("live").AtMapKey("environment"), text(want.live))
		}
		checks = append(checks, live...)
	}
	before := s.called()
	unitTest(t, resource.TestStep{Config: config, ConfigStateChecks: checks, ConfigPlanChecks: unchanged})
	for _, call := range s.srv.Calls()[before:] {
		if !slices.Contains([]string{"DescribeListeners", "DescribeRules"}, call.Action) {
			t.Errorf("%s was called", call.Action)
		}
	}
}

// Tenths are exact, and external changes appear at the next refresh.
func TestSwitchData_readsExternalChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := settings(s.bench, "") + lookup("web", s.release("").routes, in(s.release("").environments))
	tenths := statecheck.ExpectKnownValue("data.bluegreen_switch.web", tfjsonpath.New("weights"),
		knownvalue.MapExact(map[string]knownvalue.Check{"blue": knownvalue.Float64Exact(99.9), "green": knownvalue.Float64Exact(0.1)}))
	unitTest(t,
		resource.TestStep{Config: config, ConfigStateChecks: reads("web", "blue 1.0", map[string]int64{"blue": 100, "green": 0})},
		resource.TestStep{
			PreConfig: func() { s.changeExternally(s.listener, forward(weights{s.blue.group: 999, s.green.group: 1})) },
			Config:    config, ConfigStateChecks: []statecheck.StateCheck{tenths},
		},
		resource.TestStep{
			PreConfig: func() { s.changeExternally(s.listener, forward(weights{s.blue.group: 0, s.green.group: 7})) },
			Config:    config, ConfigStateChecks: reads("web", "green 1.1", map[string]int64{"blue": 0, "green": 100}),
		},
	)
}

// With depends_on a switch, the data source returns the weights after the shift;
// unknown environments are waited for.
func TestSwitchData_afterASwitch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := func(active string) string {
		h := s.release(active)
		h.before = fmt.Sprintf("\nresource \"terraform_data\" \"green\" {\n  input = { web = %q }\n}\n", s.green.group)
		return h.in(s.bench) + lookup("web", h.routes, in(environment("blue", "1.0", s.blue.group)+
			"\n    green = { version = \"1.1\", target_groups = terraform_data.green.output }")+"\n  depends_on = [bluegreen_switch.web]") +
			lookup("whole", "routes = bluegreen_switch.web.load_balancer[0].routes", "environments = bluegreen_switch.web.environments")
	}
	blue, green := map[string]int64{"blue": 100, "green": 0}, map[string]int64{"blue": 0, "green": 100}
	unitTest(t,
		resource.TestStep{Config: config("blue"), ConfigStateChecks: append(reads("web", "blue 1.0", blue), reads("whole", "blue 1.0", blue)...)},
		resource.TestStep{Config: config("green"), ConfigStateChecks: append(reads("web", "green 1.1", green), reads("whole", "green 1.1", green)...)},
		resource.TestStep{Config: config("green"), ConfigPlanChecks: unchanged},
	)
}

func TestSwitchData_errorsOfARead(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	routes := func(web string) string {
		return fmt.Sprintf("routes = { api = [%q], web = [%q] }", s.rule(s.listener, "/x/*", 5, fixed("503")), web)
	}
	arn := s.listener
	w.write(settings(s.bench, "") + lookup("web", routes(s.missing()), ""))
	w.plan().failsAs("error")

	alone := lookup("web", fmt.Sprintf("routes = { web = [%q] }", arn), "")
	w.write(settings(s.bench, "") + alone)
	remove := s.refuse("DescribeListeners", "", 0)
	w.plan().failsAs("error_2")
	remove()
	w.plan().ok()

	rule := s.defaultRule(arn)
	w.write(settings(s.bench, "") + lookup("web", fmt.Sprintf("routes = { web = [%q] }", rule), ""))
	w.plan().failsAs("error_3")

	_, err := s.api.DeleteListener(t.Context(), &elbv2.DeleteListenerInput{ListenerArn: &arn})
	s.must(err)
	w.write(settings(s.bench, "") + alone)
	if r := w.plan(); r.err == nil || !strings.Contains(r.text(), tail(arn, ":listener/")) {
		t.Error(r.text())
	}
}

// Bad input is reported as for the resource, without a call.
func TestSwitchData_badInput(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	before := b.called()
	web := good().routes
	blue := environment("blue", "1.0", groupARN("blue"))
	rows := map[string]struct{ routes, rest string }{
		"no_entry":          {"routes = {}", ""},
		"no_route":          {"routes = { web = [] }", ""},
		"entry_null":        {"routes = { web = null }", ""},
		"route_null":        {"routes = { web = [null] }", ""},
		"route_twice":       {fmt.Sprintf("routes = { web = [%q], api = [%[1]q] }", listenerARN), ""},
		"route_is_balancer": {fmt.Sprintf("routes = { web = [%q] }", balancerARN), ""},
		"environments_none": {web, in("")},
		"environment_null":  {web, in("\n blue = null")},
		"environment_empty": {web, in("\n blue = {}")},
		"name_is_not_key":   {web, in(fmt.Sprintf("\n blue = { name = \"green\", target_groups = { web = %q } }", groupARN("blue")))},
		"group_null":        {web, in("\n blue = { target_groups = { web = null } }")},
		"group_missing":     {web, in("\n blue = { target_groups = {} }")},
		"group_too_many":    {web, in(fmt.Sprintf("\n blue = { target_groups = { web = %q, api = %q } }", groupARN("blue"), groupARN("api")))},
		"group_twice":       {web, in(blue + environment("green", "1.0", groupARN("blue")))},
	}
	config := settings(b, "")
	for name, row := range rows {
		config += lookup(name, row.routes, row.rest)
	}
	w.write(config)
	var names []string
	for name := range rows {
		names = append(names, "data.bluegreen_switch."+name)
	}
	wantErrorsOf(t, w.plan(), names)
	if n := b.called() - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
