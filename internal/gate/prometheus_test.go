package gate_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

func evaluatePrometheus(ctx context.Context, t *testing.T, c gate.Prometheus) rollout.Verdict {
	t.Helper()
	if c.Query == "" {
		c.Query = "up"
	}
	if c.Min == nil && c.Max == nil {
		c.Max = new(5.0)
	}
	g, err := gate.NewPrometheus(c, gate.Dependencies{Lookup: lookupIn(map[string]string{"TOKEN": "s3cret-token", "HEADER": "tenant-1"})})
	if err != nil {
		t.Fatal(err)
	}
	return g.Evaluate(ctx, canaryInput())
}

// result returns a response of the query API.
func result(kind, value, more string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}%s}`, kind, value, more)
}

func vector(samples ...string) string {
	var all []string
	for i, s := range samples {
		all = append(all, fmt.Sprintf(`{"metric":{"__name__":"up","pod":"p%d"},"value":[1700000000.5,%q]}`, i, s))
	}
	return result("vector", "["+strings.Join(all, ",")+"]", "")
}

func TestPrometheus_verdicts(t *testing.T) {
	atMost, between := gate.Prometheus{Max: new(5.0)}, gate.Prometheus{Min: new(-1.0), Max: new(5.0)}
	for _, tt := range []struct {
		name, response string
		c              gate.Prometheus
		want           rollout.Status
	}{
		{"scalar", result("scalar", `[1,"4.5"]`, ""), atMost, "pass"},
		{"scalar at the limit", result("scalar", `[1,"5"]`, ""), gate.Prometheus{Min: new(5.0), Max: new(5.0)}, "pass"},
		{"scalar above", result("scalar", `[1,"1234567.25"]`, ""), atMost, "fail"},
		{"scalar just above", result("scalar", `[1,"5.0000000001"]`, ""), atMost, "fail"},
		{"scalar below", result("scalar", `[1,"0.99"]`, ""), gate.Prometheus{Min: new(1.0)}, "fail"},
		{"scalar NaN", result("scalar", `[1,"NaN"]`, ""), atMost, "inconclusive"},
		{"scalar infinite", result("scalar", `[1,"+Inf"]`, ""), atMost, "fail"},
		{"scalar infinite within the limit", result("scalar", `[1,"-Inf"]`, ""), atMost, "pass"},
		{"one sample", vector("0.125"), atMost, "pass"},
		{"one sample without labels", result("vector", `[{"metric":{},"value":[1,"6"]}]`, ""), atMost, "fail"},
		{"samples within the limit", vector("1", "4", "-3"), atMost, "pass"},
		{"the nearer limit", vector("1", "4", "-0.5"), between, "pass"},
		{"samples outside the limits", vector("6", "1", "-4", "5"), between, "fail"},
		{"infinite samples", vector("1", "-Inf"), between, "fail"},
		{"empty vector", vector(), atMost, "inconclusive"},
		{"one sample is NaN", vector("1", "NaN"), atMost, "inconclusive"},
		{"all samples are NaN", vector("NaN", "NaN"), atMost, "inconclusive"},
		{"one sample outside, one NaN", vector("NaN", "7"), atMost, "fail"},
		{"partial", result("scalar", `[1,"1"]`, `,"warnings":["store a is unavailable","and b"]`), atMost, "inconclusive"},
		{"partial and outside", result("scalar", `[1,"7"]`, `,"warnings":["store a is unavailable"]`), atMost, "inconclusive"},
		{"partial, allowed", result("scalar", `[1,"1"]`, `,"warnings":["store a is unavailable","and b"]`), gate.Prometheus{Max: new(5.0), AllowPartial: true}, "pass"},
		{"partial, as VictoriaMetrics says it", strings.Replace(result("scalar", `[1,"1"]`, ""), `"success"`, `"success","isPartial":true`, 1), atMost, "inconclusive"},
		{"not partial, as VictoriaMetrics says it", strings.Replace(result("scalar", `[1,"1"]`, ""), `"success"`, `"success","isPartial":false`, 1), atMost, "pass"},
		{"a label with the mark of VictoriaMetrics", result("vector", `[{"metric":{"a":"\"isPartial\":true"},"value":[1,"1"]}]`, ""), atMost, "pass"},
		{"a warning about the query", result("scalar", `[1,"1"]`, `,"warnings":["PromQL warning: quantile value should be between 0 and 1"]`), atMost, "pass"},
		{"empty, which passes", vector(), gate.Prometheus{Max: new(5.0), OnNoData: "pass"}, "pass"},
		{"empty, which fails", vector(), gate.Prometheus{Max: new(5.0), OnNoData: "fail"}, "fail"},
		{"empty, as said", vector(), gate.Prometheus{Max: new(5.0), OnNoData: "inconclusive"}, "inconclusive"},
		{"empty because of a comparison", vector(), gate.Prometheus{Max: new(0.0), Query: "sum(rate(errors[1m])) / sum(rate(all[1m])) > 0.05"}, "inconclusive"},
		{"empty because of a comparison within", vector(), gate.Prometheus{Max: new(0.0), Query: "count(latency >= on(pod) limit)"}, "inconclusive"},
		{"empty in spite of bool", vector(), gate.Prometheus{Max: new(0.0), Query: "latency > bool 5"}, "inconclusive"},
		{"empty and unreadable", vector(), gate.Prometheus{Max: new(0.0), Query: "sum("}, "inconclusive"},
		{"NaN, which passes", vector("NaN", "NaN"), gate.Prometheus{Max: new(5.0), OnNoData: "pass"}, "pass"},
		{"NaN among others, which passes", vector("1", "NaN", "2"), gate.Prometheus{Max: new(5.0), OnNoData: "pass"}, "pass"},
		{"NaN among others, which fails", vector("1", "NaN", "2"), gate.Prometheus{Max: new(5.0), OnNoData: "fail"}, "fail"},
		{"NaN, which passes, and one outside", vector("NaN", "7"), gate.Prometheus{Max: new(5.0), OnNoData: "pass"}, "fail"},
		{"many are NaN", vector("NaN", "1", "NaN", "NaN", "NaN", "NaN"), atMost, "inconclusive"},
		{"a NaN scalar, which fails", result("scalar", `[1,"NaN"]`, ""), gate.Prometheus{Max: new(5.0), OnNoData: "fail"}, "fail"},
		{"matrix", result("matrix", `[]`, ""), atMost, "error"},
		{"string", result("string", `[1,"x"]`, ""), atMost, "error"},
		{"histogram", result("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]}]`, ""), atMost,
			"error"},
		{"not JSON", "<html>login</html>", atMost, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, respond(200, tt.response))
			tt.c.URL = url
			wantVerdictFrom(t, evaluatePrometheus(t.Context(), t, tt.c), url, tt.want)
		})
	}
}

