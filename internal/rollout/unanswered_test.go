package rollout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var errUnanswered = fmt.Errorf("EOF: %w", traffic.ErrUnanswered)

// unansweredStory is a shift of two routes without slow calls.
var unansweredStory = strings.ReplaceAll(strings.ReplaceAll(longStory, "fault slow write for=700ms times=always\n", ""), "fault slow read for=400ms times=always\n", "") + "record\n"

// firstStep is the writes that raise the traffic of a route first: attaching comes before.
func firstStep(kind routertest.Kind, times int) routertest.Fault {
	return routertest.Fault{Kind: kind, Op: routertest.Write, Route: "web", By: routertest.ByForward, Skip: 1, Times: times, Err: errUnanswered}
}

// A write without an answer is repeated, whether it was executed or not, and only on its route.
func TestRun_repeatsAWriteWithoutAnAnswer(t *testing.T) {
	for _, kind := range []routertest.Kind{routertest.AnswerLost, routertest.Refused} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlayer(parse(unansweredStory))
			p.setUp()
			p.memory.Inject(firstStep(kind, 3))
			_, err := rollout.Run(t.Context(), p.spec())
			close(p.release)
			writes := p.writes(0)
			if err != nil || writes["web"] != writes["api"]+3 {
				t.Errorf("%s: %v after the writes %v", kind, err, writes)
			}
		})
	}
}

// An API that never answers ends the shift soon, with a rollback and the reason.
func TestRun_writesWithoutAnAnswerEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(parse(unansweredStory))
		p.setUp()
		p.memory.Inject(firstStep(routertest.Refused, routertest.Always))
		began := time.Now()
		_, err := rollout.Run(t.Context(), p.spec())
		close(p.release)
		failure, is := errors.AsType[*rollout.Failure](err)
		if !is || failure.Cause != rollout.RouterFailed || failure.Disposition != rollout.RolledBack || !errors.Is(failure.Err, traffic.ErrUnanswered) {
			t.Errorf("got %v", err)
		}
		if now := p.memory.Now("web"); now.Weights["web-green"] > 0 || time.Since(began) > 5*time.Minute {
			t.Errorf("web has %v after %s", now.Weights, time.Since(began))
		}
	})
}

// Somebody rolls the shift back before a write that was executed without an answer is repeated.
func TestRun_repeatsNoWriteAfterARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(parse(unansweredStory))
		p.setUp()
		stable := map[string]traffic.State{"web": p.memory.Now("web"), "api": p.memory.Now("api")}
		rolledBack := make(chan int, 1)
		p.memory.Inject(routertest.Fault{Kind: routertest.External, Op: routertest.Write, Route: "web", By: routertest.ByForward, Skip: 1, Do: func() {
			time.AfterFunc(10*time.Millisecond, func() {
				records, _ := p.memory.Recorder().Records(t.Context(), []string{"web", "api"})
				for id, state := range stable {
					r := records[id][0]
					r.Phase, r.Reason = traffic.PhaseRolledBack, "rolled back by ann"
					p.memory.Recorder().Set(id, r)
					p.memory.Change(id, state)
				}
				rolledBack <- len(p.memory.Calls())
			})
		}})
		p.memory.Inject(firstStep(routertest.AnswerLost, 1))
		_, err := rollout.Run(t.Context(), p.spec())
		close(p.release)
		failure, is := errors.AsType[*rollout.Failure](err)
		if !is || failure.Cause != rollout.RolledBackByUser {
			t.Errorf("got %v", err)
		}
		if n := p.writes(<-rolledBack); len(n) > 0 || !p.memory.Now("web").EqualTraffic(stable["web"]) {
			t.Errorf("after the rollback: the writes %v, and web has %v", n, p.memory.Now("web").Weights)
		}
	})
}

// writes counts the writes of the shift by route, from a call on, without rollbacks.
func (p *player) writes(from int) map[string]int {
	n := map[string]int{}
	for _, c := range p.memory.Calls()[from:] {
		if c.Op == routertest.Write && !c.Rollback {
			n[c.Routes[0]]++
		}
	}
	return n
}

// A rollback watches for a late write only while one can come: five minutes after the write.
func TestRun_watchesAfterAWriteWithoutAnAnswer(t *testing.T) {
	for unhealthy, want := range map[string]bool{"3m": true, "12m": false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlayer(parse(strings.ReplaceAll(unansweredStory, "bake 1m", "bake 20m") + "at " + unhealthy + " targets web-green 2 unhealthy\n"))
			p.setUp()
			p.memory.Inject(firstStep(routertest.AnswerLost, 1))
			spec, began := p.spec(), time.Time{}
			spec.OnEvent = func(e rollout.Event) {
				if e.Kind == rollout.RollbackStarted {
					began = time.Now()
				}
			}
			_, err := rollout.Run(t.Context(), spec)
			close(p.release)
			failure, is := errors.AsType[*rollout.Failure](err)
			if !is || failure.Disposition != rollout.RolledBack || (time.Since(began) >= 30*time.Second) != want {
				t.Errorf("unhealthy after %s: the rollback took %s (%v)", unhealthy, time.Since(began), err)
			}
		})
	}
}
