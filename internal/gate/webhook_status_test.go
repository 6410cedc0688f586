package gate_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Services that were made for other tools have codes of their own, such as 403 for "closed".
func TestWebhook_codes(t *testing.T) {
	for _, tt := range []struct {
		success, pending []int
		status           int
		want             rollout.Status
	}{
		{nil, []int{403}, 403, rollout.Inconclusive},
		{nil, []int{403}, 202, rollout.Inconclusive},
		{nil, []int{403}, 200, rollout.Pass},
		{nil, []int{403}, 404, rollout.Fail},
		{nil, []int{503}, 503, rollout.Inconclusive},
		{nil, []int{204}, 204, rollout.Inconclusive},
		{[]int{204}, nil, 204, rollout.Pass},
		{[]int{204}, nil, 200, rollout.Errored},
		{[]int{204}, nil, 202, rollout.Inconclusive},
		{[]int{200, 202}, nil, 202, rollout.Pass},
		{[]int{200, 302}, nil, 302, rollout.Pass},
		{[]int{200, 409}, nil, 409, rollout.Pass},
		{[]int{200}, []int{500}, 500, rollout.Inconclusive},
	} {
		t.Run(fmt.Sprint(tt.success, tt.pending, tt.status), func(t *testing.T) {
			url := serve(t, respond(tt.status, ""))
			v := evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url}, SuccessCodes: tt.success, PendingCodes: tt.pending})
			wantVerdictFrom(t, v, url, tt.want)
		})
	}
}

func TestWebhook_retryAfter(t *testing.T) {
	date := time.Date(2026, time.March, 1, 10, 20, 30, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		status int
		header string
		want   time.Duration
	}{
		{"seconds", 503, "40", 40 * time.Second},
		{"too many requests", 429, " 2 ", 2 * time.Second},
		{"a date, by the clock of the server", 503, date.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{"a date in RFC 850", 429, date.Add(time.Minute).Format(time.RFC850), time.Minute},
		{"a date in the past", 503, date.Add(-time.Hour).Format(http.TimeFormat), 0},
		{"zero", 503, "0", 0},
		{"negative", 503, "-5", 0},
		{"not a whole number", 503, "1.5", 0},
		{"much too large", 503, "99999999999999999999", 0},
		{"text", 503, "soon", 0},
		{"none", 503, "", 0},
		{"of a status that has none", 502, "40", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", date.Format(http.TimeFormat))
				w.Header().Set("Retry-After", tt.header)
				w.WriteHeader(tt.status)
			})
			v := evaluateWebhook(t.Context(), t, gate.Webhook{Request: gate.Request{URL: url}})
			if v.Status != rollout.Errored || v.RetryAfter != tt.want {
				t.Errorf("got %s after %s: %s, want %s", v.Status, v.RetryAfter, v.Detail, tt.want)
			}
		})
	}
}

// A receiver recognizes a request that arrives twice, whatever the gate is called.
func TestWebhook_idempotencyKey(t *testing.T) {
	in := canaryInput()
	for _, tt := range []struct {
		change func(in *rollout.GateInput)
		want   string
	}{
		{func(*rollout.GateInput) {}, "3f2a/approve/2/17"},
		{func(in *rollout.GateInput) { in.Call++ }, "3f2a/approve/2/18"},
		{func(in *rollout.GateInput) { in.Step = 0 }, "3f2a/approve/0/17"},
		{func(in *rollout.GateInput) { in.Gate = "ja/nein é" }, "3f2a/ja%2Fnein%20%C3%A9/2/17"},
	} {
		changed := in
		tt.change(&changed)
		req, _ := sentRequest(t, gate.Webhook{}, nil, changed)
		if got := req.Header.Get("Idempotency-Key"); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
