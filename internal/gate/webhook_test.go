package gate_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// canary is the second step of a shift of two entry points, 95 seconds old.
func canary() rollout.GateInput {
	began := time.Now().Add(-95*time.Second - 500*time.Millisecond)
	return rollout.GateInput{
		Shift: "3f2a", Gate: "approve", From: shift.Sole("blue"), To: shift.Weights{"blue": 0, "green": shift.Full},
		Part: shift.During, Step: 2, Steps: 3, Weights: shift.Weights{"blue": 875, "green": 125},
		StartedAt: began, ChangedAt: began.Add(time.Minute), Attempt: 4,
		Incoming: []rollout.Backend{
			{Entry: "web", Environment: "green", Group: "arn:green-web", Routes: []string{"arn:listener", "arn:rule"}},
			{Entry: "api", Environment: "green", Group: "arn:green-api", Routes: []string{"arn:api"}},
		},
		Live: []rollout.Backend{
			{Entry: "web", Environment: "blue", Group: "arn:blue-web", Routes: []string{"arn:listener", "arn:rule"}},
			{Entry: "api", Environment: "blue", Group: "arn:blue-api", Routes: []string{"arn:api"}},
		},
	}
}

// proof is that of an environment, of whose groups one is in no route.
func proof() rollout.GateInput {
	now := time.Now()
	return rollout.GateInput{
		Shift: "77", Gate: "approve", To: shift.Sole("green"), Part: shift.Before, Weights: shift.Weights{}, StartedAt: now, ChangedAt: now, Attempt: 1,
		Incoming: []rollout.Backend{{Entry: "web", Environment: "green", Group: "arn:green-web"}},
	}
}

func hook(ctx context.Context, t *testing.T, c gate.Webhook) rollout.Verdict {
	t.Helper()
	g, err := gate.NewWebhook(c, gate.Dependencies{Lookup: environment(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return g.Evaluate(ctx, canary())
}

func TestWebhook_verdicts(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		said   rollout.Status
	}{
		{200, "thank you", "pass"},
		{204, "", "pass"},
		{299, "", "pass"},
		{202, "waiting for\n Anna", "inconclusive"},
		{425, "", "inconclusive"},
		{403, "denied by Anna\nticket 7", "fail"},
		{400, "", "fail"},
		{503, strings.Repeat("x", 9000), "fail"},
		{304, "", "error"},
		{600, "", "error"},
	} {
		url := serve(t, always(tt.status, tt.body))
		want(t, hook(t.Context(), t, gate.Webhook{URL: url + "/services/T000/secret"}), url, tt.said)
	}
}

func TestWebhook_doesNotFollowARedirect(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				t.Error("a second request came")
			}
			http.Redirect(w, r, "https://elsewhere.example.com/login?token=hidden", status)
		})
		want(t, hook(t.Context(), t, gate.Webhook{URL: url}), url,
			rollout.Errored)
	}
}

// takeAndHang reads the body first, without which a server does not see that a
// request was given up.
func takeAndHang(n int, w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	hang(n, w, r)
}

func TestWebhook_errsWhereNobodyAnswers(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	got := hook(t.Context(), t, gate.Webhook{URL: closed.URL})
	want(t, got, closed.URL, rollout.Errored)
	url := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			err = conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	want(t, hook(t.Context(), t, gate.Webhook{URL: url}), url, "error")

	url = serve(t, takeAndHang)
	got = hook(timesOut{untilSent(t, 1)}, t, gate.Webhook{URL: url})
	want(t, got, url, "error")
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("the cause is %v", got.Err)
	}
	want(t, hook(untilSent(t, 1), t, gate.Webhook{URL: url}), url, "error")
}

// TestWebhook_doesNotWaitForWords: the status has decided. The server ends its
// answer only when it is given up.
func TestWebhook_doesNotWaitForWords(t *testing.T) {
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "denied")
		_ = http.NewResponseController(w).Flush()
		takeAndHang(0, w, r)
	})
	want(t, hook(t.Context(), t, gate.Webhook{URL: url}), url, "fail")
}

// posted is what a gate sends for a moment.
func posted(t *testing.T, c gate.Webhook, variables map[string]string, m rollout.GateInput) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	c.URL = serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	g, err := gate.NewWebhook(c, gate.Dependencies{Lookup: environment(variables)})
	if err != nil {
		t.Fatal(err)
	}
	if v := g.Evaluate(t.Context(), m); v.Status != rollout.Pass {
		t.Fatalf("the gate says %+v", v)
	}
	return got, body
}

