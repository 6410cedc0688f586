package report_test

import (
	"fmt"
	"math"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/1/2"
	rule     = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/web/1/2/3"
)

var began = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)

func sampleShift() report.Shift {
	return report.Shift{ID: "20261102T093000Z-0a1b", Entries: []string{"web", "api"},
		Routes:   []report.ShiftRoute{{ID: listener, Entry: "web", Label: "listener :443"}, {ID: rule, Entry: "api", Label: "rule 7 of listener :443"}},
		Versions: map[string]string{"blue": "1.4.2", "green": "1.5.0"}, To: report.Percentages{"green": 100},
		Schedule: "blue (1.4.2) 100 % -> green (1.5.0) 100 %\n 1. wait until green is healthy\n 2. green 5 %   hold 10m",
		Gates:    []report.ShiftGate{{Name: "latency", When: "during", IntervalSeconds: 10}, {Name: "smoke", DryRun: true}, {Name: "users", When: "during", IntervalSeconds: 10}},
		Owner:    &traffic.Owner{User: "ann", Host: "ci-7", Run: "https://ci.example.com/runs/42"}, Provider: "1.0.0"}
}

func split(green float64) shift.Weights {
	w, err := shift.FromPercent(map[string]float64{"blue": 100 - green, "green": green})
	if err != nil {
		panic(err)
	}
	return w
}

// clock makes events at times since the start.
type clock struct{ events []rollout.Event }

func (c *clock) add(at time.Duration, e rollout.Event) {
	e.At = began.Add(at)
	c.events = append(c.events, e)
}

func (c *clock) both(at time.Duration, kind rollout.EventKind, w shift.Weights) {
	for i, route := range []string{listener, rule} {
		e := rollout.Event{Kind: kind, Route: route, Weights: w}
		if kind == rollout.WeightsWritten {
			e.Took = time.Duration(40+i) * time.Millisecond
		}
		c.add(at, e)
	}
}

func (c *clock) phase(at time.Duration, text string) {
	c.add(at, rollout.Event{Kind: rollout.PhaseStarted, Text: text})
}

func errorRate(at time.Duration, value float64) rollout.Measurement {
	return rollout.Measurement{Name: "error rate", Entry: "web", Unit: "%", Value: value, Max: new(1.0), Samples: 520, From: began.Add(at - time.Minute), To: began.Add(at)}
}

func targets(healthy, unhealthy int) []rollout.GroupTargets {
	return []rollout.GroupTargets{{Entry: "web", Environment: "green", Gains: true, Healthy: healthy, Unhealthy: unhealthy, Draining: 1}, {Entry: "web", Environment: "blue", Healthy: 3}}
}

// failedShift is a shift that a gate rolled back after 25 minutes.
func failedShift() []rollout.Event {
	var c clock
	c.add(0, rollout.Event{Kind: rollout.ShiftStarted, Text: "forward"})
	c.both(0, rollout.RouteRead, split(0))
	c.phase(time.Second, "preflight gates")
	c.add(2*time.Second, rollout.Event{Kind: rollout.GateEvaluated, Gate: "users", Status: rollout.Pass, Text: "target group metrics can be read", Took: 80 * time.Millisecond})
	c.phase(2*time.Second, "health check")
	c.add(3*time.Second, rollout.Event{Kind: rollout.HealthRead, Targets: targets(2, 0)})
	c.phase(20*time.Second, "shift to 5 %")
	c.both(21*time.Second, rollout.WeightsWritten, split(5))
	c.both(22*time.Second, rollout.WeightsVerified, split(5))
	c.phase(22*time.Second, "hold at 5 %")
	for i := range 90 {
		at := 30*time.Second + time.Duration(i)*10*time.Second
		status, value := rollout.Pass, 0.3+0.2*math.Sin(float64(i)/6)
		if i < 6 {
			status = rollout.Inconclusive
		}
		e := rollout.Event{Kind: rollout.GateEvaluated, Gate: "users", Status: status, Text: "web (green): evaluated", Took: 120 * time.Millisecond}
		if status == rollout.Inconclusive {
			e.Text = "web (green): inconclusive because it had 12 requests over 1m (minimum 50)"
		} else {
			e.Measured = []rollout.Measurement{errorRate(at, value)}
		}
		c.add(at, e)
		c.add(at+time.Second, rollout.Event{Kind: rollout.GateEvaluated, Gate: "latency", Status: rollout.Pass, Text: "p99 in limits",
			Measured: []rollout.Measurement{{Name: "query result", Value: 0.2 + 0.05*math.Cos(float64(i)/9), Max: new(0.5), Samples: 3}}})
	}
	c.phase(16*time.Minute, "shift to 50 %")
	c.both(16*time.Minute, rollout.WeightsWritten, split(50))
	c.both(16*time.Minute+time.Second, rollout.WeightsVerified, split(50))
	c.phase(16*time.Minute+time.Second, "hold at 50 %")
	c.add(17*time.Minute, rollout.Event{Kind: rollout.HealthRead, Targets: targets(1, 1)})
	c.add(17*time.Minute, rollout.Event{Kind: rollout.HealthDegraded, Text: "green (web): 1 of 2 targets healthy (1 unhealthy: Target.Timeout), at least 100 % required"})
	c.add(18*time.Minute, rollout.Event{Kind: rollout.HealthRead, Targets: targets(2, 0)})
	c.add(18*time.Minute, rollout.Event{Kind: rollout.HealthRecovered})
	for i := range 40 {
		at := 17*time.Minute + time.Duration(i)*12*time.Second
		value := 0.3 + 0.05*float64(i)
		status := rollout.Pass
		if value > 1 && i < 39 {
			value = 0.9
		}
		if i == 39 {
			status, value = rollout.Fail, 9.6
		}
		c.add(at, rollout.Event{Kind: rollout.GateEvaluated, Gate: "users", Status: status, Text: fmt.Sprintf("web (green) had %.1f %% errors (limit 1 %%)", value),
			Measured: []rollout.Measurement{errorRate(at, value)}, Took: 90 * time.Millisecond})
	}
	failure := &rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "users", Stage: "step 2 of 3 (50 %)", Rejects: true,
		Detail: "web (green) had 50 errors in 520 requests over 1m (9.6 %, limit 1 %)"}
	c.add(25*time.Minute, rollout.Event{Kind: rollout.RollbackStarted, Text: failure.Error(), Failure: failure})
	c.add(25*time.Minute+time.Second, rollout.Event{Kind: rollout.WeightsWritten, Route: listener, Weights: split(0), Text: "throttled", Took: time.Second})
	c.both(25*time.Minute+2*time.Second, rollout.WeightsWritten, split(0))
	c.both(25*time.Minute+3*time.Second, rollout.WeightsVerified, split(0))
	c.add(25*time.Minute+4*time.Second, rollout.Event{Kind: rollout.ShiftEnded, Text: "gate_failed, rolled_back", Failure: failure})
	return c.events
}

func failedResult() report.Result {
	return report.Result{Outcome: "rolled_back", Reason: `gate "users" failed at step 2 of 3 (50 %): web (green) had 50 errors in 520 requests over 1m (9.6 %, limit 1 %)`,
		Routes:   []report.RouteResult{{ID: listener, Weights: report.Percentages{"blue": 100}}, {ID: rule, Weights: report.Percentages{"blue": 100}}},
		Warnings: []string{`Gate "smoke" (report-only) returned fail: status 500`}}
}
