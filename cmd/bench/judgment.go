package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var errNotReplayed = errors.New("the gate cannot be evaluated for another time")

// simulatedTargetMetrics evaluates target_metrics on a simulated load balancer.
func simulatedTargetMetrics(ctx context.Context) rehearsal.SimulatedGate {
	return func(s *rehearsal.Simulated, l rehearsal.SimulatedLimits) func() (bool, error) {
		c := gate.TargetMetrics{
			MaxErrorRate: l.MaxErrorRate, WorseThanLiveBy: l.WorseBy, ErrorRatio: l.ErrorRatio,
			SlowThreshold: l.SlowThreshold, MaxSlowRate: l.MaxSlowRate, SlowerThanLiveBy: l.SlowerBy, SlowRatio: l.SlowRatio,
			Lookback: l.Lookback, Lag: gate.DefaultLag,
		}
		g, err := gate.NewTargetMetrics(c, gate.Dependencies{CloudWatch: func(string) (gate.CloudWatch, error) { return s, nil }})
		replayed, ok := g.(gate.Replayer)
		if err == nil && !ok {
			err = errNotReplayed
		}
		side := func(name, group string) []traffic.Backend {
			return []traffic.Backend{{Entry: "web", Environment: name, Group: group, Routes: []string{rehearsal.SimulatedListener}}}
		}
		m := rollout.GateInput{Incoming: side("green", rehearsal.SimulatedFresh), Live: side("blue", rehearsal.SimulatedLive)}
		return func() (bool, error) {
			if err != nil {
				return false, err
			}
			m.ChangedAt, m.DataFrom = s.ChangedAt(), s.DataFrom()
			m.Step, m.Steps = s.Step()
			v := replayed.EvaluateAt(ctx, m, s.Now())
			if v.Status == rollout.Errored {
				return false, fmt.Errorf("%s: %w", v.Detail, v.Err)
			}
			return v.Status == rollout.Fail, nil
		}
	}
}

// judgment measures how often the gate is wrong, in steps of ten minutes at 500 requests
// per second and 5 %.
func (b bench) judgment(ctx context.Context) ([]row, error) {
	const runs = 2000
	usual := rehearsal.SimulatedSide{Errors: 0.2, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
	worse, slower := usual, usual
	worse.Errors += 2
	slower.P50, slower.P99 = 3*slower.P50, 3*slower.P99
	errors := rehearsal.SimulatedLimits{WorseBy: new(0.5)}
	slow := rehearsal.SimulatedLimits{SlowThreshold: 500 * time.Millisecond, SlowerBy: new(0.5)}
	var rows []row
	for _, c := range []struct {
		what   string
		fresh  rehearsal.SimulatedSide
		limits rehearsal.SimulatedLimits
		good   bool
	}{
		{"as good as the live version, rolled back (worse_than_live_by = 0.5)", usual, errors, true},
		{"as good, rolled back (slower_than_live_by = 0.5 of responses above 500 ms)", usual, slow, true},
		{"with 2 percentage points more errors, missed", worse, errors, false},
		{"with three times the response times, missed", slower, slow, false},
	} {
		got, err := rehearsal.Trial{SimulatedTerms: rehearsal.SimulatedTerms{Rate: detectRate, Shares: []float64{100 * detectShare}, Live: usual, Fresh: c.fresh},
			SimulatedLimits: c.limits, Minutes: 10, Runs: runs}.Run(simulatedTargetMetrics(ctx))
		if err != nil {
			return nil, err
		}
		wrong := got.RolledBack
		if !c.good {
			wrong = got.Runs - got.RolledBack
		}
		rows = append(rows, row{what: "target_metrics in simulated steps of 10 minutes at 500 requests/s and 5 %: a release " + c.what,
			goal: "0 in 100", measured: fmt.Sprintf("%d in %d", wrong, got.Runs), missed: 100*wrong > got.Runs})
	}
	return rows, nil
}

// writeRates measures how often target_metrics is wrong over all sorts of traffic, and
// writes the tables of the guide.
func (b bench) writeRates(ctx context.Context, runs int, seed uint64) error {
	root, err := rehearsal.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	b.root = root
	tables, err := rehearsal.Rates(runs, seed, simulatedTargetMetrics(ctx))
	if err != nil {
		return err
	}
	fmt.Print(tables)
	return b.writeTable("benchmarks.md", "rates", tables)
}
