package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gateOf makes the one gate m of a configuration.
func gateOf(kind, arguments string) func(h *hcl) {
	return func(h *hcl) { h.gates = fmt.Sprintf("gates = {\n m = { %s = {\n %s\n } }\n }", kind, arguments) }
}

// in puts the gate's name before what is said of its attributes.
func ofGate(kind string, row badInput) badInput {
	for i, text := range row.want {
		row.want[i] = `gates["m"].` + kind + text
	}
	row.name = kind + "_" + row.name
	return row
}

func badAlarms() []badInput {
	alarms := func(name, arguments string, want ...string) badInput {
		return ofGate("cloudwatch_alarm", wrong(name, gateOf("cloudwatch_alarm", arguments), want...))
	}
	many := strings.TrimSuffix(strings.Repeat(`"a%d", `, 101), ", ")
	var numbers []any
	for i := range 101 {
		numbers = append(numbers, i)
	}
	return []badInput{
		alarms("none", "names = []", ".names: It is required. Correct it."),
		alarms("many", "names = ["+fmt.Sprintf(many, numbers...)+"]",
			".names: It is not valid: there are 101, and CloudWatch tells of 100 alarms at a time. Correct it."),
		alarms("twice", `names = ["a", "b", "a"]`, `.names: It is not valid: "a" is there twice. Correct it.`),
		alarms("null", `names = ["a", null]`, ".names[1]: It is null. Give it a value, or leave it out."),
		alarms("empty", `names = ["a", ""]`, ".names[1]: It is empty. Give it a value, or leave it out."),
		alarms("topic", `names = ["arn:aws:sns:eu-west-1:123456789012:topic"]`,
			`.names: It is not valid: "arn:aws:sns:eu-west-1:123456789012:topic" is not the ARN of an alarm. Correct it.`),
		alarms("region", "names = [\"a\"]\n region = \"Ireland\"", `.region: It is not valid: "Ireland" is no region of AWS, such as eu-west-1. Correct it.`),
	}
}

