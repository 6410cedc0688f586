package rehearsal

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Samples have the mean and the deviation of their distribution.
func TestSimulated_draws(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name            string
		draw            func() float64
		mean, deviation float64
	}{
		{"few requests", func() float64 { return float64(poisson(random, 3)) }, 3, math.Sqrt(3)},
		{"many requests", func() float64 { return float64(poisson(random, 28_500)) }, 28_500, math.Sqrt(28_500)},
		{"rare errors", func() float64 { return float64(binomial(random, 1500, 0.002)) }, 3, math.Sqrt(3 * 0.998)},
		{"usual errors", func() float64 { return float64(binomial(random, 100, 0.4)) }, 40, math.Sqrt(24)},
		{"gamma", func() float64 { return gamma(random, 7) }, 7, math.Sqrt(7)},
	} {
		const n = 20_000
		sum, squares := 0.0, 0.0
		for range n {
			v := c.draw()
			sum += v
			squares += v * v
		}
		mean := sum / n
		deviation := math.Sqrt(squares/n - mean*mean)
		if math.Abs(mean-c.mean) > 4*c.deviation/math.Sqrt(n) || math.Abs(deviation/c.deviation-1) > 0.05 {
			t.Errorf("%s: mean %.4g, deviation %.4g, want %.4g and %.4g", c.name, mean, deviation, c.mean, c.deviation)
		}
	}
	if none, all := binomial(random, 10, 0), binomial(random, 10, 1); none != 0 || all != 10 {
		t.Errorf("what never happens happened %d times, what always does %d of 10", none, all)
	}
}

// figure is a metric of a group.
type figure struct{ group, metric, stat string }

