package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// withDatadog fills in the arguments that are required.
func withDatadog(c gate.Datadog, url string) gate.Datadog {
	c.URL, c.APIKeyEnv, c.AppKeyEnv = url, "DD_API_KEY", "DD_APP_KEY"
	if c.Query == "" && c.Formula == "" {
		c.Query = "avg:latency{*}"
	}
	if c.Min == nil && c.Max == nil {
		c.Max = new(5.0)
	}
	if c.Lookback == 0 {
		c.Lookback = 30 * time.Second // canaryInput changed the weights 35 seconds ago
	}
	return c
}

func evaluateDatadog(ctx context.Context, t *testing.T, c gate.Datadog, url string) rollout.Verdict {
	t.Helper()
	return mustBuild(t)(gate.NewDatadog(withDatadog(c, url), datadogDeps())).Evaluate(ctx, canaryInput())
}

// wantDatadog compares the status of a verdict and records its detail without times.
func wantDatadog(t *testing.T, got rollout.Verdict, server string, status rollout.Status) {
	t.Helper()
	if got.Status != status || (got.Err != nil) != (status == rollout.Errored) {
		t.Errorf("got %s: %s (%v), want %s", got.Status, got.Detail, got.Err, status)
	}
	golden.Record(t, string(got.Status)+": "+got.Detail, golden.Replace(strings.TrimPrefix(server, "http://"), "<host>"),
		golden.ReplacePattern(`\d\d:\d\d:\d\dZ`, "<time>"), took)
}

// scalarResponse returns a response of version 2 with a value per host, in JSON.
func scalarResponse(values ...string) string {
	hosts := make([]string, len(values))
	for i := range values {
		hosts[i] = fmt.Sprintf(`["web-%d"]`, i)
	}
	return fmt.Sprintf(`{"data":{"type":"scalar_response","attributes":{"columns":[{"name":"host","type":"group","values":[%s]},{"name":"query","values":[%s],"type":"number","meta":{"unit":null}}]}}}`,
		strings.Join(hosts, ","), strings.Join(values, ","))
}

func TestDatadog_scalarVerdicts(t *testing.T) {
	t.Parallel()
	const oneValue = `{"data":{"type":"scalar_response","attributes":{"columns":[{"name":"query","values":[%s],"type":"number"}]}}}`
	atMost, between := gate.Datadog{}, gate.Datadog{Min: new(-1.0), Max: new(5.0)}
	for _, tt := range []struct {
		name, response string
		c              gate.Datadog
		want           rollout.Status
	}{
		{"within", fmt.Sprintf(oneValue, "4.5"), atMost, rollout.Pass},
		{"at the limit", fmt.Sprintf(oneValue, "5"), atMost, rollout.Pass},
		{"just above", fmt.Sprintf(oneValue, "5.0000000001"), atMost, rollout.Fail},
		{"below", fmt.Sprintf(oneValue, "0.99"), gate.Datadog{Min: new(1.0)}, rollout.Fail},
		{"infinite", fmt.Sprintf(oneValue, "1e999"), atMost, rollout.Fail},
		{"infinite within the limit", fmt.Sprintf(oneValue, `"-Infinity"`), atMost, rollout.Pass},
		{"NaN", fmt.Sprintf(oneValue, `"NaN"`), atMost, rollout.Inconclusive},
		{"groups within", scalarResponse("1", "4", "-3"), atMost, rollout.Pass},
		{"the nearer limit", scalarResponse("1", "4", "-0.5"), between, rollout.Pass},
		{"groups outside", scalarResponse("6", "1", "-4", "5"), between, rollout.Fail},
		{"no group", scalarResponse(), atMost, rollout.Inconclusive},
		{"no column", `{"data":{"type":"scalar_response","attributes":{"columns":[]}},"errors":null}`, atMost, rollout.Inconclusive},
		{"null", fmt.Sprintf(oneValue, "null"), atMost, rollout.Inconclusive},
		{"null, which passes", fmt.Sprintf(oneValue, "null"), gate.Datadog{OnNoData: "pass"}, rollout.Pass},
		{"null, which fails", fmt.Sprintf(oneValue, "null"), gate.Datadog{OnNoData: "fail"}, rollout.Fail},
		{"one group is null", scalarResponse("1", "null"), atMost, rollout.Inconclusive},
		{"one group is null, which passes", scalarResponse("1", "null"), gate.Datadog{OnNoData: "pass"}, rollout.Pass},
		{"one group is null, which fails", scalarResponse("1", "null"), gate.Datadog{OnNoData: "fail"}, rollout.Fail},
		{"one group is null, one outside", scalarResponse("7", "null"), gate.Datadog{OnNoData: "pass"}, rollout.Fail},
		{"many groups are null", scalarResponse("null", "null", "1", "null", "null"), atMost, rollout.Inconclusive},
		{"an error", `{"data":null,"errors":"query timed out"}`, atMost, rollout.Errored},
		{"errors", `{"errors":["a","b"]}`, atMost, rollout.Errored},
		{"nothing", `{}`, atMost, rollout.Errored},
		{"a text", scalarResponse(`"x"`), atMost, rollout.Errored},
		{"not JSON", "<html>login</html>", atMost, rollout.Errored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, respond(200, tt.response))
			wantDatadog(t, evaluateDatadog(t.Context(), t, tt.c, url), url, tt.want)
		})
	}
}

