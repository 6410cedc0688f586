package rehearsal

import (
	"fmt"
	"strings"
	"time"
)

// shape is a good release in traffic of some kind.
type shape struct {
	name string
	Trial
}

func worseBy(points float64) SimulatedLimits { return SimulatedLimits{WorseBy: &points} }

func slowLimits(l SimulatedLimits) SimulatedLimits {
	l.SlowThreshold = 500 * time.Millisecond
	return l
}

// shapes are the kinds of traffic in which a good release must pass.
func shapes() []shape {
	with := func(t Trial, change func(*Trial)) Trial {
		change(&t)
		return t
	}
	both := func(t *Trial, change func(*SimulatedSide)) { change(&t.Live); change(&t.Fresh) }
	humps := func(t *Trial) { both(t, func(s *SimulatedSide) { s.Hump, s.HumpTime = 1, 2*time.Second }) }
	stumbles := func(t *Trial) { t.Stumbles = 5 }
	runs := func(n int) func(*Trial) { return func(t *Trial) { t.RunLength = n } }
	limit := SimulatedLimits{MaxErrorRate: new(1.0)}
	return []shape{
		{"0.3 % errors", equalTrial(20, 5, 0.3, limit)},
		{"0.8 % errors", equalTrial(500, 5, 0.8, limit)},
		{"0.2 % errors", equalTrial(500, 5, 0.2, worseBy(0))},
		{"0.2 % errors", equalTrial(500, 5, 0.2, worseBy(0.5))},
		{"0.1 % errors", equalTrial(500, 5, 0.1, SimulatedLimits{WorseBy: new(0.5), ErrorRatio: new(2.0)})},
		{"2 % errors", equalTrial(20, 5, 2, worseBy(0))},
		{"1 % errors in runs of 5", with(equalTrial(100, 5, 1, worseBy(0)), runs(5))},
		{"1 % errors in runs of 5", with(equalTrial(100, 5, 1, worseBy(0.5)), runs(5))},
		{"0.5 % errors in runs of 20", with(equalTrial(100, 5, 0.5, worseBy(0.5)), runs(20))},
		{"the same in steps of 20 minutes", with(equalTrial(100, 5, 0.5, SimulatedLimits{WorseBy: new(0.5), Lookback: 20 * time.Minute}), func(t *Trial) { t.RunLength, t.Minutes = 20, 20 })},
		{"0.2 % errors, 2 new hosts, 20 that differ", with(equalTrial(500, 5, 0.2, worseBy(0)), func(t *Trial) { t.HostSpread = 0.5 })},
		{"0.2 % errors, a dependency stumbles 1 minute in 8", with(equalTrial(500, 5, 0.2, worseBy(0)), stumbles)},
		{"the same at 100 %", with(equalTrial(500, 100, 0.2, worseBy(0)), stumbles)},
		{"the same at 100 %", with(equalTrial(500, 100, 0.2, worseBy(0.5)), stumbles)},
		{"80 ms, 1 % take 2 s", with(equalTrial(500, 5, 0.2, slowLimits(SimulatedLimits{SlowRatio: new(1.5)})), humps)},
		{"80 ms, 1 % take 2 s", with(equalTrial(500, 5, 0.2, slowLimits(SimulatedLimits{SlowerBy: new(0.0)})), humps)},
		{"80 ms, 1 % take 2 s", with(equalTrial(500, 5, 0.2, slowLimits(SimulatedLimits{MaxSlowRate: new(2.0)})), humps)},
		{"cold cache of 4 minutes, `initial_delay` of 4 minutes", with(equalTrial(500, 5, 0.2, slowLimits(SimulatedLimits{SlowerBy: new(0.5)})),
			func(t *Trial) { t.Cold, t.Delay = 4, 4*time.Minute })},
	}
}

// badly is a release with 2 percentage points more of what the limits are about, at 1500 requests a minute or more.
func (t Trial) badly() Trial {
	t.Rate = max(t.Rate, 500)
	if t.SlowThreshold > 0 {
		t.Fresh.Hump, t.Fresh.HumpTime = t.Fresh.Hump+2, 2*time.Second
	} else {
		t.Fresh.Errors += 2
	}
	return t
}

// sensitivity is the traffic for which the smallest detected change is measured.
func sensitivity() []Trial {
	var all []Trial
	for _, traffic := range []struct{ rate, share, errors float64 }{
		{500, 5, 0.2}, {500, 50, 0.2}, {500, 5, 2}, {50, 5, 0.2}, {20, 5, 0.2}, {2, 50, 0.2},
	} {
		all = append(all, equalTrial(traffic.rate, traffic.share, traffic.errors, worseBy(0.5)))
	}
	for _, traffic := range []struct{ rate, share float64 }{{500, 5}, {20, 5}} {
		all = append(all, equalTrial(traffic.rate, traffic.share, 0.1, SimulatedLimits{ErrorRatio: new(2.0)}),
			equalTrial(traffic.rate, traffic.share, 0.2, slowLimits(SimulatedLimits{SlowerBy: new(0.5)})))
	}
	return all
}

// Rates measures how often target_metrics is wrong, with this many runs per figure and the seeds after this one, and
// returns two tables.
func Rates(runs int, seed uint64, gate SimulatedGate) (string, error) {
	var text strings.Builder
	text.WriteString("| good release | limits | requests per minute, new + live | rolled back in a step of 10 minutes | rolled back in a release of ten steps | 2 points worse, at 1500 or more, missed |\n")
	text.WriteString("|---|---|---|---|---|---|\n")
	for _, s := range shapes() {
		var figures []string
		for _, t := range []Trial{s.Trial, s.tenSteps(), s.badly()} {
			t.Runs, t.Seed = runs, seed
			got, err := t.Run(gate)
			if err != nil {
				return "", err
			}
			figures = append(figures, got.text(), got.missed().text())
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", s.name, s.text(), s.traffic(), figures[0], figures[2], figures[5])
	}
	text.WriteString("\n| requests per minute, new + live | limits | live | detected in 90 % of steps from | within |\n")
	text.WriteString("|---|---|---|---|---|\n")
	for _, t := range sensitivity() {
		t.Runs, t.Seed = min(runs, searchRuns), seed
		if err := t.sensitivityRow(&text, gate); err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

// searchRuns are enough to find the smallest detected difference.
const searchRuns = 200

func (t Trial) sensitivityRow(text *strings.Builder, gate SimulatedGate) error {
	worse := func(at *Trial, points float64) { at.Fresh.Errors = min(100, at.Live.Errors+points) }
	live := fmt.Sprintf("%g %% errors", t.Live.Errors)
	if t.SlowThreshold > 0 {
		worse = func(at *Trial, points float64) { at.Fresh.Hump, at.Fresh.HumpTime = points, 2*time.Second }
		live = fmt.Sprintf("%.1f %% slow", 100*t.Live.above(t.SlowThreshold))
	}
	least, found, err := t.Least(gate, 100-t.Live.Errors, worse)
	if err != nil {
		return err
	}
	detected, within := "nothing", "-"
	if found.Runs > 0 {
		detected, within = fmt.Sprintf("%.2g points more", least), strings.TrimSuffix(found.After.String(), "0s")
	}
	fmt.Fprintf(text, "| %s | %s | %s | %s | %s |\n", t.traffic(), t.text(), live, detected, within)
	return nil
}
