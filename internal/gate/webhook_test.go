package gate_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/signature"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// canaryInput is the second step of a shift of two entry points, 95 seconds after its start.
func canaryInput() rollout.GateInput {
	startedAt := time.Now().Add(-95*time.Second - 500*time.Millisecond)
	return rollout.GateInput{
		Shift: "3f2a", Gate: "approve", From: shift.Sole("blue"), To: shift.Weights{"blue": 0, "green": shift.Full},
		Part: shift.During, Step: 2, Steps: 3, Weights: shift.Weights{"blue": 875, "green": 125},
		StartedAt: startedAt, ChangedAt: startedAt.Add(time.Minute), Attempt: 4, Call: 17, Rollback: true,
		Incoming: []traffic.Backend{
			{Entry: "web", Environment: "green", Group: "arn:green-web", Routes: []string{"arn:listener", "arn:rule"}},
			{Entry: "api", Environment: "green", Group: "arn:green-api", Routes: []string{"arn:api"}},
		},
		Live: []traffic.Backend{
			{Entry: "web", Environment: "blue", Group: "arn:blue-web", Routes: []string{"arn:listener", "arn:rule"}},
			{Entry: "api", Environment: "blue", Group: "arn:blue-api", Routes: []string{"arn:api"}},
		},
	}
}

// readinessInput is a readiness check of an environment whose target group is not attached.
func readinessInput() rollout.GateInput {
	now := time.Now()
	return rollout.GateInput{
		Shift: "77", Gate: "approve", To: shift.Sole("green"), Part: shift.Before, Weights: shift.Weights{}, StartedAt: now, ChangedAt: now, Attempt: 1,
		Incoming: []traffic.Backend{{Entry: "web", Environment: "green", Group: "arn:green-web"}},
	}
}

func evaluateWebhook(ctx context.Context, t *testing.T, c gate.Webhook) rollout.Verdict {
	t.Helper()
	g, err := gate.NewWebhook(c, gate.Dependencies{Lookup: lookupIn(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return g.Evaluate(ctx, canaryInput())
}

func TestWebhook_verdicts(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   rollout.Status
	}{
		{200, "thank you", "pass"},
		{204, "", "pass"},
		{299, "", "pass"},
		{202, "waiting for\n Anna", "inconclusive"},
		{403, "denied by Anna\nticket 7", "fail"},
		{400, "", "fail"},
		{422, "", "fail"},
		{500, "", "fail"},
		{408, "", "error"},
		{409, "", "error"},
		{425, "", "error"},
		{429, "", "error"},
		{501, "", "error"},
		{502, "", "error"},
		{503, strings.Repeat("x", 9000), "error"},
		{504, "", "error"},
		{521, "origin is down", "error"}, // of a CDN
		{304, "", "error"},
		{600, "", "error"},
	} {
		url := serve(t, respond(tt.status, tt.body))
		wantVerdictFrom(t, evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url + "/services/T000/secret"}}), url, tt.want)
	}
}

func TestWebhook_doesNotFollowARedirect(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				t.Error("got a second request")
			}
			http.Redirect(w, r, "https://elsewhere.example.com/login?token=hidden", status)
		})
		v := evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url}})
		if wantVerdictFrom(t, v, url, rollout.Errored); !v.Final {
			t.Errorf("a redirect is asked for again: %+v", v)
		}
	}
}

// readAndHang reads the body first, without which a server does not notice that the
// client canceled.
func readAndHang(n int, w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	hang(n, w, r)
}

func TestWebhook_errorsWithoutAResponse(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	got := evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: closed.URL}})
	wantVerdictFrom(t, got, closed.URL, rollout.Errored)
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			err = conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	wantVerdictFrom(t, evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url}}), url, "error")

	url = serve(t, readAndHang)
	got = evaluateWebhook(deadlineContext{cancelAfterSend(t, 1)}, t, gate.Webhook{Request: gate.Request{URL: url}})
	wantVerdictFrom(t, got, url, "error")
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("got cause %v", got.Err)
	}
	wantVerdictFrom(t, evaluateWebhook(cancelAfterSend(t, 1), t, gate.Webhook{Request: gate.Request{URL: url}}), url, "error")
}