// pointsUntil answers with series whose points have an interval and end with the window. A value
// is JSON; a series is its values, separated by spaces.
func pointsUntil(interval int64, series ...string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		var to int64
		_, _ = fmt.Sscan(r.URL.Query().Get("to"), &to)
		var all []string
		for i, values := range series {
			fields := strings.Fields(values)
			for j, v := range fields {
				fields[j] = fmt.Sprintf("[%d000.0,%s]", to-int64(len(fields)-j)*interval, v)
			}
			all = append(all, fmt.Sprintf(`{"metric":"latency","scope":"host:web-%d","interval":%d,"pointlist":[%s]}`, i, interval, strings.Join(fields, ",")))
		}
		_, _ = fmt.Fprintf(w, `{"status":"ok","res_type":"time_series","series":[%s],"error":null}`, strings.Join(all, ","))
	}
}

func TestDatadog_timeseriesVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(int, http.ResponseWriter, *http.Request)
		c      gate.Datadog
		want   rollout.Status
	}{
		{"within", pointsUntil(10, "1 2 3"), gate.Datadog{}, rollout.Pass},
		{"an earlier point outside", pointsUntil(10, "1 9 3"), gate.Datadog{}, rollout.Fail},
		{"one series outside", pointsUntil(10, "1 2 3", "1 6 7"), gate.Datadog{}, rollout.Fail},
		{"before the window", pointsUntil(10, "9 9 1 2 3"), gate.Datadog{}, rollout.Pass},
		{"infinite", pointsUntil(10, "1 1e999 3"), gate.Datadog{}, rollout.Fail},
		{"the newest have no value yet", pointsUntil(10, "1 null null"), gate.Datadog{OnNoData: "fail"}, rollout.Pass},
		{"no value", pointsUntil(10, "null null null"), gate.Datadog{}, rollout.Inconclusive},
		{"no value, which passes", pointsUntil(10, "null null null"), gate.Datadog{OnNoData: "pass"}, rollout.Pass},
		{"no value in one series", pointsUntil(10, "1 2 3", "null null null"), gate.Datadog{}, rollout.Inconclusive},
		{"no value in one series, which passes", pointsUntil(10, "1 2 3", "null null null"), gate.Datadog{OnNoData: "pass"}, rollout.Pass},
		{"no point", pointsUntil(10, ""), gate.Datadog{}, rollout.Inconclusive},
		{"no series", pointsUntil(10), gate.Datadog{}, rollout.Inconclusive},
		{"no series, which fails", pointsUntil(10), gate.Datadog{OnNoData: "fail"}, rollout.Fail},
		{"an interval that is too long", pointsUntil(60, "9"), gate.Datadog{OnNoData: "pass"}, rollout.Inconclusive},
		{"status error", respond(200, `{"status":"error","error":"Rule 'scope_expr' did not match"}`), gate.Datadog{}, rollout.Errored},
		{"no status", respond(200, `{}`), gate.Datadog{}, rollout.Errored},
		{"a point without a time", respond(200, `{"status":"ok","series":[{"pointlist":[[null,1]]}]}`), gate.Datadog{}, rollout.Errored},
		{"not JSON", respond(200, "<html>login</html>"), gate.Datadog{}, rollout.Errored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, tt.answer)
			tt.c.APIVersion = datadog.V1
			wantDatadog(t, evaluateDatadog(t.Context(), t, tt.c, url), url, tt.want)
		})
	}
}

// A point whose interval is not over may still change, also where the server understates it, as it
// does for a query that combines metrics of several intervals.
func TestDatadog_incompletePoint(t *testing.T) {
	t.Parallel()
	for _, interval := range []int{10, 1} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			var to int64
			_, _ = fmt.Sscan(r.URL.Query().Get("to"), &to)
			_, _ = fmt.Fprintf(w, `{"status":"ok","series":[{"scope":"*","interval":%d,"pointlist":[[%d000,1],[%d000,2],[%d000,99]]}]}`, interval, to-25, to-15, to-5)
		})
		if v := evaluateDatadog(t.Context(), t, gate.Datadog{APIVersion: datadog.V1}, url); v.Status != rollout.Pass || !strings.Contains(v.Detail, "worst of 2 values") {
			t.Errorf("%d: got %+v", interval, v)
		}
	}
}

