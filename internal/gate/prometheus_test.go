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
	"regexp"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

func query(ctx context.Context, t *testing.T, c gate.Prometheus) rollout.Verdict {
	t.Helper()
	if c.Query == "" {
		c.Query = "up"
	}
	if c.Min == nil && c.Max == nil {
		c.Max = new(5.0)
	}
	g, err := gate.NewPrometheus(c, gate.Dependencies{Lookup: environment(map[string]string{"TOKEN": "s3cret-token", "HEADER": "tenant-1"})})
	if err != nil {
		t.Fatal(err)
	}
	return g.Evaluate(ctx, canary())
}

// result is an answer of the server's API.
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
		name, answer string
		c            gate.Prometheus
		said         string
	}{
		{"scalar", result("scalar", `[1,"4.5"]`, ""), atMost, "pass: 4.5, wanted at most 5; a scalar"},
		{"scalar at the limit", result("scalar", `[1,"5"]`, ""), gate.Prometheus{Min: new(5.0), Max: new(5.0)}, "pass: 5, wanted exactly 5; a scalar"},
		{"scalar above", result("scalar", `[1,"1234567.25"]`, ""), atMost, "fail: 1234567, wanted at most 5; a scalar"},
		{"scalar just above", result("scalar", `[1,"5.0000000001"]`, ""), atMost, "fail: 5.0000000001, wanted at most 5; a scalar"},
		{"scalar below", result("scalar", `[1,"0.99"]`, ""), gate.Prometheus{Min: new(1.0)}, "fail: 0.99, wanted at least 1; a scalar"},
		{"scalar, no number", result("scalar", `[1,"NaN"]`, ""), atMost, "inconclusive: no data: NaN, wanted at most 5; a scalar"},
		{"scalar, infinite", result("scalar", `[1,"+Inf"]`, ""), atMost, "fail: +Inf, wanted at most 5; a scalar"},
		{"scalar, infinite and far from a limit", result("scalar", `[1,"-Inf"]`, ""), atMost, "pass: -Inf, wanted at most 5; a scalar"},
		{"one sample", vector("0.125"), atMost, `pass: 0.125 of up{pod="p0"}, wanted at most 5; 1 sample`},
		{"one sample without labels", result("vector", `[{"metric":{},"value":[1,"6"]}]`, ""), atMost, "fail: 6, wanted at most 5; 1 sample"},
		{"samples", vector("1", "4", "-3"), atMost, `pass: 4 of up{pod="p1"}, wanted at most 5; the worst of 3 samples`},
		{"the nearer limit", vector("1", "4", "-0.5"), between, `pass: -0.5 of up{pod="p2"}, wanted from -1 to 5; the worst of 3 samples`},
		{"samples outside", vector("6", "1", "-4", "5"), between, `fail: -4 of up{pod="p2"}, wanted from -1 to 5; the worst of 4 samples, 2 of them outside`},
		{"infinite samples", vector("1", "-Inf"), between, `fail: -Inf of up{pod="p1"}, wanted from -1 to 5; the worst of 2 samples, 1 of them outside`},
		{"nothing", vector(), atMost, "inconclusive: no data: the result is empty"},
		{"one is no number", vector("1", "NaN"), atMost, `inconclusive: no data: NaN of up{pod="p1"}, wanted at most 5; 1 of 2 samples are so`},
		{"all are no numbers", vector("NaN", "NaN"), atMost, `inconclusive: no data: NaN of up{pod="p0"}, wanted at most 5; 2 of 2 samples are so`},
		{"one is outside, one no number", vector("NaN", "7"), atMost, `fail: 7 of up{pod="p1"}, wanted at most 5; the worst of 2 samples, 1 of them outside`},
		{"a warning", result("scalar", `[1,"1"]`, `,"warnings":["store a is away","and b"]`), atMost,
			"pass: 1, wanted at most 5; a scalar. The server warns: store a is away; and b"},
		{"a matrix", result("matrix", `[]`, ""), atMost, "error: the result is a matrix (range vector), wanted a scalar or an instant vector"},
		{"a string", result("string", `[1,"x"]`, ""), atMost, `error: the result cannot be used: unmarshalerDecoder: unexpected value type "string", error found in #10 byte of ` +
			`...|":[1,"x"]}|..., bigger context ...|{"resultType":"string","result":[1,"x"]}|...`},
		{"a histogram", result("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]}]`, ""), atMost,
			"error: the result is a native histogram, which has many values; histogram_quantile or histogram_fraction makes one of them"},
		{"something else", "<html>login</html>", atMost, "error: bad_response: readObjectStart: expect { or n, but found <, " +
			"error found in #1 byte of ...|<html>login|..., bigger context ...|<html>login</html>|..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, always(200, tt.answer))
			tt.c.URL = url
			answer, rest, _ := strings.Cut(tt.said, ": ")
			want(t, query(t.Context(), t, tt.c), url, answer+": query up at http://HOST: "+rest)
		})
	}
}

