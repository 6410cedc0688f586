package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// notified is a configuration with blocks notify.
func notified(text string, blocks ...string) string {
	return strings.Replace(text, "provider \"bluegreen\" {\n", "provider \"bluegreen\" {\n"+strings.Join(blocks, "\n")+"\n", 1)
}

// notifyBlock returns the block of a destination.
func notifyBlock(name string, lines ...string) string {
	return block("notify", append([]string{fmt.Sprintf("name = %q", name)}, lines...)...)
}

// everyEvent is an argument of a destination that gets all events.
const everyEvent = `events = ["started", "step", "paused", "approval_needed", "rolled_back", "completed", "failed"]`

// notice is a notification as it arrives, with what the tests compare.
type notice struct {
	Type, Source, Subject, ID string
	Data                      struct {
		Event, Summary, Kind, Gate, Reason, Command, Outcome, Report string
		Versions                                                     map[string]string
		From, To, Weights                                            map[string]float64
		Step, Steps                                                  int
	}
}

// hook is a receiver of notifications. A secret is that of the signature.
type hook struct {
	t      *testing.T
	url    string
	secret string

	mu     sync.Mutex
	bodies [][]byte
}

func newHook(t *testing.T, secret string) *hook {
	t.Helper()
	h := &hook{t: t, secret: secret}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, body)
	if h.secret == "" {
		return
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(r.Header.Get("X-Bluegreen-Timestamp") + "." + string(body)))
	if got := r.Header.Get("X-Bluegreen-Signature-256"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		h.t.Errorf("the signature is %s", got)
	}
}

// take returns what arrived since the last call.
func (h *hook) take() (all []notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.bodies {
		var n notice
		if err := json.Unmarshal(body, &n); err != nil {
			h.t.Fatalf("%v: %s", err, body)
		}
		if n.Type != "io.github.bluegreen.shift."+n.Data.Event || !strings.HasPrefix(n.ID, n.Subject+"/") {
			h.t.Errorf("got %+v", n)
		}
		all = append(all, n)
	}
	h.bodies = nil
	return all
}

// took returns the events and summaries of notices.
func summariesOf(all []notice) string {
	text := ""
	for _, n := range all {
		text += fmt.Sprintf("%s: %s [%d/%d, %s]\n", n.Data.Event, n.Data.Summary, n.Data.Step, n.Data.Steps, n.Data.Outcome)
	}
	return text
}

// want compares what arrived since the last call.
func (h *hook) want(what, want string) []notice {
	h.t.Helper()
	all := h.take()
	if got := summariesOf(all); got != want {
		h.t.Errorf("%s: got\n%swant\n%s", what, got, want)
	}
	return all
}

