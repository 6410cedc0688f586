package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// trial is what a release and a rollback on one router are for users.
type trial struct {
	release string // the row of its calls
	write   string // the action that moves traffic
	perStep string // the goal for it
	writes  int    // that number, of three steps
	lost    string // the row of lost requests
	last    string // the row of the last user of a bad version
	within  time.Duration
	goal    string
	hold    time.Duration
	// linger is how long after a rollback users may still get to the bad version.
	linger time.Duration
	// stage has version 1 in blue, which is live, and another one in green.
	stage func(green rehearsal.AppTerms) (*stage, error)
}

// stage is a router on this machine.
type stage struct {
	server *localaws.Server
	spec   rollout.Spec
	load   func() *rehearsal.Load
	close  func()
}

// rows runs the trial.
func (t trial) rows(ctx context.Context) ([]row, error) {
	calls, lost, err := t.runRelease(ctx)
	if err != nil {
		return nil, err
	}
	took, bad, err := t.runRollback(ctx)
	if err != nil {
		return nil, err
	}
	return []row{
		{what: t.release, goal: t.perStep, measured: callsText(calls), missed: calls[t.write] != t.writes},
		{what: t.lost, goal: "0", measured: fmt.Sprintf("%d of %d", lost.Lost, lost.Requests), missed: lost.Lost > 0 || lost.Requests == 0},
		{what: t.last, goal: t.goal, measured: fmt.Sprintf("%.1f s; %d requests", took.Seconds(), bad), missed: took > t.within || bad == 0},
	}, nil
}

// runRelease returns the calls of a release and what the users saw.
func (t trial) runRelease(ctx context.Context) (map[string]int, rehearsal.Counts, error) {
	s, err := t.stage(rehearsal.AppTerms{Version: "2"})
	if err != nil {
		return nil, rehearsal.Counts{}, err
	}
	defer s.close()
	s.spec.Request.Strategy.Steps = []shift.Step{{At: 50, Hold: t.hold}, {At: 500, Hold: t.hold}}
	load := s.load()
	before := len(s.server.Calls())
	_, err = rollout.Run(ctx, s.spec)
	calls := map[string]int{}
	for _, c := range s.server.Calls()[before:] {
		calls[c.Action]++
	}
	return calls, load.Stop(), err
}

// usersGate fails once a user got a bad response.
type usersGate struct {
	load     *rehearsal.Load
	mu       sync.Mutex
	failedAt time.Time
}

// Evaluate implements rollout.Gate.
func (g *usersGate) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	if _, n := failures(g.load.Counts()); n == 0 {
		return rollout.Verdict{Status: rollout.Pass}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failedAt = time.Now()
	return rollout.Verdict{Status: rollout.Fail, Detail: "a user got an error"}
}

var errNotRefused = errors.New("a gate failed and the shift did not")

// runRollback returns the time from a failed gate to the last bad response, and the number of bad responses.
func (t trial) runRollback(ctx context.Context) (time.Duration, int, error) {
	s, err := t.stage(rehearsal.AppTerms{Version: "bad", BreaksAfter: 20})
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	gate := &usersGate{load: s.load()}
	strategy := &s.spec.Request.Strategy
	strategy.Steps = []shift.Step{{At: 500, Hold: 5 * time.Minute}}
	strategy.Gates = []shift.GateSettings{{Name: "users", When: shift.During, Interval: 50 * time.Millisecond, Timeout: time.Second, InconclusiveTimeout: time.Minute}}
	s.spec.Gates = []rollout.NamedGate{{GateSettings: strategy.Gates[0], Gate: gate}}
	_, err = rollout.Run(ctx, s.spec)
	if err == nil {
		return 0, 0, errNotRefused
	}
	select {
	case <-time.After(t.linger):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	last, bad := failures(gate.load.Stop())
	return max(last.Sub(gate.failedAt), 0), bad, nil
}

// failures returns the time of the last failed request, and their number. What answers for a Lambda function that failed is
// not the version.
func failures(c rehearsal.Counts) (last time.Time, n int) {
	last = c.LastBad
	if c.Lost > 0 && c.LostAt[c.Lost-1].After(last) {
		last = c.LostAt[c.Lost-1]
	}
	return last, c.Bad["bad"] + c.Lost
}
