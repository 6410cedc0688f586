package provider_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

const requires = `
terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}
`

// functionTest runs steps where Terraform knows functions of providers.
func functionTest(t *testing.T, steps ...resource.TestStep) {
	t.Helper()
	needTerraform(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_8_0)},
		Steps:                    steps,
	})
}

// steps returns a check for a list of steps, given as percentage and hold in turn.
func steps(parts ...string) knownvalue.Check {
	list := []knownvalue.Check{}
	for i := 0; i < len(parts); i += 2 {
		list = append(list, step(parts[i], parts[i+1], map[string]knownvalue.Check{}))
	}
	return knownvalue.ListExact(list)
}

func step(percent, hold string, more map[string]knownvalue.Check) knownvalue.Check {
	n, _, err := big.ParseFloat(percent, 10, 512, big.ToNearestEven)
	if err != nil {
		panic(err) // a test is written wrongly
	}
	more["percent"], more["hold"] = knownvalue.NumberExact(n), text(hold)
	return knownvalue.ObjectExact(more)
}

// every returns linear steps of 10 percent.
func every(hold string) knownvalue.Check {
	var parts []string
	for percent := 10; percent < 100; percent += 10 {
		parts = append(parts, fmt.Sprint(percent), hold)
	}
	return steps(parts...)
}

// One apply with an output for every call.
func TestFunctions_results(t *testing.T) {
	t.Parallel()
	calls := []struct {
		call string
		want knownvalue.Check
	}{
		{`linear(10, "1m")`, every("1m")},
		{`linear(20, "90s")`, steps("20", "90s", "40", "90s", "60", "90s", "80", "90s")},
		{`linear(33.3, "1h30m")`, steps("33.3", "1h30m", "66.6", "1h30m")},
		{`linear("12.5", "0s")`, steps("12.5", "0s", "25", "0s", "37.5", "0s", "50", "0s", "62.5", "0s", "75", "0s", "87.5", "0s")},
		{`linear(100 / 3 - 0.0333333333333333333, "1s")`, steps("33.3", "1s", "66.6", "1s")},
		{`linear(60, "1m")`, steps("60", "1m")},
		{`canary(10, "5m")`, steps("10", "5m")},
		{`canary(0.1, "5m")`, steps("0.1", "5m")},
		{`canary(99.9, "5m")`, steps("99.9", "5m")},
		{`preset("CodeDeployDefault.ECSLinear10PercentEvery1Minutes")`, every("1m")},
		{`preset("ECSLinear10PercentEvery3Minutes")`, every("3m")},
		{`preset("Linear10PercentEvery1Minutes")`, every("1m")},
		{`preset("Linear10PercentEvery1Minute")`, every("1m")},
		{`preset("LambdaLinear10PercentEvery2Minutes")`, every("2m")},
		{`preset("Linear10PercentEvery10Minutes")`, every("10m")},
		{`preset("ECSCanary10Percent5Minutes")`, steps("10", "5m")},
		{`preset("CodeDeployDefault.LambdaCanary10Percent30Minutes")`, steps("10", "30m")},
		{`preset("AllAtOnce")`, steps()},
		{`preset("CodeDeployDefault.ECSAllAtOnce")`, steps()},
	}
	config, checks := requires, []statecheck.StateCheck{}
	for i, c := range calls {
		name := fmt.Sprintf("call_%d", i)
		config += fmt.Sprintf("output %q {\n  value = provider::bluegreen::%s\n}\n", name, c.call)
		checks = append(checks, statecheck.ExpectKnownOutputValue(name, c.want))
	}
	functionTest(t, resource.TestStep{Config: config, ConfigStateChecks: checks})
}

// The error of a wrong argument equals that of a wrong step of the switch.
func TestFunctions_wrongArguments(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.needFunctions()
	text := ""
	for _, call := range []string{
		`linear(0, "1m")`, `linear(100, "1m")`, `linear(-10, "1m")`, `canary(100, "1m")`, `canary(0, "1m")`,
		`linear(12.25, "1m")`, `canary(1 / 3, "1m")`,
		`linear(10, "-1.5h")`, `canary(10, "5")`, `linear(10, "")`, `linear(10, null)`,
		`preset("Linear20PercentEvery1Minutes")`, `preset("CodeDeployDefault.HalfAtATime")`,
	} {
		w.write(requires + fmt.Sprintf("output \"steps\" {\n  value = provider::bluegreen::%s\n}\n", call))
		r := w.plan()
		if len(r.errors) != 1 {
			t.Errorf("%s: %d errors, want one", call, len(r.errors))
		}
		text += "-- " + call + "\n" + r.text() + "\n\n"
	}
	golden.Check(t, text)
}

