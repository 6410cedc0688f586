package provider_test

import (
	"slices"
	"strings"
	"testing"
)

func badPrometheus() []badInput {
	kind := func(rest string) func(h *hcl) {
		return func(h *hcl) {
			h.gates = gateBlock("rate", block("prometheus", `url = "http://127.0.0.1:9090"`, `query = "up"`, rest))
		}
	}
	whole := func(lines ...string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("rate", block("prometheus", lines...)) }
	}
	return []badInput{
		wrong("prometheus_limitless", kind("")),
		wrong("prometheus_limits_null", kind("min = null\n max = null")),
		wrong("prometheus_limits_crossed", kind("min = 2.5\n max = 1")),
		wrong("prometheus_limit_infinite", kind("max = 1e400")),
		wrong("prometheus_url", whole(`url = "127.0.0.1:9090"`, `query = "up"`, "max = 1")),
		wrong("prometheus_url_scheme", whole(`url = "ftp://h"`, `query = "up"`, "max = 1")),
		wrong("prometheus_query_empty", whole(`url = "http://h"`, `query = " "`, "max = 1")),
		wrong("prometheus_header", kind("max = 1\n headers = { \"X Y\" = \"1\" }")),
		wrong("prometheus_header_null", kind("max = 1\n headers_env = { \"X\" = null }")),
		wrong("prometheus_header_empty", kind("max = 1\n headers_env = { \"X\" = \"\" }")),
		wrong("prometheus_header_twice", kind("max = 1\n headers = { \"X-A\" = \"1\" }\n headers_env = { \"x-a\" = \"B\" }")),
		wrong("prometheus_authorized_twice", kind("max = 1\n headers_env = { \"authorization\" = \"A\" }\n bearer_token_env = \"B\"")),
		wrong("prometheus_token_empty", kind("max = 1\n bearer_token_env = \"\"")),
		wrong("prometheus_token_name", kind("max = 1\n bearer_token_env = \"A=B\"")),
		wrong("prometheus_ca_empty", kind("max = 1\n ca_file = \"\"")),
		wrong("prometheus_ca_missing_key", whole(`url = "https://h"`, `query = "up"`, "max = 1", `client_cert_file = "a.pem"`)),
		wrong("prometheus_basic_auth", kind("max = 1\n basic_auth {\n username = \"a:b\"\n password_env = \"P\"\n }")),
		wrong("prometheus_sigv4", kind("max = 1\n sigv4 {\n region = \"Frankfurt\"\n }")),
		wrong("prometheus_method", kind("max = 1\n method = \"PUT\"")),
		wrong("prometheus_no_data", kind("max = 1\n on_no_data = \"error\"")),
		wrong("prometheus_placeholder", whole(`url = "http://h"`, `query = "up{version=\"{{stable.version}}\"}"`, "max = 1")),
	}
}

func badDatadog() []badInput {
	kind := func(lines ...string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("rate", datadogBlock(lines...)) }
	}
	const query, limit = `query = "avg:latency{*}"`, "max = 1"
	metric := func(name string, more ...string) string {
		return block("metric", append([]string{`name = "` + name + `"`, `query = "sum:a{*}"`}, more...)...)
	}
	return []badInput{
		wrong("datadog_nothing", kind(limit)),
		wrong("datadog_query_empty", kind(`query = " "`, limit)),
		wrong("datadog_limitless", kind(query)),
		wrong("datadog_limits_crossed", kind(query, limit, "min = 2.5")),
		wrong("datadog_site", kind(query, limit, `site = "https://app.datadoghq.eu"`)),
		wrong("datadog_site_app", kind(query, limit, `site = "app.datadoghq.eu"`)),
		wrong("datadog_site_empty", kind(query, limit, `site = ""`)),
		wrong("datadog_site_and_url", kind(query, limit, `site = "datadoghq.eu"`, `url = "https://h"`)),
		wrong("datadog_url", kind(query, limit, `url = "proxy"`)),
		wrong("datadog_url_empty", kind(query, limit, `url = ""`)),
		wrong("datadog_http_ca", kind(query, limit, `url = "http://h"`, `ca_file = "ca.pem"`)),
		wrong("datadog_version", kind(query, limit, `api_version = "2"`)),
		wrong("datadog_aggregator", kind(query, limit, `aggregator = "p99"`)),
		wrong("datadog_aggregator_v1", kind(query, limit, `api_version = "v1"`, `aggregator = "max"`)),
		wrong("datadog_formula_and_query", kind(query, limit, `formula = "a"`, metric("a"))),
		wrong("datadog_formula_without_metric", kind(limit, `formula = "a"`)),
		wrong("datadog_formula_v1", kind(limit, `api_version = "v1"`, `formula = "a"`, metric("a"))),
		wrong("datadog_metric_without_formula", kind(limit, metric("a"))),
		wrong("datadog_metric_name", kind(limit, `formula = "1a"`, metric("1a"))),
		wrong("datadog_metric_twice", kind(limit, `formula = "a"`, metric("a"), metric("a"))),
		wrong("datadog_metric_aggregator", kind(limit, `formula = "a"`, metric("a", `aggregator = "p99"`))),
		wrong("datadog_metric_placeholder", kind(limit, `formula = "a"`, block("metric", `name = "a"`, `query = "sum:a{v:{{version}}}"`))),
		wrong("datadog_lookback", kind(query, limit, `lookback = "5s"`)),
		wrong("datadog_lag", kind(query, limit, `lag = "-1s"`)),
		wrong("datadog_no_data", kind(query, limit, `on_no_data = "error"`)),
		wrong("datadog_header", kind(query, limit, `headers_env = { "dd-api-key" = "A" }`)),
		wrong("datadog_placeholder", kind(`query = "avg:a{version:{{stable.version}}}"`, limit)),
		wrong("datadog_keys", func(h *hcl) {
			h.gates = gateBlock("rate", block("datadog", query, limit, `api_key_env = ""`, `app_key_env = "A=B"`))
		}),
	}
}

