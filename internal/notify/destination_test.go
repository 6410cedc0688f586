package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// lookupIn returns a Lookup of these variables.
func lookupIn(variables map[string]string) gate.Lookup {
	return func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
}

// sentTo starts a notifier, plays a shift and returns what was not delivered.
func sentTo(t *testing.T, d Destination, variables map[string]string, events ...rollout.Event) []Undelivered {
	t.Helper()
	n := Start(t.Context(), Options{Destinations: []Destination{d}, Shift: sampleShift(), Lookup: lookupIn(variables)})
	n.play(events...)
	return n.Close(t.Context(), began, completed())
}

type request struct {
	header http.Header
	body   []byte
}

// receiving is a server that keeps what it got.
func receiving(t *testing.T) (url string, requests chan request) {
	requests = make(chan request, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r.Header.Clone(), body}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, requests
}

func macOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func TestWebhook_isSigned(t *testing.T) {
	url, requests := receiving(t)
	standard := []byte("0123456789abcdef0123456789abcdef")
	d := Destination{Name: "audit", Webhook: &gate.Webhook{SecretEnv: "OWN", StandardSecretEnv: "STANDARD",
		Request: gate.Request{URL: url, Headers: map[string]string{"X-Team": "web"}, HeadersEnv: map[string]string{"Authorization": "TOKEN"}}}}
	left := sentTo(t, d, map[string]string{"OWN": "a secret", "STANDARD": "whsec_" + base64.StdEncoding.EncodeToString(standard), "TOKEN": "Bearer abc"}, opening(shift.Forward)...)
	if left != nil || len(requests) != 2 {
		t.Fatalf("got %d requests, not delivered: %+v", len(requests), left)
	}
	for _, want := range []Event{Started, Completed} {
		r := <-requests
		h := r.header
		var e struct {
			ID   string
			Data Data
		}
		if err := json.Unmarshal(r.body, &e); err != nil || e.Data.Event != want || e.ID == "" {
			t.Errorf("got %s: %v", r.body, err)
		}
		signed := h.Get("X-Bluegreen-Timestamp") + "." + string(r.body)
		if got := h.Get("X-Bluegreen-Signature-256"); got != "sha256="+hex.EncodeToString(macOf([]byte("a secret"), signed)) {
			t.Errorf("the signature is %s", got)
		}
		if got := h.Get("Webhook-Signature"); got != "v1,"+base64.StdEncoding.EncodeToString(macOf(standard, h.Get("Webhook-Id")+"."+h.Get("Webhook-Timestamp")+"."+string(r.body))) {
			t.Errorf("the signature of Standard Webhooks is %s", got)
		}
		if h.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || h.Get("Idempotency-Key") != e.ID || h.Get("X-Team") != "web" || h.Get("Authorization") != "Bearer abc" || h.Get("User-Agent") != "terraform-provider-bluegreen" {
			t.Errorf("the headers are %v", h)
		}
	}
}

const slackSecret = "T0EXAMPLE/B0EXAMPLE/s3cr3tsl4ck"

// A URL of Slack appears in no text, whatever the server does.
func TestSlack_urlIsSecret(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	_ = closed.Close()
	var other atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc // nil: connections are refused
		url     string           // nil: that of the handler
		want    string
	}{
		{"not found", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no_service "+r.URL.String(), http.StatusNotFound)
		}, "", "status 404"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}, "", "redirects are not followed"},
		{"escaped", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, strings.ReplaceAll(r.URL.Path, "/", "%2F"), http.StatusForbidden)
		}, "", "status 403"},
		{"refused", nil, "http://" + refused + "/services/" + slackSecret, "no response: dial tcp"},
		{"no URL", nil, "hooks.slack.com/services/" + slackSecret, "SLACK_URL"},
		{"a port that is none", nil, "https://hooks.slack.com:" + slackSecret, "SLACK_URL"},
		{"unset", nil, " ", "the environment variable is not set: SLACK_URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := tt.url
			if tt.handler != nil {
				srv := httptest.NewServer(tt.handler)
				t.Cleanup(srv.Close)
				url = srv.URL + "/services/" + slackSecret
			}
			n := Start(t.Context(), Options{Destinations: []Destination{{Name: "on-call", Slack: &Slack{URLEnv: "SLACK_URL"}}}, Shift: sampleShift(), Lookup: lookupIn(map[string]string{"SLACK_URL": url})})
			n.play(opening(shift.Forward)...)
			left := n.Close(t.Context(), began, completed())
			if len(left) != 1 || !strings.Contains(left[0].Cause, tt.want) || !slices.Equal(left[0].Events, []Event{Started, Completed}) {
				t.Fatalf("not delivered %+v", left)
			}
			for _, part := range append(strings.Split(slackSecret, "/"), slackSecret) {
				if strings.Contains(left[0].Cause, part) {
					t.Errorf("the secret is in %q", left[0].Cause)
				}
			}
			if other.Load() != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestSlack_isSent(t *testing.T) {
	url, requests := receiving(t)
	left := sentTo(t, Destination{Name: "on-call", Slack: &Slack{URLEnv: "SLACK_URL"}}, map[string]string{"SLACK_URL": url + "/services/" + slackSecret + "\n"}, opening(shift.Forward)...)
	if left != nil || len(requests) != 2 {
		t.Fatalf("got %d requests, not delivered: %+v", len(requests), left)
	}
	r := <-requests
	var m slackMessage
	if err := json.Unmarshal(r.body, &m); err != nil || m.Text != "Shift of web and api started: blue 100 %" || len(m.Blocks) == 0 || r.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("got %s, %v: %v", r.body, r.header, err)
	}
}

// A destination that cannot be opened names every variable that is missing, and nothing is sent.
func TestWebhook_variablesAreMissing(t *testing.T) {
	url, requests := receiving(t)
	d := Destination{Name: "audit", Webhook: &gate.Webhook{SecretEnv: "OWN", Request: gate.Request{URL: url, HeadersEnv: map[string]string{"Authorization": "TOKEN"}}}}
	left := sentTo(t, d, nil, opening(shift.Forward)...)
	want := `headers_env["Authorization"]: the environment variable is not set: TOKEN; secret_env: the environment variable is not set: OWN`
	if len(left) != 1 || !left[0].Setup || left[0].Cause != want || len(requests) != 0 {
		t.Errorf("got %d requests, not delivered %+v", len(requests), left)
	}
}