func TestPrometheus_errorsWithoutAResult(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
	}{
		{400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error: unclosed left parenthesis"}`},
		{422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples","warnings":["w"]}`},
		{401, "Unauthorized\n"},
		{404, ""},
		{503, "Service\nUnavailable"},
	} {
		url := serve(t, respond(tt.status, tt.body))
		wantVerdictFrom(t, evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}}), url, "error")
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	got := evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: closed.URL}})
	wantVerdictFrom(t, got, closed.URL, rollout.Errored)
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	wantVerdictFrom(t, evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}}), url, "error")
	url = serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 11 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1<<20))
		}
	})
	wantVerdictFrom(t, evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}}), url, "error")
}

func TestPrometheus_timeouts(t *testing.T) {
	url := serve(t, readAndHang)
	got := evaluatePrometheus(deadlineContext{cancelAfterSend(t, 1)}, t, gate.Prometheus{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "error")
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("got cause %v", got.Err)
	}
	got = evaluatePrometheus(cancelAfterSend(t, 1), t, gate.Prometheus{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "error")
}

func TestPrometheus_sendsTheConfiguredRequest(t *testing.T) {
	var got *http.Request
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		got = r
		_ = r.ParseForm()
		_, _ = io.WriteString(w, result("scalar", `[1,"1"]`, ""))
	})
	v := evaluatePrometheus(t.Context(), t, gate.Prometheus{
		Request:        gate.Request{URL: url + "/prom/", Headers: map[string]string{"Host": "prom.example.com"}, HeadersEnv: map[string]string{"X-Scope-OrgID": "HEADER"}},
		Query:          "sum(\n  rate(http_requests_total[1m])\n)" + strings.Repeat(" + é", 30),
		BearerTokenEnv: "TOKEN",
	})
	wantVerdictFrom(t, v, url, "pass")
	if got.URL.Path != "/prom/api/v1/query" || got.Host != "prom.example.com" || got.Header.Get("Authorization") != "Bearer s3cret-token" ||
		got.Header.Get("X-Scope-Orgid") != "tenant-1" || got.UserAgent() != "terraform-provider-bluegreen" || got.Form.Get("time") != "" ||
		!strings.HasPrefix(got.Form.Get("query"), "sum(\n  rate(http_requests_total[1m])\n)") {
		t.Errorf("got %s %s to %s with %v and %v", got.Method, got.URL, got.Host, got.Form, got.Header)
	}
}

func TestPrometheus_doesNotForwardItsToken(t *testing.T) {
	elsewhere := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) { t.Errorf("got a request with %v", r.Header) })
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+"/login?token="+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), status)
		})
		v := evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}, BearerTokenEnv: "TOKEN"})
		v.Detail = strings.ReplaceAll(v.Detail, elsewhere, "<elsewhere>")
		wantVerdictFrom(t, v, url, rollout.Errored)
	}
	url := serve(t, respond(304, ""))
	wantVerdictFrom(t, evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}}), url, "error")
}

func TestPrometheus_trustsTheCAFile(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, result("scalar", `[1,"1"]`, ""))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: srv.URL, Connection: gate.Connection{CAFile: file}}}); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
	if v := evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: srv.URL}}); v.Status != rollout.Errored || !strings.Contains(v.Detail, "certificate") {
		t.Errorf("without the file: got %+v", v)
	}
}

