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
	s := Simulate(SimulatedTerms{Seed: 7, Rate: 500, Share: 5, Live: side, Fresh: side.Slower(3)})
	if !s.ChangedAt().Equal(s.Now().Add(-simulatedLag)) {
		t.Errorf("the change was at %v, and it is %v", s.ChangedAt(), s.Now())
	}
	for range 200 {
		s.Advance()
	}
	for _, c := range []struct {
		figure
		points       int
		mean, within float64
	}{
		{figure{SimulatedFresh, "RequestCount", "Sum"}, 200, 1500, 0.01},
		{figure{SimulatedLive, "RequestCount", "Sum"}, 210, (28_500*200 + 30_000*10) / 210.0, 0.01},
		{figure{SimulatedFresh, "HTTPCode_Target_2XX_Count", "Sum"}, 200, 1485, 0.01},
		{figure{SimulatedFresh, "HTTPCode_Target_5XX_Count", "Sum"}, 200, 15, 0.08},
		{figure{SimulatedFresh, "TargetResponseTime", "p50"}, 200, 0.08, 0.02},
		{figure{SimulatedFresh, "TargetResponseTime", "p99"}, 200, 1.2, 0.03},
		{figure{SimulatedLive, "TargetResponseTime", "p99"}, 210, 0.4, 0.01},
	} {
		got := c.of(t, s)
		if len(got) != c.points || math.Abs(mean(got)/c.mean-1) > c.within {
			t.Errorf("%s %s of %s: %d points, mean %.4g, want %d and %.4g", c.stat, c.metric, c.group, len(got), mean(got), c.points, c.mean)
		}
	}
	// An average is that of the distribution: the median by exp(sigma^2/2).
	sigma := math.Log(5) / quantile(0.99)
	if got, want := mean((figure{SimulatedLive, "TargetResponseTime", "Average"}).of(t, s)), 0.08*math.Exp(sigma*sigma/2); math.Abs(got/want-1) > 0.01 {
		t.Errorf("the average is %.4g, want %.4g", got, want)
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

// The same seed gives the same traffic, another seed gives other traffic.
func TestSimulated_repeats(t *testing.T) {
	t.Parallel()
	figures := func(seed uint64) string {
		s := Simulate(SimulatedTerms{Seed: seed, Rate: 50, Share: 20, Live: steady(1), Fresh: steady(2)})
		s.Advance()
		return fmt.Sprint(figure{SimulatedLive, "RequestCount", "Sum"}.of(t, s), figure{SimulatedFresh, "TargetResponseTime", "p90"}.of(t, s))
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
	at := equalTrial(10, 50, 1, 10).with(SimulatedLimits{Compares: true})
	at.Runs = 40
	got, err := at.Run(after(3))
	if want := (TrialResult{Runs: 40, RolledBack: 20, After: 3 * time.Minute}); err != nil || got != want || got.Rate() != 50 {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := at.Run(after(11)); err != nil || got.RolledBack != 0 {
		t.Errorf("after the step is over: %+v, %v", got, err)
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

// The tables have a row for each trial; errors are returned.
func TestRates(t *testing.T) {
	t.Parallel()
	sharp := func(s *Simulated, _ SimulatedLimits) func() (bool, error) {
		return func() (bool, error) {
			return s.terms.Fresh.Errors > s.terms.Live.Errors+1 || s.terms.Fresh.P99 > 2*s.terms.Live.P99, nil
		}
	}
	text, err := Rates(4, sharp)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 1500 + 28500 | 0.2 % | 0.5 | 10 | 0.00 % | 0.00 % | 0.00 % | 1 points | 1m |\n",
		"| 600 + 600 | 80ms, 1.6s | 2 times | 10 | 0.00 % | 0.00 % | 2 times | 1m |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no row %s in\n%s", want, text)
		}
	}
	if rows := strings.Count(text, "\n|") - 2; rows != len(errorTrials())+len(latencyTrials())+1 {
		t.Errorf("%d rows", rows)
	}
	asleep := func(*Simulated, SimulatedLimits) func() (bool, error) {
		return func() (bool, error) { return false, errGate }
	}
	if _, err := Rates(4, asleep); !errors.Is(err, errGate) {
		t.Errorf("the error of a gate is %v", err)
	}
}
