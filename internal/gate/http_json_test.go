package gate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const healthBody = `{"status":"ok","version":"1.5.0","queue":{"depth":12,"age":0.25},"id":9007199254740993,"leader":true,"error":null,
	"checks":[{"name":"db","status":"up","ms":4},{"name":"cache","status":"up","ms":"fast"}],"huge":1e999}`

func equals(path, text string) gate.JSONValue { return gate.JSONValue{Path: path, Equals: &text} }

func TestHTTP_json(t *testing.T) {
	atMost := func(path string, limit float64) gate.JSONValue { return gate.JSONValue{Path: path, Max: &limit} }
	for _, tt := range []struct {
		name, body string
		value      gate.JSONValue
		want       rollout.Status
	}{
		{"string", healthBody, equals("$.status", "ok"), "pass"},
		{"another string", healthBody, equals("$.version", "1.4.2"), "fail"},
		{"number as text", healthBody, equals("$.queue.depth", "12.0"), "pass"},
		{"large number", healthBody, equals("$.id", "9007199254740993"), "pass"},
		{"another large number", healthBody, equals("$.id", "9007199254740992"), "fail"},
		{"true", healthBody, equals("$.leader", "true"), "pass"},
		{"not true", healthBody, equals("$.leader", "false"), "fail"},
		{"null", healthBody, equals("$.error", "null"), "pass"},
		{"not null", healthBody, equals("$.status", "null"), "fail"},
		{"number at the limit", healthBody, gate.JSONValue{Path: "$['queue']['depth']", Min: new(12.0), Max: new(12.0)}, "pass"},
		{"number above", healthBody, atMost("$.queue.depth", 11.5), "fail"},
		{"number below", healthBody, gate.JSONValue{Path: "$.queue.age", Min: new(0.5)}, "fail"},
		{"number beyond float64", healthBody, atMost("$.huge", 5), "fail"},
		{"no number", healthBody, atMost("$.status", 5), "fail"},
		{"object", healthBody, equals("$.queue", "12"), "fail"},
		{"list", healthBody, equals("$.checks", "up"), "fail"},
		{"nothing there", healthBody, equals("$.state", "ok"), "fail"},
		{"all of several", healthBody, equals("$.checks[*].status", "up"), "pass"},
		{"not all of several", healthBody, atMost("$.checks[*].ms", 5), "fail"},
		{"filter", healthBody, equals(`$.checks[?@.name == "db"].status`, "up"), "pass"},
		{"filter that selects nothing", healthBody, equals(`$.checks[?@.name == "disk"].status`, "up"), "fail"},
		{"whole body", `"ok"`, equals("$", "ok"), "pass"},
		{"page", "<html>ok</html>", equals("$.status", "ok"), "fail"},
		{"empty body", "", equals("$.status", "ok"), "fail"},
		{"half a body", `{"status":"ok"`, equals("$.status", "ok"), "fail"},
		{"two values", `{"status":"ok"} {"status":"ok"}`, equals("$.status", "ok"), "fail"},
		{"too large", `{"status":"ok","fill":"` + strings.Repeat("x", 1<<20) + `"}`, equals("$.status", "ok"), "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, respond(200, tt.body))
			wantVerdictFrom(t, evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, JSON: []gate.JSONValue{tt.value}}), url, tt.want)
		})
	}
}

// All blocks must be met, and the status comes first.
func TestHTTP_severalJSONValues(t *testing.T) {
	values := []gate.JSONValue{equals("$.status", "ok"), equals("$.version", "1.4.2")}
	for status, want := range map[int]string{200: `$.version is "1.5.0", expected "1.4.2"`, 503: "status 503, expected 200 to 299"} {
		url := serve(t, respond(status, healthBody))
		v := evaluateHTTP(t.Context(), t, gate.HTTP{Request: gate.Request{URL: url}, JSON: values})
		if v.Status != rollout.Fail || !strings.Contains(v.Detail, want) {
			t.Errorf("got %+v, want %s", v, want)
		}
	}
}

func TestHTTP_badJSONValues(t *testing.T) {
	for _, v := range []gate.JSONValue{
		{},
		equals("status", "ok"),
		equals("$.checks[", "ok"),
		equals("$.checks[?foo(@)]", "ok"),
		{Path: "$.status"},
		{Path: "$.status", Max: new(1.0), Equals: new("ok")},
		{Path: "$.status", Min: new(2.0), Max: new(1.0)},
	} {
		g, err := gate.NewHTTP(gate.HTTP{Request: gate.Request{URL: "https://h"}, JSON: []gate.JSONValue{equals("$", "1"), v}}, gate.Dependencies{})
		if g != nil || err == nil {
			t.Errorf("NewHTTP accepts %+v", v)
		}
		golden.Record(t, fmt.Sprint(err))
	}
}

// The body repeats a secret in a value and in the name of one.
func TestHTTP_jsonHidesSecrets(t *testing.T) {
	const secret = "s3cret-token"
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"a":%q,"m":{%q:1,"b":{}}}`, r.Header.Get("X-Key"), r.Header.Get("X-Key"))
	})
	for _, v := range []gate.JSONValue{equals("$.a", "x"), equals("$.m.*", "x")} {
		g, err := gate.NewHTTP(gate.HTTP{Request: gate.Request{URL: url, HeadersEnv: map[string]string{"X-Key": "KEY"}}, JSON: []gate.JSONValue{v}},
			gate.Dependencies{Lookup: lookupIn(map[string]string{"KEY": secret})})
		if err != nil {
			t.Fatal(err)
		}
		got := g.Evaluate(t.Context(), rollout.GateInput{})
		if got.Status != rollout.Fail {
			t.Errorf("got %+v", got)
		}
		wantNoSecret(t, got, secret)
	}
}

// dribble sends the beginning of a body that never ends.
func dribble(status int, text string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// A body that does not end is not called a missing response.
func TestHTTP_endlessBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server func(int, http.ResponseWriter, *http.Request)
		c      gate.HTTP
		want   rollout.Status
	}{
		{"gate timeout", dribble(200, "data: 1\n"), gate.HTTP{}, "error"},
		{"slower than max_latency", dribble(200, "data: 1\n"), gate.HTTP{MaxLatency: time.Nanosecond}, "fail"},
		{"the status decides", dribble(503, "no room"), gate.HTTP{}, "fail"},
		{"cut", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}, gate.HTTP{}, "fail"},
		{"cut, and the status decides", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "half")
		}, gate.HTTP{}, "fail"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, tt.server)
			tt.c.URL = url
			wantVerdictFrom(t, evaluateBody(t, tt.c), url, tt.want)
		})
	}
}

// evaluateBody evaluates with a timeout that lets the beginning of the response arrive.
func evaluateBody(t *testing.T, c gate.HTTP) rollout.Verdict {
	t.Helper()
	for timeout := 50 * time.Millisecond; timeout < slow.Deadline(time.Minute); timeout *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		v := evaluateHTTP(ctx, t, c)
		cancel()
		if !strings.Contains(v.Detail, "no response") && !strings.Contains(v.Detail, "could not be sent") {
			return v
		}
	}
	t.Fatal("no response arrived")
	return rollout.Verdict{}
}