func TestPrometheus_badArguments(t *testing.T) {
	deps := gate.Dependencies{Lookup: lookupIn(map[string]string{"SET": "1", "EMPTY": "", "LINES": "a\nb"})}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := func(change func(*gate.Prometheus)) gate.Prometheus {
		c := gate.Prometheus{Request: gate.Request{URL: "http://h:9090"}, Query: "up", Max: new(1.0)}
		change(&c)
		return c
	}
	authorization := map[string]string{"authorization": "SET"}
	for _, tt := range []struct {
		c gate.Prometheus
	}{
		{gate.Prometheus{}},
		{good(func(c *gate.Prometheus) { c.URL = "h:9090" })},
		{good(func(c *gate.Prometheus) { c.Query = " \n" })},
		{good(func(c *gate.Prometheus) { c.Min = new(1.5) })},
		{good(func(c *gate.Prometheus) { c.Min, c.Max = new(math.NaN()), new(math.Inf(1)) })},
		{good(func(c *gate.Prometheus) { c.Headers = map[string]string{"X Y": "1"} })},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "UNSET" })},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "EMPTY" })},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "LINES" })},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv, c.Headers = "SET", authorization })},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv, c.HeadersEnv = "SET", authorization })},
		{good(func(c *gate.Prometheus) { c.URL, c.HeadersEnv = "http://u:p@h", authorization })},
		{good(func(c *gate.Prometheus) {
			c.Headers, c.HeadersEnv = authorization, map[string]string{"Authorization": "SET"}
		})},
		{good(func(c *gate.Prometheus) { c.URL, c.CAFile = "https://h", filepath.Join(dir, "missing.pem") })},
		{good(func(c *gate.Prometheus) { c.URL, c.CAFile = "https://h", filepath.Join(dir, "empty.pem") })},
	} {
		g, err := gate.NewPrometheus(tt.c, deps)
		if g != nil || err == nil {
			t.Errorf("NewPrometheus accepts %+v", tt.c)
			continue
		}
		golden.Record(t, err.Error(), golden.Replace(dir, "<dir>"))
		if _, ok := errors.AsType[*gate.ArgumentError](err); !ok {
			t.Errorf("%v is not an ArgumentError", err)
		}
	}
	if errs := good(func(c *gate.Prometheus) { c.URL, c.BearerTokenEnv, c.CAFile = "https://h", "UNSET", "/no/such/file" }).Check(); errs != nil {
		t.Errorf("Check reads the machine: %v", errs)
	}
}

func TestPrometheus_hidesSecrets(t *testing.T) {
	const token, inHeader, password = "s3cret-token", "plain-but-hidden", "pa55word"
	var echo strings.Builder
	for _, secret := range []string{token, inHeader, password} {
		echo.WriteString(strings.Join(encodings(secret), " ") + " ")
	}
	label := fmt.Sprintf(`[{"metric":{"token":%q},"value":[1,"%%s"]}]`, token)
	withUser := func(c gate.Prometheus, url string) gate.Prometheus {
		c.BearerTokenEnv, c.URL = "", strings.Replace(url, "http://", "http://user:"+password+"@", 1)+"/?token="+token
		return c
	}
	verdicts := map[rollout.Status]bool{}
	for _, tt := range []struct {
		status int
		body   string
	}{
		{200, result("vector", fmt.Sprintf(label, "1"), fmt.Sprintf(`,"warnings":[%q]`, echo.String()))},
		{200, result("vector", fmt.Sprintf(label, "6"), "")},
		{200, result("vector", fmt.Sprintf(label, "NaN"), "")},
		{200, result(token, "[]", "")},
		{400, fmt.Sprintf(`{"status":"error","errorType":"bad_data","error":%q}`, echo.String())},
		{500, echo.String()},
		{302, ""},
	} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if tt.status == 302 {
				w.Header().Set("Location", "/"+token+"?"+token)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		base := gate.Prometheus{Request: gate.Request{URL: url, Headers: map[string]string{"X-Key": inHeader}}, Query: "up{token=\"" + inHeader + "\"}", BearerTokenEnv: "TOKEN", AllowPartial: true}
		for _, c := range []gate.Prometheus{base, withUser(base, url), withUser(base, "http://127.0.0.1:1")} {
			secrets := []string{token, inHeader}
			if c.BearerTokenEnv == "" {
				c.HeadersEnv, secrets = map[string]string{"X-Token": "TOKEN"}, append(secrets, password)
			}
			v := evaluatePrometheus(t.Context(), t, c)
			verdicts[v.Status] = true
			wantNoSecret(t, v, secrets...)
			c.AllowPartial = false
			wantNoSecret(t, evaluatePrometheus(t.Context(), t, c), secrets...)
		}
	}
	if len(verdicts) != 4 {
		t.Errorf("got only the verdicts %v, want all 4", verdicts)
	}
}
