package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// timedGate records when a gate is evaluated.
type timedGate struct {
	rollout.Gate
	mu    sync.Mutex
	asked []time.Time
}

// Evaluate implements rollout.Gate.
func (g *timedGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	g.mu.Lock()
	g.asked = append(g.asked, time.Now())
	g.mu.Unlock()
	return g.Gate.Evaluate(ctx, m)
}

// off is the deviation of the intervals in percent: of their mean, and the largest one.
func (g *timedGate) off(interval time.Duration) (mean, furthest float64) {
	percent := func(d time.Duration) float64 { return 100 * float64((d - interval).Abs()) / float64(interval) }
	for i := 1; i < len(g.asked); i++ {
		furthest = max(furthest, percent(g.asked[i].Sub(g.asked[i-1])))
	}
	if n := len(g.asked) - 1; n > 0 {
		mean = percent(g.asked[n].Sub(g.asked[0]) / time.Duration(n))
	}
	return mean, furthest
}

// intervals measures whether many gates of one switch keep their intervals.
func (b bench) intervals(ctx context.Context) ([]row, error) {
	const many, interval, hold = 20, 500 * time.Millisecond, 10 * time.Second
	l, err := newLoopback(ctx, hold)
	if err != nil {
		return nil, err
	}
	defer l.close()
	terms := &l.spec.Request.Strategy
	terms.Steps = terms.Steps[:1]
	var gates []*timedGate
	for i := range many {
		asks, err := gate.NewHTTP(gate.HTTP{Request: gate.Request{URL: l.app.URL}}, gate.Dependencies{})
		if err != nil {
			return nil, err
		}
		g := &timedGate{Gate: asks}
		gates = append(gates, g)
		t := shift.GateSettings{Name: fmt.Sprintf("gate-%02d", i), When: shift.During, Interval: interval, Timeout: time.Second, InconclusiveTimeout: time.Minute}
		terms.Gates = append(terms.Gates, t)
		l.spec.Gates = append(l.spec.Gates, rollout.NamedGate{GateSettings: t, Gate: g})
	}
	if _, err := rollout.Run(ctx, l.spec); err != nil {
		return nil, err
	}
	var means, furthest []float64
	for _, g := range gates {
		g.asked = g.asked[:min(len(g.asked), int(hold/interval))] // only during the hold
		mean, most := g.off(interval)
		means, furthest = append(means, mean), append(furthest, most)
	}
	worst := slices.Max(means)
	return []row{{what: fmt.Sprintf("%d gates on one switch, interval %s, for %s: deviation of the mean interval of the worst gate, and the largest single deviation", many, interval, hold),
		goal: "within 10 %", measured: fmt.Sprintf("%.2f %%; %.1f %%", worst, slices.Max(furthest)), missed: worst > 10}}, nil
}