// What cannot succeed later blocks the shift from starting, and what may does not.
func TestDatadog_errorsWithoutAResult(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status       int
		header, body string
		after        time.Duration
		preflight    rollout.Status
	}{
		{400, "", `{"errors":["Error parsing query: unable to parse sum:: Rule 'metric' did not match"]}`, 0, rollout.Errored},
		{401, "", `{"errors":["Unauthorized"]}`, 0, rollout.Errored},
		{403, "", `{"status":"error","code":403,"errors":["Forbidden"],"statuspage":"http://status.datadoghq.com"}`, 0, rollout.Errored},
		{404, "", "not\nfound", 0, rollout.Errored},
		{429, "X-RateLimit-Reset: 42", `{"errors":["Rate limit of 300 requests in 3600 seconds reached."]}`, 42 * time.Second, rollout.Inconclusive},
		{429, "Retry-After: 7", "", 7 * time.Second, rollout.Inconclusive},
		{429, "X-RateLimit-Reset: soon", "", 0, rollout.Inconclusive},
		{500, "X-RateLimit-Reset: 42", "", 0, rollout.Inconclusive},
		{503, "Retry-After: 9", "Service\nUnavailable", 9 * time.Second, rollout.Inconclusive},
		{204, "", "", 0, rollout.Errored},
		{304, "", "", 0, rollout.Errored},
	} {
		url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			if name, value, found := strings.Cut(tt.header, ": "); found {
				w.Header().Set(name, value)
			}
			w.WriteHeader(tt.status)
			if tt.status != 204 && tt.status != 304 {
				_, _ = io.WriteString(w, tt.body)
			}
		})
		v := evaluateDatadog(t.Context(), t, gate.Datadog{}, url)
		wantDatadog(t, v, url, rollout.Errored)
		if v.RetryAfter != tt.after || v.Final != (tt.status == 304) {
			t.Errorf("%d: got %+v", tt.status, v)
		}
		g := mustBuild(t)(gate.NewDatadog(withDatadog(gate.Datadog{}, url), datadogDeps()))
		if v := preflight(t, g, canaryInput()); v.Status != tt.preflight {
			t.Errorf("preflight with %d: got %+v", tt.status, v)
		}
	}
}

func TestDatadog_noUsableResponse(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	broken := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	long := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 11 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1<<20))
		}
	})
	for _, url := range []string{closed.URL, broken, long} {
		wantDatadog(t, evaluateDatadog(t.Context(), t, gate.Datadog{}, url), url, rollout.Errored)
		if v := preflight(t, mustBuild(t)(gate.NewDatadog(withDatadog(gate.Datadog{}, url), datadogDeps())), canaryInput()); v.Status != rollout.Errored {
			t.Errorf("preflight at %s: got %+v", url, v)
		}
	}
}

func TestDatadog_timeouts(t *testing.T) {
	t.Parallel()
	url := serve(t, readAndHang)
	got := evaluateDatadog(deadlineContext{cancelAfterSend(t, 1)}, t, gate.Datadog{}, url)
	wantDatadog(t, got, url, rollout.Errored)
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("got cause %v", got.Err)
	}
	wantDatadog(t, evaluateDatadog(cancelAfterSend(t, 1), t, gate.Datadog{APIVersion: datadog.V1}, url), url, rollout.Errored)
}

func TestDatadog_sendsTheConfiguredRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	})
	c := gate.Datadog{Aggregator: "sum", OnNoData: "pass", Formula: "100 * errors / hits", Metrics: []datadog.Metric{{Name: "errors", Query: "sum:errors{*}"}, {Name: "hits", Query: "sum:hits{*}", Aggregator: "max"}}}
	c.Headers, c.HeadersEnv = map[string]string{"Host": "api.example.com"}, map[string]string{"X-Tenant": "TENANT"}
	evaluateDatadog(t.Context(), t, c, url+"/proxy/")
	h := got.Header
	if got.Method != "POST" || got.URL.Path != "/proxy/api/v2/query/scalar" || got.Host != "api.example.com" || h.Get("DD-API-KEY") != "api-key-0123456789abcdef0123456789" || h.Get("DD-APPLICATION-KEY") != "app-key-0123456789abcdef0123456789" ||
		h.Get("X-Tenant") != "s3cret-tenant" || h.Get("Content-Type") != "application/json" || got.UserAgent() != "terraform-provider-bluegreen" {
		t.Errorf("got %s %s to %s with %v", got.Method, got.URL, got.Host, h)
	}
	var sent struct {
		Data struct {
			Attributes struct{ Queries, Formulas json.RawMessage }
		}
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	const queries = `[{"aggregator":"sum","data_source":"metrics","name":"errors","query":"sum:errors{*}"},{"aggregator":"max","data_source":"metrics","name":"hits","query":"sum:hits{*}"}]`
	if a := sent.Data.Attributes; string(a.Queries) != queries || string(a.Formulas) != `[{"formula":"100 * errors / hits"}]` {
		t.Errorf("got %s", body)
	}
	evaluateDatadog(t.Context(), t, gate.Datadog{APIVersion: datadog.V1, Query: "avg:a{b:c} + 1"}, url)
	if got.Method != "GET" || got.URL.Path != "/api/v1/query" || got.URL.Query().Get("query") != "avg:a{b:c} + 1" || got.Header.Get("Content-Type") != "" || len(body) != 0 {
		t.Errorf("got %s %s with %s", got.Method, got.URL, body)
	}
}