// datadogBlock has the arguments that are required.
func datadogBlock(lines ...string) string {
	return block("datadog", append([]string{`api_key_env = "DD_API_KEY"`, `app_key_env = "DD_APP_KEY"`}, lines...)...)
}

func badHTTPAndGRPC() []badInput {
	request := func(lines ...string) func(h *hcl) {
		return func(h *hcl) {
			h.gates = gateBlock("it", block("http", append([]string{`url = "https://h"`}, lines...)...))
		}
	}
	call := func(lines ...string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("it", block("grpc", lines...)) }
	}
	const address = `address = "h:443"`
	return []badInput{
		wrong("http_json_path", request(block("json", `path = "status"`, `equals = "ok"`))),
		wrong("http_json_nothing", request(block("json", `path = "$.status"`))),
		wrong("http_json_both", request(block("json", `path = "$.n"`, "min = 1", `equals = "1"`))),
		wrong("http_json_crossed", request(block("json", `path = "$.n"`, "min = 2", "max = 1"))),
		wrong("http_json_placeholder", request(block("json", `path = "$.v"`, `equals = "{{version}}"`))),
		wrong("http_placeholder", request(`headers = { X = "{{incoming.name}}" }`)),
		wrong("http_server_name", request(`server_name = "h:443"`)),
		wrong("http_key_without_cert", request(`client_key_file = "k.pem"`)),
		wrong("http_ca_and_skip", request(`ca_file = "ca.pem"`, "insecure_skip_verify = true")),
		wrong("http_ca_without_tls", func(h *hcl) { h.gates = gateBlock("it", block("http", `url = "http://h"`, `ca_file = "ca.pem"`)) }),
		wrong("grpc_address", call(`address = "h"`)),
		wrong("grpc_address_url", call(`address = "https://h:443"`)),
		wrong("grpc_port", call(`address = "h:https"`)),
		wrong("grpc_header", call(address, `headers = { "Grpc-Timeout" = "1S" }`)),
		wrong("grpc_plaintext_ca", call(address, "plaintext = true", `ca_file = "ca.pem"`)),
		wrong("grpc_placeholder", call(`address = "{{incoming.host}}:443"`)),
	}
}

func badWebhooks() []badInput {
	kind := func(rest string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("approve", block("webhook", rest)) }
	}
	return []badInput{
		wrong("webhook_url", kind(`url = "hooks.example.com"`)),
		wrong("webhook_url_secret", kind(`url = "https://user:pass word@hooks.example.com"`)),
		wrong("webhook_url_empty", kind(`url = ""`)),
		wrong("webhook_header", kind("url = \"http://h\"\n headers = { \"X\" = \"a\\nb\" }")),
		wrong("webhook_header_own", kind("url = \"http://h\"\n headers_env = { \"x-bluegreen-timestamp\" = \"T\" }")),
		wrong("webhook_content_type", kind("url = \"http://h\"\n headers = { \"Content-Type\" = \"text/plain\" }")),
		wrong("webhook_secret_empty", kind("url = \"http://h\"\n secret_env = \"\"")),
		wrong("webhook_secret_name", kind("url = \"http://h\"\n secret_env = \"A=B\"")),
		wrong("webhook_codes_empty", kind("url = \"http://h\"\n success_codes = []")),
		wrong("webhook_codes_null", kind("url = \"http://h\"\n success_codes = [200, null]")),
		wrong("webhook_codes_range", kind("url = \"http://h\"\n pending_codes = [102]")),
		wrong("webhook_placeholder", kind(`url = "http://h/{{incoming.arn}}"`)),
		wrong("webhook_standard_secret_name", kind("url = \"http://h\"\n standard_webhooks_secret_env = \"A=B\"")),
		wrong("webhook_codes_both", kind("url = \"http://h\"\n success_codes = [200, 202]\n pending_codes = [202]")),
	}
}

func badApprovals() []badInput {
	approve := func(own string, rest ...string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("approve", append([]string{block("approval", own)}, rest...)...) }
	}
	return []badInput{
		wrong("approval_timeout", approve(`timeout = "0s"`)),
		wrong("approval_timeout_number", approve(`timeout = "4"`)),
		wrong("approval_on_timeout", approve(`on_timeout = "fail"`)),
		wrong("approval_inconclusive", approve("", `inconclusive_timeout = "4h"`)),
		wrong("approval_interval", approve("", `interval = "1s"`)),
	}
}