func badMetrics() []badInput {
	metrics := func(name, arguments string, want ...string) badInput {
		return ofGate("cloudwatch_metric", wrong(name, gateOf("cloudwatch_metric", arguments), want...))
	}
	const metric = "namespace = \"AWS/SQS\"\n metric = \"Age\"\n stat = \"Maximum\"\n"
	query := func(arguments string) string {
		return "expression = \"e\"\n max = 1\n queries = [{ id = \"e\", namespace = \"N\", metric = \"M\", stat = \"Sum\" }, {" + arguments + "}]"
	}
	return []badInput{
		metrics("neither", "max = 1", ".metric: It is required where there is no expression. Correct it."),
		metrics("both", metric+"max = 1\n expression = \"SELECT 1\"",
			".expression: It is not valid: there is a metric too: keep one of the two, and put what an expression uses into queries. Correct it."),
		metrics("queries_alone", `max = 1
			queries = [{ id = "e", namespace = "N", metric = "M", stat = "Sum" }]`, ".expression: It is required where there are queries. Correct it."),
		metrics("half", "metric = \"Age\"\n max = 1", ".namespace: It is required with a metric. Correct it.", ".stat: It is required with a metric. Correct it."),
		metrics("limits_missing", metric, ".max: It is required: give min, max or both. Correct it."),
		metrics("limits_crossed", metric+"min = 30.5\n max = 30", ".min: It is not valid: 30.5 is above max, 30. Correct it."),
		metrics("stat", strings.Replace(metric, "Maximum", "max", 1)+"max = 1",
			`.stat: It is not valid: "max" is no statistic of CloudWatch, which are SampleCount, Average, Sum, Minimum, Maximum, IQM, p99 and the like (p, tm, tc, ts, wm), `+
				"and TM(10%:90%) and the like (PR, TM, TC, TS, WM). Correct it."),
		metrics("period", metric+"max = 1\n period = \"45s\"", ".period: It is not valid: 45s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s. Correct it."),
		metrics("period_zero", metric+"max = 1\n period = \"0s\"", `.period: It is zero. Write a duration above zero, such as "10s".`),
		metrics("period_unreadable", metric+"max = 1\n period = \"60\"",
			".period: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"60\""),
		metrics("lookback", metric+"max = 1\n lookback = \"30s\"", ".lookback: It is not valid: 30s is shorter than the period of 1m. Correct it."),
		metrics("lag", metric+"max = 1\n lag = \"-1s\"", ".lag: It is negative. Write a duration of \"0s\" or more.\n\nValue: \"-1s\""),
		metrics("region", metric+"max = 1\n region = \"here\"", `.region: It is not valid: "here" is no region of AWS, such as eu-west-1. Correct it.`),
		metrics("dimension_null", metric+"max = 1\n dimensions = { QueueName = null }", `.dimensions["QueueName"]: It is null. Give it a value, or leave it out.`),
		metrics("query_without_id", query(`namespace = "N", metric = "M", stat = "Sum"`), ".queries: It is not valid: query 2 has no id. Correct it."),
		metrics("query_twice", query(`id = "e", namespace = "N", metric = "M", stat = "Sum"`), `.queries: It is not valid: the id "e" is there twice. Correct it.`),
		metrics("query_id", query(`id = "R2-D2", namespace = "N", metric = "M", stat = "Sum"`),
			`.queries: It is not valid: query "R2-D2": its id does not begin with a small letter and go on with letters, digits and underscores. Correct it.`),
		metrics("query_metric", query(`id = "r", namespace = "N", stat = "Sum"`), `.queries: It is not valid: query "r": it has no metric. Correct it.`),
		metrics("query_stat", query(`id = "r", namespace = "N", metric = "M", stat = "p101"`), `.queries: It is not valid: query "r": its stat "p101" is above 100 percent. Correct it.`),
		metrics("query_period", query(`id = "r", namespace = "N", metric = "M", stat = "Sum", period = "15s"`),
			`.queries: It is not valid: query "r": its period of 15s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s. Correct it.`),
		metrics("query_null", "expression = \"e\"\n max = 1\n queries = [null]", ".queries[0]: It is null. Give it a value, or leave it out."),
	}
}

func badTargetMetrics() []badInput {
	figures := func(name, arguments string, want ...string) badInput {
		return ofGate("target_metrics", wrong(name, gateOf("target_metrics", arguments), want...))
	}
	return []badInput{
		figures("no_limit", "", ".max_error_rate: It is required where there is no max_latency, worse_than_live_by or latency_ratio. Correct it."),
		figures("rate", "max_error_rate = 100", ".max_error_rate: It is not valid: 100 is not from 0 to below 100. Correct it."),
		figures("margin", "worse_than_live_by = -0.5", ".worse_than_live_by: It is not valid: -0.5 is not from 0 to below 100. Correct it."),
		figures("latency", `max_latency = "0s"`, `.max_latency: It is zero. Write a duration above zero, such as "10s".`),
		figures("latency_unreadable", "max_latency = 500",
			".max_latency: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"500\""),
		figures("ratio", "latency_ratio = 0", ".latency_ratio: It is not valid: 0 is not above 0. Correct it."),
		figures("stat", "latency_ratio = 2\n stat = \"Maximum\"", `.stat: It is not valid: "Maximum" is neither Average nor a percentile such as p99 or p99.9. Correct it.`),
		figures("requests", "max_error_rate = 1\n min_requests = 0", ".min_requests: It is out of range. Write a whole number from 1 to 1000000.\n\nValue: 0"),
		figures("confidence", "max_error_rate = 1\n confidence = 95", ".confidence: It is not valid: 95 is not between 0.5 and 1, such as 0.95. Correct it."),
		figures("confidence_zero", "max_error_rate = 1\n confidence = 0", ".confidence: It is not valid: 0 is not between 0.5 and 1, such as 0.95. Correct it."),
		figures("period", "max_error_rate = 1\n period = \"15s\"", ".period: It is not valid: 15s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s. Correct it."),
		figures("lookback", "max_error_rate = 1\n lookback = \"59s\"", ".lookback: It is not valid: 59s is shorter than the period of 1m. Correct it."),
		figures("lag", "max_error_rate = 1\n lag = \"soon\"",
			".lag: It is not a duration. Write a number with a unit, such as \"30s\", \"10m\" or \"1h30m\".\n\nValue: \"soon\""),
	}
}