func TestWebhook_tellsWhereTheShiftStands(t *testing.T) {
	m := canary()
	req, body := posted(t, gate.Webhook{Headers: map[string]string{"Host": "hooks.example.com", "X-Team": "web"}}, nil, m)
	if req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" || req.Host != "hooks.example.com" ||
		req.Header.Get("X-Team") != "web" || req.UserAgent() != "terraform-provider-bluegreen" || req.Header.Get(gate.SignatureHeader) != "" {
		t.Errorf("it sent %s to %s with %v", req.Method, req.Host, req.Header)
	}
	moment := func(at time.Time) string { return at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }
	wanted := fmt.Sprintf(`{"version":1,"gate":"approve","shift":"3f2a",`+
		`"switch":{"routes":{"api":["arn:api"],"web":["arn:listener","arn:rule"]}},`+
		`"incoming":{"green":{"version":null,"target_groups":{"api":"arn:green-api","web":"arn:green-web"}}},`+
		`"live":{"blue":{"version":null,"target_groups":{"api":"arn:blue-api","web":"arn:blue-web"}}},`+
		`"from":{"blue":100},"to":{"blue":0,"green":100},"weights":{"blue":87.5,"green":12.5},`+
		`"part":"during","step":2,"steps":3,"started_at":%q,"changed_at":%q,"elapsed_seconds":95,"attempt":4}`, moment(m.StartedAt), moment(m.ChangedAt))
	// The test may stand still for a second.
	if got := regexp.MustCompile(`"elapsed_seconds":(9[5-9]|\d{3,})`).ReplaceAllString(string(body), `"elapsed_seconds":95`); got != wanted {
		t.Errorf("it sent\n%s\nwant\n%s", got, wanted)
	}
	m = proof()
	_, body = posted(t, gate.Webhook{}, nil, m)
	wanted = fmt.Sprintf(`{"version":1,"gate":"approve","shift":"77","switch":{"routes":{}},`+
		`"incoming":{"green":{"version":null,"target_groups":{"web":"arn:green-web"}}},"live":{},"from":null,"to":{"green":100},"weights":{},`+
		`"part":"before","step":0,"steps":0,"started_at":%q,"changed_at":%q,"elapsed_seconds":0,"attempt":1}`, moment(m.StartedAt), moment(m.ChangedAt))
	if got := regexp.MustCompile(`"elapsed_seconds":\d+`).ReplaceAllString(string(body), `"elapsed_seconds":0`); got != wanted {
		t.Errorf("it sent\n%s\nwant\n%s", got, wanted)
	}
}

func TestWebhook_signs(t *testing.T) {
	before := time.Now().Unix()
	req, body := posted(t, gate.Webhook{SecretEnv: "SECRET"}, map[string]string{"SECRET": "a\nsecret"}, canary())
	timestamp := req.Header.Get("X-Bluegreen-Timestamp")
	mac := hmac.New(sha256.New, []byte("a\nsecret"))
	_, _ = mac.Write(append([]byte(timestamp+"."), body...))
	if got, wanted := req.Header.Get("X-Bluegreen-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != wanted {
		t.Errorf("it signed %s, want %s", got, wanted)
	}
	var at int64
	if _, err := fmt.Sscan(timestamp, &at); err != nil || at < before || at > time.Now().Unix() {
		t.Errorf("it was sent at %q: %v", timestamp, err)
	}
}

// schema is what the tests look at of the schema of the body.
type schema struct {
	Type        any               `json:"type"` // a word or some
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	Items       *schema           `json:"items"`
	Enum        []any             `json:"enum"`
	Const       any               `json:"const"`
}

// holds reports what of a value the schema does not allow, or does not describe.
func (s schema) holds(at string, value any) []string {
	var faults []string
	kinds := map[string]bool{}
	for _, kind := range append(slices.Clone(anyList(s.Type)), s.kindOfConst()...) {
		kinds[fmt.Sprint(kind)] = true
	}
	kind := kindOf(value)
	if kind == "integer" && kinds["number"] {
		kind = "number"
	}
	if !kinds[kind] {
		faults = append(faults, fmt.Sprintf("%s is %s, not %v", at, kind, s.Type))
	}
	if s.Enum != nil && !slices.Contains(s.Enum, value) || s.Const != nil && !reflect.DeepEqual(s.Const, value) {
		faults = append(faults, fmt.Sprintf("%s is %v", at, value))
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range s.Required {
			if _, ok := v[key]; !ok {
				faults = append(faults, at+" has no "+key)
			}
		}
		for key, inner := range v {
			faults = append(faults, s.property(at, key).holds(at+"."+key, inner)...)
		}
	case []any:
		for _, inner := range v {
			faults = append(faults, s.Items.holds(at+"[]", inner)...)
		}
	}
	return faults
}

func (s schema) kindOfConst() []any {
	if s.Type == nil && s.Const != nil {
		return []any{kindOf(s.Const)}
	}
	return nil
}

