package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gateOf sets the only gate of a configuration, "m".
func gateOf(kind, arguments string) func(h *hcl) {
	return func(h *hcl) { h.gates = gateBlock("m", block(kind, arguments)) }
}

// ofGate applies a row to a gate.
func ofGate(kind string, row badInput) badInput {
	row.name = kind + "_" + row.name
	return row
}

func badAlarms() []badInput {
	alarms := func(name, arguments string) badInput {
		return ofGate("cloudwatch_alarm", wrong(name, gateOf("cloudwatch_alarm", arguments)))
	}
	many := strings.TrimSuffix(strings.Repeat(`"a%d", `, 101), ", ")
	var numbers []any
	for i := range 101 {
		numbers = append(numbers, i)
	}
	return []badInput{
		alarms("none", "names = []"),
		alarms("many", "names = ["+fmt.Sprintf(many, numbers...)+"]"),
		alarms("twice", `names = ["a", "b", "a"]`),
		alarms("null", `names = ["a", null]`),
		alarms("empty", `names = ["a", ""]`),
		alarms("topic", `names = ["arn:aws:sns:eu-west-1:123456789012:topic"]`),
		alarms("region", "names = [\"a\"]\n region = \"Ireland\""),
		alarms("no_data", "names = [\"a\"]\n on_insufficient_data = \"OK\""),
	}
}