// The webhook gets every event of a release by steps, the rollback by a gate, and the refusal of the
// version; Slack gets what it asks for. An apply that changes nothing sends nothing.
func TestNotify_releases(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	audit, slack := newHook(t, "of the webhook"), newHook(t, "")
	t.Setenv("NOTIFY_KEY", "of the webhook")
	t.Setenv("NOTIFY_SLACK", slack.url+"/services/T0/B0/hidden")
	write := func(h hcl) {
		w.write(notified(h.in(s.bench),
			notifyBlock("audit", everyEvent, block("webhook", fmt.Sprintf("url = %q", audit.url), `secret_env = "NOTIFY_KEY"`)),
			notifyBlock("on-call", `events = ["rolled_back", "completed"]`, block("slack", `url_env = "NOTIFY_SLACK"`))))
	}
	write(s.guarded("blue"))
	w.apply().ok()
	audit.take() // the Create, which may find blue without traffic
	slack.bodies = nil
	w.apply().ok()
	audit.want("an apply without changes", "")
	s.green.status.Store(http.StatusInternalServerError)
	write(s.guarded("green"))
	failed := w.apply()
	all := audit.want("a rollback", "started: Shift of web started: blue 100 % [0/0, ]\nstep: Shift of web at step 1 of 2: blue 95 %, green 5 % [1/2, ]\nrolled_back: Shift of web rolled back: blue 100 % [1/2, rolled_back]\n")
	if last := all[len(all)-1]; failed.err == nil || last.Data.Gate != "smoke" || last.Data.Reason != w.lastShift()["reason"] || last.Source != s.listener {
		t.Errorf("got %+v, and in the state %v", last, w.lastShift()["reason"])
	}
	w.apply()
	audit.want("a refusal", "failed: Shift of web failed: blue 100 % [0/0, failed]\n")
	s.green.status.Store(http.StatusOK)
	h := s.guarded("green")
	h.rest = `retry = "again"`
	write(h)
	r := w.apply()
	r.ok()
	all = audit.want("a release", "started: Shift of web started: blue 100 % [0/0, ]\nstep: Shift of web at step 1 of 2: blue 95 %, green 5 % [1/2, ]\n"+
		"step: Shift of web at step 2 of 2: green 100 % [2/2, ]\ncompleted: Shift of web completed: green 100 % [2/2, completed]\n")
	if first := all[0].Data; first.Kind != "forward" || first.From["blue"] != 100 || first.To["green"] != 100 || first.Versions["green"] != "1.1" {
		t.Errorf("got %+v", first)
	}
	if text := r.warnings(); strings.Contains(text, "Notifications") {
		t.Error(text)
	}
	var texts []string
	for _, body := range slack.bodies {
		var m struct {
			Text   string
			Blocks []map[string]any
		}
		if err := json.Unmarshal(body, &m); err != nil || len(m.Blocks) == 0 || m.Blocks[0]["type"] != "section" {
			t.Errorf("got %s: %v", body, err)
		}
		texts = append(texts, strings.SplitN(m.Text, ".", 2)[0])
	}
	if got, want := strings.Join(texts, "; "), "Shift of web rolled back: blue 100 %; Shift of web completed: green 100 %"; got != want {
		t.Errorf("Slack got %s", got)
	}
}

// A gate that a person approves is asked for once at its step, with the command that approves.
func TestNotify_approval(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	audit := newHook(t, "")
	h := s.release("green")
	h.strategy = `steps = [{ percent = 50, hold = "1ms" }]`
	h.gates = gateBlock("go", "at_percent = [50]", block("approval", `timeout = "1s"`, `on_timeout = "continue"`, `message = "Are the orders complete?"`))
	w.write(notified(h.in(s.bench), notifyBlock("audit", block("webhook", fmt.Sprintf("url = %q", audit.url)))))
	w.apply().ok()
	all := audit.want("an approval", "started: Shift of web started: blue 100 % [0/0, ]\napproval_needed: Shift of web needs an approval (gate \"go\"): blue 50 %, green 50 % [1/2, ]\ncompleted: Shift of web completed: green 100 % [2/2, completed]\n")
	if asked := all[1].Data; asked.Gate != "go" || asked.Command != "bluegreen approve --gate go --route "+s.listener || asked.Reason != "waiting for approval: Are the orders complete?" {
		t.Errorf("got %+v", asked)
	}
}