func badCommands() []badInput {
	kind := func(rest string) func(h *hcl) {
		return func(h *hcl) { h.gates = gateBlock("smoke", block("command", rest)) }
	}
	return []badInput{
		wrong("command_argv_empty", kind("argv = []")),
		wrong("command_program_empty", kind(`argv = ["", "x"]`)),
		wrong("command_argv_null", kind(`argv = ["./smoke.sh", null]`)),
		wrong("command_program_null", kind(`argv = [null]`)),
		wrong("command_working_dir", kind("argv = [\"./smoke.sh\"]\n working_dir = \"\"")),
		wrong("command_env_null", kind("argv = [\"./smoke.sh\"]\n env = { A = null }")),
		wrong("command_env_name", kind("argv = [\"./smoke.sh\"]\n env = { \"A=B\" = \"1\" }")),
		wrong("command_env_own", kind("argv = [\"./smoke.sh\"]\n env = { BLUEGREEN_STEP = \"1\" }")),
	}
}

// One plan reports every bad input, without a call.
func TestGates_planRefusesBadProgramInput(t *testing.T) {
	t.Parallel()
	wantErrors(t, slices.Concat(badPrometheus(), badDatadog(), badHTTPAndGRPC(), badWebhooks(), badApprovals(), badCommands()))
}

// Unknown values are accepted; known ones are still checked.
func TestGates_unknownProgramInputIsAccepted(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	text := settings(b, "") + "\nresource \"terraform_data\" \"later\" { input = \"1\" }\n"
	query := func(lines ...string) string {
		return block("prometheus", append([]string{`url = "http://h"`, `query = "up"`}, lines...)...)
	}
	for name, gate := range map[string]string{
		"limit":        query("min = tonumber(terraform_data.later.output)"),
		"other_limit":  query("min = 2", "max = tonumber(terraform_data.later.output)"),
		"query":        block("prometheus", `url = "http://h"`, "query = terraform_data.later.output", "max = 1"),
		"token":        query("max = 1", "bearer_token_env = terraform_data.later.output"),
		"no_data":      query("max = 1", "on_no_data = terraform_data.later.output", "method = terraform_data.later.output"),
		"hook_codes":   block("webhook", `url = "http://h"`, "success_codes = [tonumber(terraform_data.later.output)]"),
		"json":         block("http", `url = "http://h"`, block("json", `path = "$.v"`, "equals = terraform_data.later.output")),
		"json_limit":   block("http", `url = "http://h"`, block("json", "path = terraform_data.later.output", "min = tonumber(terraform_data.later.output)")),
		"certificate":  block("http", `url = "https://h"`, "ca_file = terraform_data.later.output"),
		"grpc":         block("grpc", "address = terraform_data.later.output", "service = terraform_data.later.output"),
		"password":     query("max = 1", block("basic_auth", "username = terraform_data.later.output", "password_env = terraform_data.later.output")),
		"region":       query("max = 1", block("sigv4", "region = terraform_data.later.output")),
		"datadog":      datadogBlock("query = terraform_data.later.output", "max = 1", "site = terraform_data.later.output", "lookback = terraform_data.later.output", "lag = terraform_data.later.output"),
		"datadog_or":   datadogBlock("query = terraform_data.later.output", "formula = terraform_data.later.output", "max = 1", "api_version = terraform_data.later.output", "aggregator = terraform_data.later.output"),
		"formula":      datadogBlock(`formula = "a"`, "min = tonumber(terraform_data.later.output)", block("metric", `name = "a"`, "query = terraform_data.later.output", "aggregator = terraform_data.later.output")),
		"keys":         block("datadog", `query = "avg:a{*}"`, "max = 1", "url = terraform_data.later.output", "api_key_env = terraform_data.later.output", "app_key_env = terraform_data.later.output"),
		"approval":     block("approval", "timeout = terraform_data.later.output", "on_timeout = terraform_data.later.output", "message = terraform_data.later.output"),
		"webhook_url":  block("webhook", "url = terraform_data.later.output"),
		"hook_headers": block("webhook", `url = "http://h"`, "headers = { X = terraform_data.later.output }"),
		"program":      block("command", "argv = [terraform_data.later.output]"),
		"argument":     block("command", `argv = ["./no-such-program", terraform_data.later.output]`, `working_dir = "/no/such/folder"`),
		"folder":       block("command", `argv = ["./no-such-program"]`, "working_dir = terraform_data.later.output"),
		"variable":     block("command", `argv = ["./no-such-program"]`, `env = { A = terraform_data.later.output, EMPTY = "" }`),
	} {
		h := good()
		h.gates = gateBlock("it", gate)
		text += h.onListenerOf(name).resource(name)
	}
	w.write(text)
	plan := w.terraform("plan", "-json", "-input=false")
	plan.ok()
	if strings.Contains(plan.out, "could not do its work here") {
		t.Errorf("a command with unknown parts was searched:\n%s", plan.out)
	}
}
