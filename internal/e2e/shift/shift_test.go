package shift

import (
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

func TestShift_losesNothingWhenTheOldVersionIsStoppedAfterwards(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	w.MustConfigure("green")
	mark := w.Mark()
	w.MustApply()
	if err := w.Stack.Retire(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	w.MoreRequests()
	counts := w.LostNothing()
	w.MustHaveAll("green")
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have answered: %v", counts.ByVersion)
	}
	// 5 %, 50 % and 100 %; adoption attached green already.
	if n := w.Writes(mark); n != 3 {
		t.Errorf("the shift made %d writes, it should be 3", n)
	}
	if out := w.MustApply(); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
}

// A real load balancer reports new weights before all of its nodes apply them.
func TestShift_losesNothingWithSlowPropagation(t *testing.T) {
	pace := e2e.Quick()
	pace.Settle = slow.Deadline(2 * time.Second).String() // the propagation, and as much again
	w := e2e.NewWorld(t, pace, localaws.WithPropagation(time.Second))
	w.MustConfigure("green")
	w.MustApply()
	if err := w.Stack.Retire(t.Context(), "blue"); err != nil {
		t.Fatal(err)
	}
	w.MoreRequests()
	w.MustHaveAll("green")
	w.LostNothing()
}

func TestShift_rollsBackWhenGreenFailsUnderTraffic(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Endless)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "3", BreaksAfter: 30})
	w.MustConfigure("green")
	out := w.MustFail()
	w.MustHaveAll("blue")
	counts := w.LostNothing()
	if counts.Bad["3"] == 0 {
		t.Error("green never failed")
	}
	// The version may break between the requests of one evaluation.
	broken := golden.ReplacePattern(`\d of 5 requests failed: status 500, expected 200 to 299( \(\d times\))?`, "<n> of 5 requests failed: status 500, expected 200 to 299")
	texts := append(golden.Volatile(), broken)
	golden.CheckPart(t, "rolled_back", e2e.ErrorsIn(out), texts...)
	mark := w.Mark()
	for range 2 {
		golden.CheckPart(t, "rejected", e2e.ErrorsIn(w.MustFail()), texts...)
	}
	if n := w.Writes(mark); n != 0 {
		t.Errorf("a rejected version was shipped again: %d writes", n)
	}
	w.MustDeploy("green", rehearsal.AppTerms{Version: "4"})
	w.Pace = e2e.Quick()
	w.MustConfigure("green")
	w.MustApply()
	w.MustHaveAll("green")
}

func TestShift_longRequestInFlightFinishes(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	w.MustConfigure("green")
	sent, answered := make(chan struct{}, 1), make(chan string, 1)
	go func() {
		// It lasts longer than all waits of the apply, and stays on blue.
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent <- struct{}{} }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, w.URL+"/?for=6s", nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		resp, err := e2e.Client(t).Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		_ = resp.Body.Close()
		answered <- resp.Status + " from " + resp.Header.Get(rehearsal.VersionHeader)
	}()
	select {
	case <-sent:
	case got := <-answered:
		t.Fatalf("the long request got %q before the shift", got)
	}
	w.MustApply()
	w.MustHaveAll("green")
	if got := <-answered; got != "200 OK from 1" {
		t.Errorf("the long request got %q, it should have finished on blue", got)
	}
	w.LostNothing()
}

const routesLine = "routes = { web = [var.listener_arn] }"

func TestShift_stickyClientFollowsTheShift(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Quick())
	w.Edit(routesLine, routesLine+"\n    stickiness = \"1h\"")
	w.MustApply()
	c := e2e.Client(t)
	if v := w.Version(c); v != "1" {
		t.Fatalf("before: version %q", v)
	}
	w.MustConfigure("green")
	w.MustApply()
	if v := w.Version(c); v != "2" {
		t.Errorf("after the shift the client with blue's cookie is on version %q", v)
	}
	w.LostNothing()
}

func TestShift_stickyClientFollowsTheRollback(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Endless)
	w.Edit(routesLine, routesLine+"\n    stickiness = \"1h\"")
	w.MustApply()
	w.MustConfigure("green")
	apply := w.Start()
	w.Eventually("green has 5 %", func() bool { return w.Weights()["green"] > 0 })
	c := e2e.Client(t)
	w.Eventually("a client has met green", func() bool {
		if w.Version(c) == "2" {
			return true
		}
		c = e2e.Client(t) // one more browser; 5 % of them meet green
		return false
	})
	if err := proc.Interrupt(apply.Command); err != nil {
		t.Fatal(err)
	}
	if out, ok := apply.Wait(); ok {
		t.Fatalf("an interrupted apply succeeded:\n%s", out)
	}
	w.MustHaveAll("blue")
	if v := w.Version(c); v != "1" {
		t.Errorf("after the rollback the client with green's cookie is on version %q", v)
	}
	w.LostNothing()
}