// of reads it over all minutes.
func (f figure) of(t *testing.T, s *Simulated) []float64 {
	t.Helper()
	out, err := s.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: &simulatedEpoch, EndTime: new(s.Now()),
		MetricDataQueries: []types.MetricDataQuery{{Id: new("m"), MetricStat: &types.MetricStat{Stat: &f.stat, Metric: &types.Metric{
			MetricName: &f.metric, Dimensions: []types.Dimension{{Name: new("TargetGroup"), Value: new(f.group[strings.Index(f.group, "targetgroup/"):])}},
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if at := out.MetricDataResults[0].Timestamps; len(at) > 0 && !at[len(at)-1].Equal(s.Now().Add(-simulatedLag-time.Minute)) {
		t.Errorf("the newest point of %s is of %v, asked at %v", f.metric, at[len(at)-1], s.Now())
	}
	return out.MetricDataResults[0].Values
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// The metrics match the terms, after the change for both sides.
func TestSimulated_figures(t *testing.T) {
	t.Parallel()
	side := SimulatedSide{Errors: 1, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
	fresh := side.Slower(3)
	fresh.Hump, fresh.HumpTime = 10, 2*time.Second
	s := Simulate(SimulatedTerms{Seed: 7, Rate: 500, Shares: []float64{5}, Live: side, Fresh: fresh})
	if !s.ChangedAt().Equal(s.Now().Add(-simulatedLag)) {
		t.Errorf("the change was at %v, and it is %v", s.ChangedAt(), s.Now())
	}
	for range 200 {
		s.Advance()
	}
	const before = simulatedBefore
	for _, c := range []struct {
		figure
		points       int
		mean, within float64
	}{
		{figure{SimulatedFresh, "RequestCount", "Sum"}, 200, 1500, 0.01},
		{figure{SimulatedLive, "RequestCount", "Sum"}, 200 + before, (28_500*200 + 30_000*before) / float64(200+before), 0.01},
		{figure{SimulatedFresh, "HTTPCode_Target_2XX_Count", "Sum"}, 200, 1485, 0.01},
		{figure{SimulatedFresh, "HTTPCode_Target_5XX_Count", "Sum"}, 200, 15, 0.08},
		{figure{SimulatedFresh, "TargetResponseTime", "PR(:0.08)"}, 200, 45, 0.01},
		{figure{SimulatedFresh, "TargetResponseTime", "PR(:1.2)"}, 200, 89.1, 0.01},
		{figure{SimulatedFresh, "TargetResponseTime", "PR(:2)"}, 200, 99.7, 0.01},
		{figure{SimulatedLive, "TargetResponseTime", "PR(:0.4)"}, 200 + before, 99, 0.01},
	} {
		got := c.of(t, s)
		if len(got) != c.points || math.Abs(mean(got)/c.mean-1) > c.within {
			t.Errorf("%s %s of %s: %d points, mean %.4g, want %d and %.4g", c.stat, c.metric, c.group, len(got), mean(got), c.points, c.mean)
		}
	}
	for _, none := range []string{"HTTPCode_Target_4XX_Count", "TargetConnectionErrorCount"} {
		if got := (figure{SimulatedFresh, none, "Sum"}).of(t, s); len(got) != 0 {
			t.Errorf("%s has %d points", none, len(got))
		}
	}
	alarms, err := s.DescribeAlarms(t.Context(), nil)
	if err != nil || len(alarms.MetricAlarms) != 0 {
		t.Errorf("it knows of alarms: %v, %v", alarms, err)
	}
}

// indexOfDispersion is the variance of counts by their mean; 1 if they are independent and rare.
func indexOfDispersion(counts []float64) float64 {
	m, squares := mean(counts), 0.0
	for _, c := range counts {
		squares += (c - m) * (c - m)
	}
	return squares / float64(len(counts)-1) / m
}

// Errors have the mean and the scatter of their kind.
func TestSimulated_kindsOfErrors(t *testing.T) {
	t.Parallel()
	errors := func(terms SimulatedTerms) []float64 {
		terms.Rate, terms.Shares, terms.Live, terms.Fresh = 500, []float64{5}, steady(1), steady(1)
		s := Simulate(terms)
		for range 400 {
			s.Advance()
		}
		var all []float64
		for _, m := range s.minutes[simulatedBefore:] {
			all = append(all, float64(m[freshSide].errors))
		}
		return all
	}
	for name, c := range map[string]struct {
		terms            SimulatedTerms
		mean, dispersion float64
	}{
		"independent": {SimulatedTerms{Seed: 1}, 15, 1},
		"runs":        {SimulatedTerms{Seed: 1, RunLength: 5}, 15, 5},
		// A minute in 8 has 75 more: the variance of that is 75 * 75 * 7/64.
		"stumbles": {SimulatedTerms{Seed: 1, Stumbles: 5}, 15 + 75.0/8, 1 + 75*75*7.0/64/(15+75.0/8)},
	} {
		got := errors(c.terms)
		if m, d := mean(got), indexOfDispersion(got); math.Abs(m/c.mean-1) > 0.15 || math.Abs(d/c.dispersion-1) > 0.25 {
			t.Errorf("%s: mean %.4g, dispersion %.4g, want %.4g and %.4g", name, m, d, c.mean, c.dispersion)
		}
	}
	var means []float64
	for seed := range uint64(400) {
		s := Simulate(SimulatedTerms{Seed: seed, HostSpread: 0.5, Rate: 1, Shares: []float64{5}, Live: steady(1), Fresh: steady(1)})
		means = append(means, s.hosts[freshSide])
	}
	// The variance of the mean of two hosts is 0.25/2.
	if m, d := mean(means), indexOfDispersion(means); math.Abs(m-1) > 0.06 || math.Abs(d/0.125-1) > 0.25 {
		t.Errorf("hosts: mean %.4g, dispersion %.4g", m, d)
	}
}

// A cold cache makes all responses slow in the first minutes; with a delay, those do not count.
func TestSimulated_coldCache(t *testing.T) {
	t.Parallel()
	s := Simulate(SimulatedTerms{Seed: 1, Rate: 100, Shares: []float64{50}, Live: steady(1), Fresh: steady(1), Cold: 2, Delay: 2 * time.Minute})
	for range 4 {
		s.Advance()
	}
	got := figure{SimulatedFresh, "TargetResponseTime", "PR(:0.4)"}.of(t, s)
	if len(got) != 4 || got[0] != 0 || got[1] != 0 || got[2] < 98 || got[3] < 98 {
		t.Errorf("got %v", got)
	}
	if want := s.Now().Add(-simulatedLag - 2*time.Minute); !s.DataFrom().Equal(want) || !s.ChangedAt().Equal(want.Add(-2*time.Minute)) {
		t.Errorf("data counts from %v on, after a change at %v, want %v", s.DataFrom(), s.ChangedAt(), want)
	}
}

// Each step has its share, from the change on.
func TestSimulated_steps(t *testing.T) {
	t.Parallel()
	s := Simulate(SimulatedTerms{Seed: 1, Rate: 100, Shares: []float64{10, 100}, Live: steady(1), Fresh: steady(1)})
	s.Advance()
	s.Change()
	s.Advance()
	got := figure{SimulatedFresh, "RequestCount", "Sum"}.of(t, s)
	if len(got) != 2 || math.Abs(got[0]/600-1) > 0.2 || math.Abs(got[1]/6000-1) > 0.1 {
		t.Errorf("got %v", got)
	}
	if step, of := s.Step(); step != 2 || of != 2 || !s.ChangedAt().Equal(s.Now().Add(-simulatedLag-time.Minute)) {
		t.Errorf("got step %d of %d since %v", step, of, s.ChangedAt())
	}
}

// The same seed gives the same traffic, another seed gives other traffic.
func TestSimulated_repeats(t *testing.T) {
	t.Parallel()
	figures := func(seed uint64) string {
		s := Simulate(SimulatedTerms{Seed: seed, Rate: 50, Shares: []float64{20}, Live: steady(1), Fresh: steady(2)})
		s.Advance()
		return fmt.Sprint(figure{SimulatedLive, "RequestCount", "Sum"}.of(t, s), figure{SimulatedFresh, "TargetResponseTime", "PR(:0.1)"}.of(t, s))
	}
	first, again, other := figures(1), figures(1), figures(2)
	if first != again || first == other {
		t.Errorf("seed 1 has %s and %s, seed 2 %s", first, again, other)
	}
}

var errGate = errors.New("the gate failed to measure")

// A trial counts the failed runs and the time until they failed; Least returns the smallest detected change.
func TestTrial(t *testing.T) {
	t.Parallel()
	after := func(minutes int) SimulatedGate {
		return func(s *Simulated, l SimulatedLimits) func() (bool, error) {
			asked := 0
			return func() (bool, error) {
				asked++
				return asked == minutes && s.terms.Seed%2 == 0, nil
			}
		}
	}
	at := equalTrial(10, 50, 1, worseBy(0))
	at.Runs = 40
	got, err := at.Run(after(3))
	if want := (TrialResult{Runs: 40, RolledBack: 20, After: 3 * time.Minute}); err != nil || got != want || got.Rate() != 50 {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := at.Run(after(11)); err != nil || got.RolledBack != 0 {
		t.Errorf("after the step is over: %+v, %v", got, err)
	}
	steps := at
	steps.Shares = []float64{10, 50}
	if got, err := steps.Run(after(20)); err != nil || got.RolledBack != 20 || got.After != 20*time.Minute {
		t.Errorf("in the last minute of two steps: %+v, %v", got, err)
	}
	asleep := func(*Simulated, SimulatedLimits) func() (bool, error) {
		return func() (bool, error) { return false, errGate }
	}
	if _, err := at.Run(asleep); !errors.Is(err, errGate) {
		t.Errorf("the error of a gate is %v", err)
	}

	above := func(limit float64) SimulatedGate {
		return func(s *Simulated, _ SimulatedLimits) func() (bool, error) {
			return func() (bool, error) { return s.terms.Fresh.Errors >= limit, nil }
		}
	}
	worse := func(t *Trial, points float64) { t.Fresh.Errors = t.Live.Errors + points }
	least, found, err := at.Least(above(4), 50, worse)
	if err != nil || math.Abs(least-3) > 0.05 || found.Rate() != 100 || found.After != time.Minute {
		t.Errorf("it is detected from %v on, %+v, %v", least, found, err)
	}
	if _, _, err := at.Least(asleep, 50, worse); !errors.Is(err, errGate) {
		t.Errorf("the error of a gate is %v", err)
	}
	if at.traffic() != "300 + 300" {
		t.Errorf("its traffic is %s", at.traffic())
	}
}

// The interval contains the rate, and at 0 of n it ends at about 3.8/n.
func TestTrialResult_interval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		runs, rolledBack int
		low, high        float64
	}{{100, 0, 0, 3.70}, {100, 100, 96.30, 100}, {1000, 50, 3.81, 6.53}} {
		low, high := TrialResult{Runs: c.runs, RolledBack: c.rolledBack}.interval()
		if math.Abs(low-c.low) > 0.01 || math.Abs(high-c.high) > 0.01 {
			t.Errorf("%d of %d: got %.3f to %.3f, want %.2f to %.2f", c.rolledBack, c.runs, low, high, c.low, c.high)
		}
	}
	if got, want := (TrialResult{Runs: 100, RolledBack: 100}).missed().text(), "0.0 % (0.0 to 3.7)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The tables have a row for each trial; errors are returned.
func TestRates(t *testing.T) {
	t.Parallel()
	sharp := func(s *Simulated, _ SimulatedLimits) func() (bool, error) {
		return func() (bool, error) {
			return s.terms.Fresh.Errors > s.terms.Live.Errors+1 || s.terms.Fresh.Hump > s.terms.Live.Hump+1, nil
		}
	}
	text, err := Rates(4, 0, sharp)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 0.8 % errors | `max_error_rate = 1` | 1500 + 28500 | 0.0 % (0.0 to 49.0) | 0.0 % (0.0 to 49.0) | 0.0 % (0.0 to 49.0) |\n",
		"| 80 ms, 1 % take 2 s | `slow_ratio = 1.5`, `slow_threshold = \"500ms\"` | 1500 + 28500 | 0.0 % (0.0 to 49.0) | 0.0 % (0.0 to 49.0) | 0.0 % (0.0 to 49.0) |\n",
		"| 1500 + 28500 | `worse_than_live_by = 0.5` | 0.2 % errors | 1 points more | 1m |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no row %s in\n%s", want, text)
		}
	}
	if rows := strings.Count(text, "\n|") - 2; rows != len(shapes())+len(sensitivity())+1 {
		t.Errorf("%d rows", rows)
	}
	asleep := func(*Simulated, SimulatedLimits) func() (bool, error) {
		return func() (bool, error) { return false, errGate }
	}
	if _, err := Rates(4, 0, asleep); !errors.Is(err, errGate) {
		t.Errorf("the error of a gate is %v", err)
	}
}