func TestPrometheus_errsWhereTheServerDoesNotAnswerTheQuery(t *testing.T) {
	for _, tt := range []struct {
		status     int
		body, said string
	}{
		{400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:3: parse error: unclosed left parenthesis"}`,
			`bad_data: invalid parameter "query": 1:3: parse error: unclosed left parenthesis`},
		{422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples","warnings":["w"]}`,
			"execution: query processing would load too many samples. The server warns: w"},
		{401, "Unauthorized\n", "client_error: client error: 401. It answered: Unauthorized"},
		{404, "", "client_error: client error: 404"},
		{503, "Service\nUnavailable", "server_error: server error: 503. It answered: Service Unavailable"},
	} {
		url := serve(t, always(tt.status, tt.body))
		want(t, query(t.Context(), t, gate.Prometheus{URL: url}), url, "error: query up at http://HOST: "+tt.said)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	got := query(t.Context(), t, gate.Prometheus{URL: closed.URL})
	if saw := `^query up at http://\S+: no answer: dial tcp .*refused$`; got.Status != rollout.Errored || got.Err == nil || !regexp.MustCompile(saw).MatchString(got.Detail) {
		t.Errorf("the gate says %s: %s", got.Status, got.Detail)
	}
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	want(t, query(t.Context(), t, gate.Prometheus{URL: url}), url, "error: query up at http://HOST: the result cannot be used: unexpected EOF")
	url = serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 11 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1<<20))
		}
	})
	want(t, query(t.Context(), t, gate.Prometheus{URL: url}), url, "error: query up at http://HOST: the result cannot be used: the answer has more than 10 MiB")
}

func TestPrometheus_timeouts(t *testing.T) {
	url := serve(t, takeAndHang)
	got := query(timesOut{untilSent(t, 1)}, t, gate.Prometheus{URL: url})
	want(t, got, url, "error: query up at http://HOST: no answer after T, when the gate's timeout was over")
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("the cause is %v", got.Err)
	}
	got = query(untilSent(t, 1), t, gate.Prometheus{URL: url})
	want(t, got, url, "error: query up at http://HOST: no answer after T, when nobody waited for it any more")
}

func TestPrometheus_sendsWhatIsAsked(t *testing.T) {
	var got *http.Request
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		got = r
		_ = r.ParseForm()
		_, _ = io.WriteString(w, result("scalar", `[1,"1"]`, ""))
	})
	v := query(t.Context(), t, gate.Prometheus{URL: url + "/prom/", Query: "sum(\n  rate(http_requests_total[1m])\n)" + strings.Repeat(" + é", 30), BearerTokenEnv: "TOKEN",
		Headers: map[string]string{"Host": "prom.example.com"}, HeadersEnv: map[string]string{"X-Scope-OrgID": "HEADER"}})
	want(t, v, url, "pass: query sum( rate(http_requests_total[1m]) )"+strings.Repeat(" + é", 16)+"... at http://HOST/prom/: 1, wanted at most 5; a scalar")
	if got.URL.Path != "/prom/api/v1/query" || got.Host != "prom.example.com" || got.Header.Get("Authorization") != "Bearer s3cret-token" ||
		got.Header.Get("X-Scope-Orgid") != "tenant-1" || got.UserAgent() != "terraform-provider-bluegreen" || got.Form.Get("time") != "" ||
		!strings.HasPrefix(got.Form.Get("query"), "sum(\n  rate(http_requests_total[1m])\n)") {
		t.Errorf("it sent %s %s to %s with %v and %v", got.Method, got.URL, got.Host, got.Form, got.Header)
	}
}

// TestPrometheus_carriesItsTokenNowhereElse than to the server that it asks.
func TestPrometheus_carriesItsTokenNowhereElse(t *testing.T) {
	elsewhere := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) { t.Errorf("a request came with %v", r.Header) })
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+"/login?token="+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), status)
		})
		want(t, query(t.Context(), t, gate.Prometheus{URL: url, BearerTokenEnv: "TOKEN"}), url,
			fmt.Sprintf("error: query up at http://HOST: status %d to %s/login, which is not followed", status, elsewhere))
	}
	url := serve(t, always(304, ""))
	want(t, query(t.Context(), t, gate.Prometheus{URL: url}), url, "error: query up at http://HOST: status 304, which is no answer to a query")
}