// A destination that never answers is no part of the shift: the end is notified of after the time in
// the state. The warnings name the destinations, and no secret.
func TestNotify_hangs(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	ended, arrived := make(chan struct{}), make(chan time.Time, 100)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the end of the connection is not noticed
		arrived <- time.Now()
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(ended) })
	t.Setenv("NOTIFY_HANGS", hanging.URL+"/services/T0/B0/hidden-token")
	t.Setenv("NOTIFY_GONE", "")
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such hook: "+r.Header.Get("Authorization"), http.StatusNotFound)
	}))
	t.Cleanup(refuses.Close)
	t.Setenv("NOTIFY_TOKEN", "Bearer hidden-too")
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }, { percent = 50, hold = "1ms" }]`
	w.write(notified(h.in(s.bench),
		notifyBlock("hangs", everyEvent, block("slack", `url_env = "NOTIFY_HANGS"`)),
		notifyBlock("refuses", block("webhook", fmt.Sprintf("url = \"%s/hooks/web\"", refuses.URL), `headers_env = { Authorization = "NOTIFY_TOKEN" }`)),
		notifyBlock("unset", block("slack", `url_env = "NOTIFY_GONE"`))))
	r := w.apply()
	r.ok()
	s.want("app-blue 0, app-green 100")
	close(arrived)
	var end time.Time
	for at := range arrived {
		end = at
	}
	if finished, err := time.Parse(time.RFC3339, fmt.Sprint(w.lastShift()["finished_at"])); err != nil || end.Before(finished) {
		t.Errorf("the shift finished at %s, and its end arrived at %s: %v", finished, end, err)
	}
	text := r.warnings()
	if strings.Contains(text, "hidden") {
		t.Errorf("the warnings have a secret:\n%s", text)
	}
	golden.Check(t, text, golden.Replace(hanging.URL, "<hanging>"), golden.Replace(refuses.URL, "<refuses>"), golden.ReplacePattern(`(in|after) [0-9.]+[mµ]?s`, "$1 <time>"))
}

// What the configuration alone shows is an error of terraform validate.
func TestNotify_badArguments(t *testing.T) {
	t.Parallel()
	slack := block("slack", `url_env = "SLACK_URL"`)
	for name, blocks := range map[string][]string{
		"events":      {notifyBlock("a", `events = ["rolled_back", "rollback", "rolled_back"]`, slack), notifyBlock("b", "events = []", slack), notifyBlock("c", "events = [null]", slack)},
		"kinds":       {notifyBlock("a"), notifyBlock("b", slack, block("webhook", `url = "https://hooks.example.com"`))},
		"names":       {notifyBlock("a", slack), notifyBlock("a", slack), notifyBlock("", slack), notifyBlock(" b", slack)},
		"urls":        {notifyBlock("a", block("webhook", `url = "hooks.example.com/hidden"`)), notifyBlock("b", block("webhook", `url = "https://hooks.example.com/{{incoming.version}}"`)), notifyBlock("c", block("webhook", `url = ""`))},
		"variables":   {notifyBlock("a", block("slack", `url_env = "https://hooks.slack.com/services/T0/B0/hidden"`)), notifyBlock("b", block("slack", `url_env = ""`)), notifyBlock("c", block("webhook", `url = "https://hooks.example.com"`, `secret_env = "A=B"`))},
		"headers":     {notifyBlock("a", block("webhook", `url = "https://hooks.example.com"`, `headers = { Content-Type = "text/plain", "X Y" = "1" }`, `headers_env = { Webhook-Id = "ID" }`))},
		"connections": {notifyBlock("a", block("webhook", `url = "http://hooks.example.com"`, `ca_file = "ca.pem"`)), notifyBlock("b", block("webhook", `url = "https://hooks.example.com"`, `client_cert_file = "c.pem"`))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			found := w.validated(map[string]string{"main": notified(settingsAt("http://127.0.0.1:1", ""), blocks...) + good().resource("web")})["main"]
			text := ""
			for _, d := range found {
				text += d.Summary + ": " + d.Detail + "\n"
			}
			if strings.Contains(text, "hidden") {
				t.Error("a text has a secret")
			}
			golden.CheckPart(t, "errors", text)
		})
	}
}

// Arguments that are known only after apply are no error of the plan.
func TestNotify_unknownArguments(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	audit := newHook(t, "")
	h := s.guarded("green")
	h.before = fmt.Sprintf("\nresource \"terraform_data\" \"url\" { input = %q }\n", audit.url)
	w.write(notified(h.in(s.bench), notifyBlock("audit", block("webhook", "url = terraform_data.url.output"))))
	w.apply().ok()
	audit.want("a release", "started: Shift of web started: blue 100 % [0/0, ]\ncompleted: Shift of web completed: green 100 % [2/2, completed]\n")
}

// The examples of the guide and of the provider are valid.
func TestNotify_examplesAreValid(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "templates", "guides", "notifications.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(guide), "```terraform\n")
	example, _, _ = strings.Cut(example, "```")
	provider, err := os.ReadFile(filepath.Join("..", "..", "examples", "provider", "provider.tf"))
	if err != nil {
		t.Fatal(err)
	}
	terraform, _, _ := strings.Cut(string(provider), "provider \"bluegreen\" {")
	for name, text := range map[string]string{"guide": terraform + example, "example": string(provider)} {
		if strings.Count(text, "notify {") == 0 {
			t.Errorf("the %s has no block notify", name)
		}
		if found := newWorkspace(t).validated(map[string]string{"main": text + good().resource("web")}); len(found) != 0 {
			t.Errorf("the %s: %v", name, found)
		}
	}
}