func badMetrics() []badInput {
	metrics := func(name, arguments string) badInput {
		return ofGate("cloudwatch_metric", wrong(name, gateOf("cloudwatch_metric", arguments)))
	}
	const metric = "namespace = \"AWS/SQS\"\n metric = \"Age\"\n stat = \"Maximum\"\n"
	query := func(lines ...string) string {
		return "expression = \"e\"\n max = 1\n" + block("query", `id = "e"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`) + "\n" + block("query", lines...)
	}
	return []badInput{
		metrics("neither", "max = 1"),
		metrics("both", metric+"max = 1\n expression = \"SELECT 1\""),
		metrics("queries_alone", strings.TrimPrefix(query(`id = "r"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`), "expression = \"e\"\n")),
		metrics("half", "metric = \"Age\"\n max = 1"),
		metrics("limits_missing", metric),
		metrics("limits_crossed", metric+"min = 30.5\n max = 30"),
		metrics("stat", strings.Replace(metric, "Maximum", "max", 1)+"max = 1"),
		metrics("period", metric+"max = 1\n period = \"45s\""),
		metrics("period_zero", metric+"max = 1\n period = \"0s\""),
		metrics("period_unreadable", metric+"max = 1\n period = \"60\""),
		metrics("lookback", metric+"max = 1\n lookback = \"30s\""),
		metrics("lag", metric+"max = 1\n lag = \"-1s\""),
		metrics("no_data", metric+"max = 1\n on_no_data = \"\""),
		metrics("region", metric+"max = 1\n region = \"here\""),
		metrics("dimension_null", metric+"max = 1\n dimensions = { QueueName = null }"),
		metrics("query_without_id", query(`id = ""`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`)),
		metrics("query_twice", query(`id = "e"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`)),
		metrics("query_id", query(`id = "R2-D2"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`)),
		metrics("query_account", query(`id = "r"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`, `account_id = "monitoring"`)),
		metrics("query_placeholder", query(`id = "r"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`, `dimensions = { TargetGroup = "{{incoming.group}}" }`)),
		metrics("account", metric+"max = 1\n account_id = \"12345\""),
		metrics("account_without_query", "expression = \"e\"\n max = 1\n account_id = \"123456789012\""),
		metrics("query_metric", query(`id = "r"`, `namespace = "N"`, `metric = ""`, `stat = "Sum"`)),
		metrics("query_stat", query(`id = "r"`, `namespace = "N"`, `metric = "M"`, `stat = "p101"`)),
		metrics("query_period", query(`id = "r"`, `namespace = "N"`, `metric = "M"`, `stat = "Sum"`, `period = "15s"`)),
	}
}

func badTargetMetrics() []badInput {
	figures := func(name, arguments string) badInput {
		return ofGate("target_metrics", wrong(name, gateOf("target_metrics", arguments)))
	}
	return []badInput{
		figures("no_limit", ""),
		figures("rate", "max_error_rate = 100"),
		figures("margin", "worse_than_live_by = -0.5"),
		figures("threshold_zero", `max_slow_rate = 1
			slow_threshold = "0s"`),
		figures("threshold_unreadable", "max_slow_rate = 1\n slow_threshold = 500"),
		figures("threshold_missing", "slower_than_live_by = 1"),
		figures("threshold_alone", "max_error_rate = 1\n slow_threshold = \"1s\""),
		figures("slow_rate", "max_slow_rate = 100\n slow_threshold = \"1s\""),
		figures("ratio", "error_ratio = 1"),
		figures("slow_ratio", "slow_ratio = 0\n slow_threshold = \"1s\""),
		figures("requests", "max_error_rate = 1\n min_requests = 0"),
		figures("confidence", "max_error_rate = 1\n confidence = 95"),
		figures("confidence_zero", "max_error_rate = 1\n confidence = 0"),
		figures("period", "max_error_rate = 1\n period = \"15s\""),
		figures("lookback", "max_error_rate = 1\n lookback = \"59s\""),
		figures("lag", "max_error_rate = 1\n lag = \"soon\""),
	}
}

// One plan reports every bad input of the CloudWatch gates, without a call.
func TestGates_planRefusesBadCloudWatchInput(t *testing.T) {
	t.Parallel()
	wantErrors(t, slices.Concat(badAlarms(), badMetrics(), badTargetMetrics()))
}

// cloudwatchGates are gates with unknown values, and good ones.
const cloudwatchGates = `
gate {
  name = "alarm"
  cloudwatch_alarm {
    names  = ["a", local.text]
    region = local.text
  }
}
gate {
  name = "alarms"
  cloudwatch_alarm {
    names = toset([local.text]) == null ? [] : split(",", local.text)
  }
}
gate {
  name = "metric"
  cloudwatch_metric {
    namespace  = local.text
    metric     = local.text
    stat       = local.text
    dimensions = { D = local.text }
    max        = local.number
  }
}
gate {
  name = "crossed"
  cloudwatch_metric {
    namespace = "N"
    metric    = "M"
    stat      = "Sum"
    min       = 1
    max       = local.number
    lookback  = "1s"
    period    = local.text
  }
}
gate {
  name = "either"
  cloudwatch_metric {
    expression = local.text
    min        = local.number
  }
}
gate {
  name = "queries"
  cloudwatch_metric {
    expression = "a + b"
    max        = 1
    lookback   = local.text
    lag        = local.text
    query {
      id        = local.text
      namespace = "N"
      metric    = "M"
      stat      = "Sum"
      period    = "1h"
    }
    query {
      id         = "b"
      namespace  = local.text
      metric     = local.text
      stat       = local.text
      period     = local.text
      dimensions = { D = local.text }
    }
  }
}
gate {
  name = "figures"
  target_metrics {
    max_error_rate = local.number
  }
}
gate {
  name = "all_figures"
  when = "before"
  target_metrics {
    worse_than_live_by  = local.number
    error_ratio         = local.number
    confidence          = local.number
    slow_threshold      = local.text
    max_slow_rate       = local.number
    slower_than_live_by = local.number
    slow_ratio          = local.number
    min_requests        = local.number
    lookback            = "1s"
    period              = local.text
    lag                 = local.text
  }
}
gate {
  name = "known_figures"
  target_metrics {
    max_error_rate      = 0.5
    worse_than_live_by  = 0
    error_ratio         = 1.5
    slow_threshold      = "500ms"
    max_slow_rate       = 1
    slower_than_live_by = 0.5
    slow_ratio          = 3
    min_requests        = 100
    confidence          = 0.99
    lookback            = "10m"
    period              = "120s"
    lag                 = "90s"
  }
}
gate {
  name = "known_metric"
  cloudwatch_metric {
    expression = "SELECT MAX(Age) FROM Jobs"
    min        = -1.5
    max        = 1e3
    lookback   = "1h"
    region     = "eu-central-1"
  }
}
gate {
  name = "known_alarm"
  cloudwatch_alarm {
    names  = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:far: one", "near"]
    region = "eu-west-2"
  }
}
`

// Unknown values are accepted, and so is a good configuration.
func TestGates_unknownCloudWatchInputIsAccepted(t *testing.T) {
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
	h.gates = cloudwatchGates
	w.write(h.in(b))
	w.plan().ok()
}

// Before any traffic the load balancer has counted only test requests.
func TestGates_warnsOfMetricsBeforeTraffic(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	release := s.release("blue")
	release.gates = gateBlock("figures", block("target_metrics", "max_error_rate = 1"), `when = "before"`)
	w.write(release.in(s.bench))
	w.apply().ok()
	release.traffic = `active = "green"`
	w.write(release.in(s.bench))
	w.plan().ok()
	w.scheduleIs("figures_before_traffic")
}