func TestPrometheus_trustsTheCertificatesOfAFile(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, result("scalar", `[1,"1"]`, ""))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := query(t.Context(), t, gate.Prometheus{URL: srv.URL, CAFile: file}); v.Status != rollout.Pass {
		t.Errorf("the gate says %+v", v)
	}
	if v := query(t.Context(), t, gate.Prometheus{URL: srv.URL}); v.Status != rollout.Errored || !strings.Contains(v.Detail, "certificate") {
		t.Errorf("without the file the gate says %+v", v)
	}
}

func TestPrometheus_badArguments(t *testing.T) {
	means := gate.Dependencies{Lookup: environment(map[string]string{"SET": "1", "EMPTY": "", "LINES": "a\nb"})}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := func(change func(*gate.Prometheus)) gate.Prometheus {
		c := gate.Prometheus{URL: "http://h:9090", Query: "up", Max: new(1.0)}
		change(&c)
		return c
	}
	authorization := map[string]string{"authorization": "SET"}
	for _, tt := range []struct {
		c    gate.Prometheus
		want string
	}{
		{gate.Prometheus{}, "url: it is required\nquery: it is required\nmax: it is required: give min, max or both"},
		{good(func(c *gate.Prometheus) { c.URL = "h:9090" }), "url: it is not valid: it must begin with http:// or https:// and a host"},
		{good(func(c *gate.Prometheus) { c.Query = " \n" }), "query: it is required"},
		{good(func(c *gate.Prometheus) { c.Min = new(1.5) }), "min: it is not valid: 1.5 is above max, 1"},
		{good(func(c *gate.Prometheus) { c.Min, c.Max = new(math.NaN()), new(math.Inf(1)) }),
			"min: it is not valid: it is too large a number\nmax: it is not valid: it is too large a number"},
		{good(func(c *gate.Prometheus) { c.Headers = map[string]string{"X Y": "1"} }), `headers["X Y"]: it is not valid: it is no name of a header`},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "UNSET" }), "bearer_token_env: the environment variable is not set: UNSET"},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "EMPTY" }), "bearer_token_env: the environment variable is not set: EMPTY"},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv = "LINES" }), "bearer_token_env: it is not valid: its value has a line break or another control character"},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv, c.Headers = "SET", authorization }),
			"bearer_token_env: it is not valid: Authorization is given twice, by headers already"},
		{good(func(c *gate.Prometheus) { c.BearerTokenEnv, c.HeadersEnv = "SET", authorization }),
			"bearer_token_env: it is not valid: Authorization is given twice, by headers_env already"},
		{good(func(c *gate.Prometheus) { c.URL, c.HeadersEnv = "http://u:p@h", authorization }),
			"headers_env: it is not valid: Authorization is given twice, by url already"},
		{good(func(c *gate.Prometheus) {
			c.Headers, c.HeadersEnv = authorization, map[string]string{"Authorization": "SET"}
		}),
			`headers_env["Authorization"]: it is not valid: the header is given twice`},
		{good(func(c *gate.Prometheus) { c.CAFile = filepath.Join(dir, "gone.pem") }), "ca_file: it is not valid: open DIR/gone.pem: no such file or directory"},
		{good(func(c *gate.Prometheus) { c.CAFile = filepath.Join(dir, "empty.pem") }), "ca_file: it is not valid: DIR/empty.pem holds no certificate in PEM"},
	} {
		g, err := gate.NewPrometheus(tt.c, means)
		if g != nil || err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != tt.want {
			t.Errorf("NewPrometheus returned\n%v\nwant\n%s", err, tt.want)
			continue
		}
		if _, ok := errors.AsType[*gate.ArgumentError](err); !ok {
			t.Errorf("%v names no argument", err)
		}
	}
	if errs := good(func(c *gate.Prometheus) { c.BearerTokenEnv, c.CAFile = "UNSET", "/no/such/file" }).Check(); errs != nil {
		t.Errorf("Check looks at the machine: %v", errs)
	}
}

func TestPrometheus_neverTellsASecret(t *testing.T) {
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
	answers := map[rollout.Status]bool{}
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
		base := gate.Prometheus{URL: url, Query: "up{token=\"" + inHeader + "\"}", Headers: map[string]string{"X-Key": inHeader}, BearerTokenEnv: "TOKEN"}
		for _, c := range []gate.Prometheus{base, withUser(base, url), withUser(base, "http://127.0.0.1:1")} {
			secrets := []string{token, inHeader}
			if c.BearerTokenEnv == "" {
				c.HeadersEnv, secrets = map[string]string{"X-Token": "TOKEN"}, append(secrets, password)
			}
			v := query(t.Context(), t, c)
			answers[v.Status] = true
			wantNoSecret(t, v, secrets...)
		}
	}
	if len(answers) != 4 {
		t.Errorf("only these were looked at: %v", answers)
	}
}
