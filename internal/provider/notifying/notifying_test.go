package notifying

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/notify"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"

// receiving is a server and what it got.
func receiving(t *testing.T) (url string, got chan map[string]any) {
	got = make(chan map[string]any, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e struct{ Data map[string]any }
		if err := json.Unmarshal(body, &e); err != nil || r.Header.Get("Authorization") != "Bearer hidden" {
			t.Errorf("got %s with %v: %v", body, r.Header, err)
		}
		got <- e.Data
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

func lookup(name string) (string, bool) {
	if name == "TOKEN" {
		return "Bearer hidden", true
	}
	return "", false
}

func settingsFor(url string) Settings {
	return Settings{lookup: lookup, destinations: []notify.Destination{{Name: "audit", Webhook: &gate.Webhook{Request: gate.Request{URL: url, HeadersEnv: map[string]string{"Authorization": "TOKEN"}}}}}}
}

// anApply is a shift from blue to green.
func anApply() release.Apply {
	a := release.Apply{Started: time.Now(), Desired: release.Desired{Routes: []traffic.Route{{Entry: "web", ID: listener}}, Weights: shift.Sole("green"),
		Environments: map[string]release.Environment{"blue": {Version: "1.0", Groups: map[string]string{"web": "arn:blue"}}, "green": {Version: "1.1", Groups: map[string]string{"web": "arn:green"}}}}}
	a.Spec.ID = "20261102T093000Z-0a1b"
	return a
}

// What is handed over has no secret, and is enough for the guardian to notify of what it did.
func TestContinue(t *testing.T) {
	for name, tt := range map[string]struct {
		stop          bool
		err           error
		event, reason string
	}{
		"rolled back": {false, nil, "rolled_back", "the process of the shift died, and its guardian returned the traffic"},
		"stopped":     {true, nil, "failed", "the process of the shift died, and the traffic was left where it was"},
		"failed":      {false, errors.New("denied"), "failed", "the process of the shift died, and its guardian could not return the traffic: denied"},
	} {
		t.Run(name, func(t *testing.T) {
			url, got := receiving(t)
			n := settingsFor(url).Start(t.Context(), anApply(), "")
			text := n.Handover()
			if len(text) == 0 || strings.Contains(string(text), "hidden") {
				t.Fatalf("handed over is %s", text)
			}
			h := &rollout.Handover{Stop: tt.stop, Routes: []rollout.HandedRoute{{ID: listener, Entry: "web", Current: traffic.State{Weights: map[string]int{"arn:blue": 95, "arn:green": 5}}}}}
			c := Continue(t.Context(), text, h, lookup)
			if !tt.stop {
				c.OnEvent(rollout.Event{Kind: rollout.RollbackStarted})
			}
			c.End(tt.err)
			data := <-got
			weights, _ := data["weights"].(map[string]any)
			if data["event"] != tt.event || data["reason"] != tt.reason || data["guardian"] != true || weights["blue"] != 95.0 || len(got) != 0 {
				t.Errorf("got %v", data)
			}
			if left := n.End(t.Context(), rollout.Result{}, nil); left != nil {
				t.Errorf("not delivered: %v", left)
			}
		})
	}
}

// Without a destination there is nothing to hand over, and an older provider hands over nothing.
func TestContinue_nothing(t *testing.T) {
	n := Settings{lookup: lookup}.Start(t.Context(), anApply(), "")
	if text := n.Handover(); text != nil || n != nil {
		t.Errorf("handed over is %s", text)
	}
	n.OnEvent(rollout.Event{Kind: rollout.ShiftStarted})
	if left := n.End(t.Context(), rollout.Result{}, nil); left != nil {
		t.Error(left)
	}
	for _, text := range []string{"", "null", "{}", "["} {
		c := Continue(t.Context(), json.RawMessage(text), &rollout.Handover{}, lookup)
		c.OnEvent(rollout.Event{Kind: rollout.RollbackStarted})
		c.End(nil)
	}
}

// A destination that is not known at the apply is a warning.
func TestEnd_unknown(t *testing.T) {
	n := Settings{lookup: lookup, unknown: []string{"later"}}.Start(t.Context(), anApply(), "")
	left := n.End(t.Context(), rollout.Result{}, errors.New("denied"))
	if len(left) != 1 || left[0].Summary() != `Notifications to "later" not delivered` || !strings.Contains(left[0].Detail(), "were not known when the apply began") || n.Handover() != nil {
		t.Errorf("got %v", left)
	}
}

// Weights that were not read after the last write are marked.
func TestEnd_unread(t *testing.T) {
	url, got := receiving(t)
	n := settingsFor(url).Start(t.Context(), anApply(), "reports/a.html")
	f := &rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RollbackFailed, Gate: "users", Detail: "50 errors"}
	n.End(t.Context(), rollout.Result{Routes: []rollout.RouteResult{{Weights: shift.Sole("green")}}}, f)
	if data := <-got; data["event"] != "failed" || data["outcome"] != "failed" || data["weights_unread"] != true || data["gate"] != "users" || data["report"] != "reports/a.html" ||
		data["reason"] != `gate "users" failed: 50 errors (the rollback failed)` || data["summary"] != "Shift of web failed: green 100 % when last read" {
		t.Errorf("got %v", data)
	}
}
