package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

var quick = rehearsal.Pace{Hold: "700ms", Settle: "300ms", SteadyFor: "300ms"}

func TestShift_losesNothingWhenTheOldVersionIsStoppedAfterwards(t *testing.T) {
	w := newWorld(t, quick)
	w.configure("green")
	mark := w.mark()
	w.mustApply()
	if err := w.Stack.Retire(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	before := w.load.Counts().Requests
	w.eventually("a second of requests after it", func() bool { return w.load.Counts().Requests > before+loadRate })
	counts := w.lostNothing()
	w.mustHaveAll("green")
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have answered: %v", counts.ByVersion)
	}
	// 5 %, 50 % and 100 %; adoption attached green already.
	if n := w.writes(mark); n != 3 {
		t.Errorf("the shift made %d writes, it should be 3", n)
	}
	if out := w.mustApply(); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
}

// A real load balancer reports new weights before all of its nodes apply them.
func TestShift_losesNothingWithSlowPropagation(t *testing.T) {
	pace := quick
	pace.Settle = "2s"
	w := newWorld(t, pace, localaws.WithPropagation(time.Second))
	w.configure("green")
	w.mustApply()
	if err := w.Stack.Retire(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	before := w.load.Counts().Requests
	w.eventually("a second of requests after it", func() bool { return w.load.Counts().Requests > before+loadRate })
	w.mustHaveAll("green")
	w.lostNothing()
}

func TestShift_rollsBackWhenGreenFailsUnderTraffic(t *testing.T) {
	w := newWorld(t, rehearsal.Pace{Hold: "10m", Settle: "300ms", SteadyFor: "300ms"})
	w.deploy("green", rehearsal.AppTerms{Version: "3", BreaksAfter: 30})
	w.configure("green")
	out := w.mustFail()
	w.mustHaveAll("blue")
	counts := w.lostNothing()
	if counts.Bad["3"] == 0 {
		t.Error("green never failed")
	}
	golden.CheckPart(t, "rolled_back", errorsIn(out), golden.Volatile()...)
	mark := w.mark()
	for range 2 {
		golden.CheckPart(t, "rejected", errorsIn(w.mustFail()), golden.Volatile()...)
	}
	if n := w.writes(mark); n != 0 {
		t.Errorf("a rejected version was shipped again: %d writes", n)
	}
	w.deploy("green", rehearsal.AppTerms{Version: "4"})
	w.Pace = quick
	w.configure("green")
	w.mustApply()
	w.mustHaveAll("green")
}

func TestShift_longRequestInFlightFinishes(t *testing.T) {
	w := newWorld(t, quick)
	w.configure("green")
	answered := make(chan string, 1)
	go func() {
		// It lasts longer than all waits of the apply, and stays on blue.
		resp, err := http.Get(w.URL + "/?for=6s")
		if err != nil {
			answered <- err.Error()
			return
		}
		_ = resp.Body.Close()
		answered <- resp.Status + " from " + resp.Header.Get(rehearsal.VersionHeader)
	}()
	w.mustApply()
	w.mustHaveAll("green")
	if got := <-answered; got != "200 OK from 1" {
		t.Errorf("the long request got %q, it should have finished on blue", got)
	}
	w.lostNothing()
}

// edit changes the configuration's text, as a user would.
func (w *world) edit(old, replacement string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path("main.tf"))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		w.t.Fatalf("main.tf has no %q", old)
	}
	if err := os.WriteFile(w.path("main.tf"), []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

const routesLine = "routes = { web = [var.listener_arn] }"

// client is an HTTP client with cookies.
func client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}
}

func (w *world) version(c *http.Client) string {
	w.t.Helper()
	resp, err := c.Get(w.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Header.Get(rehearsal.VersionHeader)
}

func TestShift_stickyClientFollowsTheShift(t *testing.T) {
	w := newWorld(t, quick)
	w.edit(routesLine, routesLine+"\n    stickiness = \"1h\"")
	w.mustApply()
	c := client(t)
	if v := w.version(c); v != "1" {
		t.Fatalf("before: version %q", v)
	}
	w.configure("green")
	w.mustApply()
	if v := w.version(c); v != "2" {
		t.Errorf("after the shift the client with blue's cookie is on version %q", v)
	}
	w.lostNothing()
}

func TestShift_stickyClientFollowsTheRollback(t *testing.T) {
	w := newWorld(t, rehearsal.Pace{Hold: "10m", Settle: "300ms", SteadyFor: "300ms"})
	w.edit(routesLine, routesLine+"\n    stickiness = \"1h\"")
	w.mustApply()
	w.configure("green")
	apply := w.start()
	w.eventually("green has 5 %", func() bool { return w.weights()["green"] > 0 })
	c := client(t)
	w.eventually("a client has met green", func() bool {
		if w.version(c) == "2" {
			return true
		}
		c = client(t) // one more browser; 5 % of them meet green
		return false
	})
	if err := proc.Interrupt(apply.command); err != nil {
		t.Fatal(err)
	}
	if out, ok := apply.wait(); ok {
		t.Fatalf("an interrupted apply succeeded:\n%s", out)
	}
	w.mustHaveAll("blue")
	if v := w.version(c); v != "1" {
		t.Errorf("after the rollback the client with green's cookie is on version %q", v)
	}
	w.lostNothing()
}
