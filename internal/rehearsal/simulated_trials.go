package rehearsal

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SimulatedLimits are the limits of a simulated gate; 0: not used.
type SimulatedLimits struct {
	Compares bool    // compare error rates, with the margin
	Margin   float64 // percentage points
	Ratio    float64 // of p99s, new divided by live
}

// SimulatedGate returns a function that reports, each time it is called, whether the release fails. It is called
// from several goroutines, with one load balancer each.
type SimulatedGate func(s *Simulated, l SimulatedLimits) (rolledBack func() (bool, error))

// Trial is a step of some minutes that is simulated many times.
type Trial struct {
	SimulatedTerms // without the seed
	SimulatedLimits
	Minutes, Runs int
}

// TrialResult is the result of a trial.
type TrialResult struct {
	Runs, RolledBack int
	After            time.Duration // median time until those failed
}

// Rate is the share that failed, in percent.
func (t TrialResult) Rate() float64 { return 100 * float64(t.RolledBack) / float64(t.Runs) }

// Run simulates each run with its own seed, from 1, and evaluates after every minute until the release fails or the
// step is over.
func (t Trial) Run(gate SimulatedGate) (TrialResult, error) {
	var (
		after = make([]int, t.Runs) // 0: did not fail
		next  atomic.Int64
		done  sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for i := int(next.Add(1)); i <= t.Runs; i = int(next.Add(1)) {
				n, err := t.run(uint64(i), gate)
				mu.Lock()
				if after[i-1] = n; first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	done.Wait()
	after = slices.DeleteFunc(after, func(n int) bool { return n == 0 })
	slices.Sort(after)
	tried := TrialResult{Runs: t.Runs, RolledBack: len(after)}
	if len(after) > 0 {
		tried.After = time.Duration(after[len(after)/2]) * time.Minute
	}
	return tried, first
}

// run returns the number of minutes until the release failed; 0 if it did not.
func (t Trial) run(seed uint64, gate SimulatedGate) (int, error) {
	t.Seed = seed
	s := Simulate(t.SimulatedTerms)
	failed := gate(s, t.SimulatedLimits)
	for n := 1; n <= t.Minutes; n++ {
		s.Advance()
		bad, err := failed()
		if err != nil {
			return 0, err
		}
		if bad {
			return n, nil
		}
	}
	return 0, nil
}

// mostlyDetected is the share of runs, in percent, above which a difference counts as detected.
const mostlyDetected = 90

// Least returns the smallest change of a trial, up to most, that is mostly detected, to within a percent.
func (t Trial) Least(gate SimulatedGate, most float64, change func(*Trial, float64)) (least float64, found TrialResult, err error) {
	low, high := 0.0, most
	for high-low > high/100 {
		at := t
		middle := (low + high) / 2
		change(&at, middle)
		tried, err := at.Run(gate)
		if err != nil {
			return 0, TrialResult{}, err
		}
		if tried.Rate() >= mostlyDetected {
			high, found = middle, tried
		} else {
			low = middle
		}
	}
	return high, found, nil
}

// steady is the default behavior of both versions.
func steady(errors float64) SimulatedSide {
	return SimulatedSide{Errors: errors, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
}

// equalTrial is a trial of a release that is as good as the one before.
func equalTrial(rate, share, errors float64, minutes int) Trial {
	return Trial{SimulatedTerms: SimulatedTerms{Rate: rate, Share: share, Live: steady(errors), Fresh: steady(errors)}, Minutes: minutes}
}

func (t Trial) with(l SimulatedLimits) Trial {
	t.SimulatedLimits = l
	return t
}

// errorTrials are those of the two-proportion test.
func errorTrials() []Trial {
	var all []Trial
	for _, traffic := range []struct {
		rate, share, errors float64
		minutes             int
	}{
		{500, 5, 0.2, 10}, {500, 5, 2, 10}, {500, 5, 0.2, 60}, {500, 50, 0.2, 10},
		{50, 5, 0.2, 10}, {20, 5, 0.2, 10}, {20, 5, 2, 10}, {2, 50, 0.2, 10}, {2, 50, 2, 10},
	} {
		for _, margin := range []float64{0, 0.5} {
			all = append(all, equalTrial(traffic.rate, traffic.share, traffic.errors, traffic.minutes).with(SimulatedLimits{Compares: true, Margin: margin}))
		}
	}
	return all
}

// latencyTrials are those of the ratio of p99s: with slow responses that are 5 times and 20 times slower than the
// usual ones.
func latencyTrials() []Trial {
	var all []Trial
	for _, traffic := range []struct{ rate, share float64 }{{500, 5}, {500, 50}, {200, 5}, {20, 5}, {20, 50}} {
		for _, c := range []struct{ slower, limit float64 }{{1, 1.5}, {4, 1.5}, {4, 2}} {
			t := equalTrial(traffic.rate, traffic.share, 0.2, 10).with(SimulatedLimits{Ratio: c.limit})
			t.Live, t.Fresh = t.Live.Slower(c.slower), t.Fresh.Slower(c.slower)
			all = append(all, t)
		}
	}
	return all
}

// Rates measures how often the comparisons with the live version are wrong, with this many runs per figure, and
// returns two tables.
func Rates(runs int, gate SimulatedGate) (string, error) {
	var text strings.Builder
	text.WriteString("| requests per minute, new and live | live errors | margin | minutes | equal, rolled back | worse by the margin, rolled back | 2 points worse, missed | detected in 90 % of runs from | within |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range errorTrials() {
		t.Runs = runs
		if err := t.errorRow(&text, gate); err != nil {
			return "", err
		}
	}
	text.WriteString("\n| requests per minute, new and live | p50, p99 | limit | minutes | equal, rolled back | p99 three times, missed | detected in 90 % of runs from | within |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, t := range latencyTrials() {
		t.Runs = runs
		if err := t.latencyRow(&text, gate); err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

func (t Trial) traffic() string {
	fresh := t.Rate * 60 * t.Share / 100
	return fmt.Sprintf("%.0f + %.0f", fresh, t.Rate*60-fresh)
}

// searchRuns are enough to find the smallest detected difference.
const searchRuns = 400

func (t Trial) errorRow(text *strings.Builder, gate SimulatedGate) error {
	worse := func(at *Trial, points float64) { at.Fresh.Errors = min(100, at.Live.Errors+points) }
	rates, err := t.rates(gate, 0, t.Margin, 2)(worse)
	if err != nil {
		return err
	}
	t.Runs = min(t.Runs, searchRuns)
	least, found, err := t.Least(gate, 100-t.Live.Errors, worse)
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "| %s | %g %% | %g | %d | %.2f %% | %.2f %% | %.2f %% | %s |\n", t.traffic(), t.Live.Errors, t.Margin, t.Minutes,
		rates[0], rates[1], 100-rates[2], found.detected("%.2g points", least))
	return nil
}

func (t Trial) latencyRow(text *strings.Builder, gate SimulatedGate) error {
	slower := func(at *Trial, times float64) { at.Fresh = at.Live.Slower(1 + times) }
	rates, err := t.rates(gate, 0, 2)(slower)
	if err != nil {
		return err
	}
	t.Runs = min(t.Runs, searchRuns)
	least, found, err := t.Least(gate, 20, slower)
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "| %s | %s, %s | %g times | %d | %.2f %% | %.2f %% | %s |\n", t.traffic(), t.Live.P50, t.Live.P99, t.Ratio, t.Minutes,
		rates[0], 100-rates[1], found.detected("%.2g times", 1+least))
	return nil
}

// rates runs the trial with each amount of a change, and returns how often it failed.
func (t Trial) rates(gate SimulatedGate, amounts ...float64) func(change func(*Trial, float64)) ([]float64, error) {
	return func(change func(*Trial, float64)) ([]float64, error) {
		var all []float64
		for _, amount := range amounts {
			at := t
			change(&at, amount)
			tried, err := at.Run(gate)
			if err != nil {
				return nil, err
			}
			all = append(all, tried.Rate())
		}
		return all, nil
	}
}

// detected is the smallest detected change and the time it takes; there may be none.
func (t TrialResult) detected(format string, least float64) string {
	if t.Runs == 0 {
		return "nothing | -"
	}
	return fmt.Sprintf(format, least) + " | " + strings.TrimSuffix(t.After.String(), "0s")
}