// The status decides. The server ends the response only when the client cancels.
func TestWebhook_doesNotWaitForTheBody(t *testing.T) {
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "denied")
		_ = http.NewResponseController(w).Flush()
		readAndHang(0, w, r)
	})
	wantVerdictFrom(t, evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url}}), url, "fail")
}

// sentRequest returns the request that a gate sends for an input, and its body.
func sentRequest(t *testing.T, c gate.Webhook, variables map[string]string, in rollout.GateInput) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	c.URL = serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	g, err := gate.NewWebhook(c, gate.Dependencies{Lookup: lookupIn(variables)})
	if err != nil {
		t.Fatal(err)
	}
	if v := g.Evaluate(t.Context(), in); v.Status != rollout.Pass {
		t.Fatalf("got %+v", v)
	}
	return got, body
}

func TestWebhook_sendsTheInput(t *testing.T) {
	in := canaryInput()
	req, body := sentRequest(t, gate.Webhook{Request: gate.Request{Headers: map[string]string{"Host": "hooks.example.com", "X-Team": "web"}}}, nil, in)
	if req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" || req.Host != "hooks.example.com" ||
		req.Header.Get("X-Team") != "web" || req.UserAgent() != "terraform-provider-bluegreen" || req.Header.Get(signature.Header) != "" {
		t.Errorf("got %s to %s with %v", req.Method, req.Host, req.Header)
	}
	timestamp := func(at time.Time) string { return at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }
	want := fmt.Sprintf(`{"version":1,"gate":"approve","shift":"3f2a",`+
		`"switch":{"routes":{"api":["arn:api"],"web":["arn:listener","arn:rule"]}},`+
		`"incoming":{"green":{"version":null,"target_groups":{"api":"arn:green-api","web":"arn:green-web"}}},`+
		`"live":{"blue":{"version":null,"target_groups":{"api":"arn:blue-api","web":"arn:blue-web"}}},`+
		`"from":{"blue":100},"to":{"blue":0,"green":100},"weights":{"blue":87.5,"green":12.5},`+
		`"part":"during","step":2,"steps":3,"started_at":%q,"changed_at":%q,"elapsed_seconds":95,"attempt":4,"rollback":true}`, timestamp(in.StartedAt), timestamp(in.ChangedAt))
	// A slow machine may take longer.
	if got := regexp.MustCompile(`"elapsed_seconds":(9[5-9]|\d{3,})`).ReplaceAllString(string(body), `"elapsed_seconds":95`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	in = readinessInput()
	_, body = sentRequest(t, gate.Webhook{}, nil, in)
	want = fmt.Sprintf(`{"version":1,"gate":"approve","shift":"77","switch":{"routes":{}},`+
		`"incoming":{"green":{"version":null,"target_groups":{"web":"arn:green-web"}}},"live":{},"from":null,"to":{"green":100},"weights":{},`+
		`"part":"before","step":0,"steps":0,"started_at":%q,"changed_at":%q,"elapsed_seconds":0,"attempt":1,"rollback":false}`, timestamp(in.StartedAt), timestamp(in.ChangedAt))
	if got := regexp.MustCompile(`"elapsed_seconds":\d+`).ReplaceAllString(string(body), `"elapsed_seconds":0`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWebhook_signs(t *testing.T) {
	before := time.Now().Unix()
	req, body := sentRequest(t, gate.Webhook{SecretEnv: "SECRET"}, map[string]string{"SECRET": "a\nsecret"}, canaryInput())
	timestamp := req.Header.Get("X-Bluegreen-Timestamp")
	mac := hmac.New(sha256.New, []byte("a\nsecret"))
	_, _ = mac.Write(append([]byte(timestamp+"."), body...))
	if got, want := req.Header.Get("X-Bluegreen-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("got signature %s, want %s", got, want)
	}
	var at int64
	if _, err := fmt.Sscan(timestamp, &at); err != nil || at < before || at > time.Now().Unix() {
		t.Errorf("got timestamp %q (%v), want the current time", timestamp, err)
	}
}

func TestWebhook_badArguments(t *testing.T) {
	deps := gate.Dependencies{Lookup: lookupIn(map[string]string{"SET": "1", "EMPTY": ""})}
	for _, tt := range []struct {
		c gate.Webhook
	}{
		{gate.Webhook{}},
		{gate.Webhook{Request: gate.Request{URL: "ws://h"}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h", Headers: map[string]string{"X Y": "1"}}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h", Headers: map[string]string{"content-type": "text/plain"}}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h", HeadersEnv: map[string]string{"X-Bluegreen-Signature-256": "SET"}}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h", HeadersEnv: map[string]string{"X": "UNSET"}}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h"}, SecretEnv: "UNSET"}},
		{gate.Webhook{Request: gate.Request{URL: "http://h"}, SecretEnv: "EMPTY"}},
		{gate.Webhook{Request: gate.Request{URL: "http://h"}, SecretEnv: "A=B"}},
		{gate.Webhook{Request: gate.Request{URL: "http://h", Headers: map[string]string{"idempotency-key": "1"}}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h"}, SuccessCodes: []int{}, PendingCodes: []int{}}},
		{gate.Webhook{Request: gate.Request{URL: "http://h"}, SuccessCodes: []int{199, 200, 200}, PendingCodes: []int{600, 200}}},
	} {
		g, err := gate.NewWebhook(tt.c, deps)
		if g != nil || err == nil {
			t.Errorf("NewWebhook accepts %+v", tt.c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	if _, err := gate.NewWebhook(gate.Webhook{Request: gate.Request{URL: "http://h"}, SecretEnv: "UNSET"}, deps); !errors.Is(err, gate.ErrUnset) {
		t.Errorf("%v is not ErrUnset", err)
	}
}

// encodings returns the forms in which a secret could leak.
func encodings(secret string) []string {
	return []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))}
}

// wantNoSecret checks that a verdict contains none of the secrets.
func wantNoSecret(t *testing.T, v rollout.Verdict, secrets ...string) {
	t.Helper()
	text := fmt.Sprintf("%s %v %+v", v.Detail, v.Err, v)
	for _, secret := range secrets {
		for _, form := range encodings(secret) {
			if strings.Contains(text, form) {
				t.Errorf("the verdict contains %q: %s", form, text)
			}
		}
	}
}

func TestWebhook_hidesSecrets(t *testing.T) {
	const inHeader, inEnv, signing, password, inPath = "plain-but-hidden", "s3cret/tok+en", `sign"ing & <key>`, "pa55 word", "T000-B000"
	echo := func(status int) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, r *http.Request) {
			if status/100 == 3 {
				w.Header().Set("Location", "/"+r.Header.Get("X-Key")+r.URL.Path+"?"+inEnv)
			}
			w.WriteHeader(status)
			for _, secret := range []string{inHeader, inEnv, signing, password} {
				for _, form := range encodings(secret) {
					_, _ = io.WriteString(w, form+" ")
				}
			}
		}
	}
	verdicts := map[rollout.Status]bool{}
	for _, status := range []int{200, 202, 403, 500, 503, 302, 100} {
		url := serve(t, echo(status))
		if status == 100 {
			url = "http://127.0.0.1:1"
		}
		g, err := gate.NewWebhook(gate.Webhook{
			Request: gate.Request{
				URL:        strings.Replace(url, "http://", "http://user:pa55%20word@", 1) + "/" + inPath + "?token=" + inEnv,
				Headers:    map[string]string{"X-Key": inHeader},
				HeadersEnv: map[string]string{"X-Token": "TOKEN"},
			},
			SecretEnv: "SECRET",
		}, gate.Dependencies{Lookup: lookupIn(map[string]string{"TOKEN": "Token " + inEnv, "SECRET": signing})})
		if err != nil {
			t.Fatal(err)
		}
		v := g.Evaluate(t.Context(), canaryInput())
		verdicts[v.Status] = true
		wantNoSecret(t, v, inHeader, inEnv, signing, password, inPath)
	}
	if len(verdicts) != 4 {
		t.Errorf("got only the verdicts %v, want all 4", verdicts)
	}
}