// assigned are configurations of strategy.steps with a function, with the expected
// steps.
func assigned() map[string]struct {
	hcl  string
	want knownvalue.Check
} {
	gateless := func(percent, hold string) knownvalue.Check {
		return step(percent, hold, map[string]knownvalue.Check{"gates": knownvalue.Null()})
	}
	list := func(all ...knownvalue.Check) knownvalue.Check { return knownvalue.ListExact(all) }
	halves := list(gateless("50", "1m"))
	return map[string]struct {
		hcl  string
		want knownvalue.Check
	}{
		"literal": {`provider::bluegreen::linear(50, "1m")`, halves},
		"canary":  {`provider::bluegreen::canary(5, "10m")`, list(gateless("5", "10m"))},
		"preset":  {`provider::bluegreen::preset("Canary10Percent5Minutes")`, list(gateless("10", "5m"))},
		"at_once": {`provider::bluegreen::preset("AllAtOnce")`, list()},
		"concat": {`concat([{ percent = 1, hold = "10m" }], provider::bluegreen::linear(50, "1m"))`,
			list(gateless("1", "10m"), gateless("50", "1m"))},
		"concat_both":    {`concat(provider::bluegreen::canary(1, "10m"), provider::bluegreen::linear(50, "1m"))`, list(gateless("1", "10m"), gateless("50", "1m"))},
		"if_literal":     {`var.slow ? provider::bluegreen::linear(50, "1m") : [{ percent = 5, hold = "1s" }]`, halves},
		"else_literal":   {`var.slow ? [{ percent = 5, hold = "1s" }] : provider::bluegreen::linear(50, "1m")`, list(gateless("5", "1s"))},
		"if_two":         {`var.slow ? [{ percent = 5, hold = "1s" }, { percent = 6, hold = "1s" }] : provider::bluegreen::linear(50, "1m")`, list(gateless("5", "1s"), gateless("6", "1s"))},
		"if_none":        {`var.slow ? provider::bluegreen::linear(50, "1m") : []`, halves},
		"if_null":        {`var.slow ? provider::bluegreen::linear(50, "1m") : null`, halves},
		"if_preset":      {`var.slow ? provider::bluegreen::linear(50, "1m") : provider::bluegreen::preset("AllAtOnce")`, halves},
		"for":            {`[for s in provider::bluegreen::linear(50, "1m") : { percent = s.percent / 2, hold = s.hold }]`, list(gateless("25", "1m"))},
		"merged":         {`[for s in provider::bluegreen::linear(50, "1m") : s.percent < 60 ? merge(s, { hold = "1h" }) : s]`, list(gateless("50", "1h"))},
		"of_a_variable":  {`provider::bluegreen::linear(var.percent, var.hold)`, halves},
		"through_try":    {`try(provider::bluegreen::preset("none of them"), provider::bluegreen::linear(50, "1m"))`, halves},
		"first_of_local": {`slice(provider::bluegreen::linear(10, "1m"), 4, 5)`, halves},
	}
}

const stepVariables = `
variable "slow" { default = true }
variable "percent" { default = "50" }
variable "hold" { default = "1m" }
`

// One plan with a switch for every configuration.
func TestFunctions_resultsAreValidSteps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, checks := settings(b, "")+stepVariables, []plancheck.PlanCheck{}
	for name, way := range assigned() {
		h := good()
		h.strategy = "steps = " + way.hcl
		config += h.onListenerOf(name).resource(name)
		checks = append(checks, plancheck.ExpectKnownValue("bluegreen_switch."+name, tfjsonpath.New("strategy").AtSliceIndex(0).AtMapKey("steps"), way.want))
	}
	functionTest(t, resource.TestStep{
		Config: config, PlanOnly: true, ExpectNonEmptyPlan: true,
		ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPreRefresh: checks},
	})
}

// With an unknown argument, steps and schedule are unknown; the apply uses their
// final values.
func TestFunctions_unknownArguments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.release("green")
	h.before = `
resource "terraform_data" "way" {
  input = { percent = 50, hold = "10ms", preset = "AllAtOnce" }
}
`
	h.strategy = `steps = concat(
      provider::bluegreen::canary(5, terraform_data.way.output.hold),
      provider::bluegreen::linear(terraform_data.way.output.percent, "20ms"),
      provider::bluegreen::preset(terraform_data.way.output.preset),
    )`
	functionTest(t,
		resource.TestStep{
			Config: h.in(s.bench),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectUnknownValue(address, tfjsonpath.New("strategy").AtSliceIndex(0).AtMapKey("steps")),
				plancheck.ExpectUnknownValue(address, tfjsonpath.New("schedule")),
			}},
			Check: s.routes("app-blue 0, app-green 100"),
			ConfigStateChecks: []statecheck.StateCheck{
				value("strategy.0.steps", knownvalue.ListExact([]knownvalue.Check{
					step("5", "10ms", map[string]knownvalue.Check{"gates": knownvalue.Null()}),
					step("50", "20ms", map[string]knownvalue.Check{"gates": knownvalue.Null()}),
				})),
			},
		},
		resource.TestStep{Config: h.in(s.bench), ConfigPlanChecks: unchanged},
	)
	if n := len(s.writes()); n != 4 { // attach, two steps, the whole
		t.Errorf("%d writes, want 4", n)
	}
}