// property is the schema of a property; one that nothing fits where it is not
// described.
func (s schema) property(at, key string) schema {
	if p, ok := s.Properties[key]; ok {
		return p
	}
	var rest schema
	if err := json.Unmarshal(s.Additional, &rest); err != nil {
		return schema{Type: "described, as " + at + " has no property " + key}
	}
	return rest
}

func anyList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return fmt.Sprintf("%T", value)
}

// undescribed are the properties without a word on them.
func (s schema) undescribed(at string) []string {
	var found []string
	if s.Description == "" {
		found = append(found, at)
	}
	for key, p := range s.Properties {
		found = append(found, p.undescribed(at+"."+key)...)
	}
	return found
}

// TestWebhook_sendsWhatTheSchemaSays: nothing that is not described, and all that
// is.
func TestWebhook_sendsWhatTheSchemaSays(t *testing.T) {
	text, err := os.ReadFile("../../templates/webhook.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]rollout.GateInput{"a step": canary(), "a proof": proof(), "nothing": {Part: shift.After, Attempt: 1}} {
		_, body := posted(t, gate.Webhook{}, nil, m)
		var value map[string]any
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatal(err)
		}
		for _, fault := range s.holds("the body", value) {
			t.Errorf("%s: %s", name, fault)
		}
		sent, described := slices.Sorted(maps.Keys(value)), slices.Sorted(maps.Keys(s.Properties))
		if !slices.Equal(sent, described) || !slices.Equal(described, slices.Sorted(slices.Values(s.Required))) {
			t.Errorf("%s: it sends %v, described are %v, of which these are required: %v", name, sent, described, s.Required)
		}
	}
	if found := s.undescribed("the body"); found != nil {
		t.Errorf("these have no description: %v", found)
	}
}

func TestWebhook_badArguments(t *testing.T) {
	means := gate.Dependencies{Lookup: environment(map[string]string{"SET": "1", "EMPTY": ""})}
	for _, tt := range []struct {
		c gate.Webhook
	}{
		{gate.Webhook{}},
		{gate.Webhook{URL: "ws://h"}},
		{gate.Webhook{URL: "http://h", Headers: map[string]string{"X Y": "1"}}},
		{gate.Webhook{URL: "http://h", Headers: map[string]string{"content-type": "text/plain"}}},
		{gate.Webhook{URL: "http://h", HeadersEnv: map[string]string{"X-Bluegreen-Signature-256": "SET"}}},
		{gate.Webhook{URL: "http://h", HeadersEnv: map[string]string{"X": "UNSET"}}},
		{gate.Webhook{URL: "http://h", SecretEnv: "UNSET"}},
		{gate.Webhook{URL: "http://h", SecretEnv: "EMPTY"}},
		{gate.Webhook{URL: "http://h", SecretEnv: "A=B"}},
	} {
		g, err := gate.NewWebhook(tt.c, means)
		if g != nil || err == nil {
			t.Errorf("NewWebhook takes %+v", tt.c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	if _, err := gate.NewWebhook(gate.Webhook{URL: "http://h", SecretEnv: "UNSET"}, means); !errors.Is(err, gate.ErrUnset) {
		t.Errorf("%v is not ErrUnset", err)
	}
}

// encodings are the ways in which a secret is looked for.
func encodings(secret string) []string {
	return []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))}
}

// wantNoSecret looks for secrets in all that a verdict says.
func wantNoSecret(t *testing.T, v rollout.Verdict, secrets ...string) {
	t.Helper()
	said := fmt.Sprintf("%s %v %+v", v.Detail, v.Err, v)
	for _, secret := range secrets {
		for _, form := range encodings(secret) {
			if strings.Contains(said, form) {
				t.Errorf("this holds %q: %s", form, said)
			}
		}
	}
}

func TestWebhook_neverTellsASecret(t *testing.T) {
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
	answers := map[rollout.Status]bool{}
	for _, status := range []int{200, 202, 403, 500, 302, 100} {
		url := serve(t, echo(status))
		if status == 100 {
			url = "http://127.0.0.1:1"
		}
		g, err := gate.NewWebhook(gate.Webhook{
			URL:     strings.Replace(url, "http://", "http://user:pa55%20word@", 1) + "/" + inPath + "?token=" + inEnv,
			Headers: map[string]string{"X-Key": inHeader}, HeadersEnv: map[string]string{"X-Token": "TOKEN"}, SecretEnv: "SECRET",
		}, gate.Dependencies{Lookup: environment(map[string]string{"TOKEN": "Token " + inEnv, "SECRET": signing})})
		if err != nil {
			t.Fatal(err)
		}
		v := g.Evaluate(t.Context(), canary())
		answers[v.Status] = true
		wantNoSecret(t, v, inHeader, inEnv, signing, password, inPath)
	}
	if len(answers) != 4 {
		t.Errorf("only these were looked at: %v", answers)
	}
}