// Every bad input of the gates that ask CloudWatch is told by one plan, which
// calls nothing.
func TestGates_badInputForCloudWatchIsToldByThePlan(t *testing.T) {
	t.Parallel()
	wantTold(t, slices.Concat(badAlarms(), badMetrics(), badTargetMetrics()))
}

// What is not known before the apply is no fault, whatever stands in its place
// until then, and neither is anything in a good configuration.
func TestGates_unknownInputForCloudWatchIsNoFault(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	h := good()
	h.before = `
resource "terraform_data" "later" { input = "later" }
locals {
  text   = terraform_data.later.output
  number = length(terraform_data.later.output)
}
`
	h.gates = `gates = {
    alarm         = { cloudwatch_alarm = { names = ["a", local.text], region = local.text } }
    alarms        = { cloudwatch_alarm = { names = toset([local.text]) == null ? [] : split(",", local.text) } }
    metric        = { cloudwatch_metric = { namespace = local.text, metric = local.text, stat = local.text, dimensions = { D = local.text }, max = local.number } }
    crossed       = { cloudwatch_metric = { namespace = "N", metric = "M", stat = "Sum", min = 1, max = local.number, lookback = "1s", period = local.text } }
    either        = { cloudwatch_metric = { expression = local.text, min = local.number } }
    queries       = { cloudwatch_metric = { expression = "a + b", max = 1, lookback = local.text, lag = local.text, queries = [
      { id = local.text, namespace = "N", metric = "M", stat = "Sum", period = "1h" },
      { id = "b", namespace = local.text, metric = local.text, stat = local.text, period = local.text, dimensions = { D = local.text } },
    ] } }
    figures       = { target_metrics = { max_error_rate = local.number } }
    all_figures   = { target_metrics = { max_latency = local.text, worse_than_live_by = local.number, latency_ratio = local.number, confidence = local.number,
                      stat = local.text, min_requests = local.number, lookback = "1s", period = local.text, lag = local.text }, when = "before" }
    known_figures = { target_metrics = { max_error_rate = 0.5, max_latency = "500ms", stat = "p99.9", min_requests = 100, worse_than_live_by = 0, confidence = 0.99,
                      latency_ratio = 1.5, lookback = "10m", period = "120s", lag = "90s" } }
    known_metric  = { cloudwatch_metric = { expression = "SELECT MAX(Age) FROM Jobs", min = -1.5, max = 1e3, lookback = "1h", region = "eu-central-1" } }
    known_alarm   = { cloudwatch_alarm = { names = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:far: one", "near"], region = "eu-west-2" } }
  }`
	w.write(h.in(b))
	w.plan().ok()
}

// Before any traffic the balancer has counted test requests alone.
func TestGates_figuresBeforeAnyTrafficAreNoted(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	release := s.release("blue")
	release.gates = `gates = { figures = { target_metrics = { max_error_rate = 1 }, when = "before" } }`
	w.write(release.in(s.bench))
	w.apply().ok()
	release.traffic = `active = "green"`
	w.write(release.in(s.bench))
	w.plan().ok()
	planned, _ := w.planned()
	wantNotes(t, planned["schedule"],
		"gate figures sees no user's request before any traffic, only test requests that go through the balancer to green, of which it needs at least 50.")
}
