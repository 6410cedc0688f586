package rehearsal

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SimulatedLimits are the limits of a simulated gate; nil: not used.
type SimulatedLimits struct {
	MaxErrorRate, WorseBy, ErrorRatio *float64
	SlowThreshold                     time.Duration
	MaxSlowRate, SlowerBy, SlowRatio  *float64
	Lookback                          time.Duration // 0: the default
}

// SimulatedGate returns a function that reports, each time it is called, whether the release fails. It is called
// from several goroutines, with one load balancer each.
type SimulatedGate func(s *Simulated, l SimulatedLimits) (rolledBack func() (bool, error))

// Trial is a release that is simulated many times.
type Trial struct {
	SimulatedTerms // the runs have the seeds after this one
	SimulatedLimits
	Minutes, Runs int // minutes of a step, number of releases
}

// TrialResult is the result of a trial.
type TrialResult struct {
	Runs, RolledBack int
	After            time.Duration // median time until those failed
}

// Rate is the share that failed, in percent.
func (t TrialResult) Rate() float64 { return 100 * float64(t.RolledBack) / float64(t.Runs) }

// Run simulates each release with its own seed and evaluates after every minute until the release fails or
// the last step is over.
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
	t.Seed += seed
	s := Simulate(t.SimulatedTerms)
	failed := gate(s, t.SimulatedLimits)
	for n := 1; n <= t.Minutes*len(t.Shares); n++ {
		s.Advance()
		if s.Now().After(s.DataFrom()) {
			bad, err := failed()
			if err != nil {
				return 0, err
			}
			if bad {
				return n, nil
			}
		}
		if n%t.Minutes == 0 && n < t.Minutes*len(t.Shares) {
			s.Change()
		}
	}
	return 0, nil
}

// interval returns the 95 % confidence interval of the rate in percent, by the method of Wilson, Journal of the
// American Statistical Association 22 (1927), 209-212.
func (t TrialResult) interval() (low, high float64) {
	const z = 1.96
	n, p := float64(t.Runs), float64(t.RolledBack)/float64(t.Runs)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	width := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return 100 * max(0, middle-width), 100 * min(1, middle+width)
}

// missed is the result of a bad release, with the releases that did not fail.
func (t TrialResult) missed() TrialResult {
	return TrialResult{Runs: t.Runs, RolledBack: t.Runs - t.RolledBack}
}

func (t TrialResult) text() string {
	low, high := t.interval()
	return fmt.Sprintf("%.1f %% (%.1f to %.1f)", t.Rate(), low, high)
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

// equalTrial is a step of ten minutes of a release that is as good as the one before.
func equalTrial(rate, share, errors float64, l SimulatedLimits) Trial {
	return Trial{
		SimulatedTerms:  SimulatedTerms{Rate: rate, Shares: []float64{share}, Live: steady(errors), Fresh: steady(errors)},
		SimulatedLimits: l, Minutes: 10,
	}
}

// traffic returns the requests per minute of both versions in the first step.
func (t Trial) traffic() string {
	fresh := t.Rate * 60 * t.Shares[0] / 100
	return fmt.Sprintf("%.0f + %.0f", fresh, t.Rate*60-fresh)
}

// tenSteps is the same release in ten steps, up to 100 %.
func (t Trial) tenSteps() Trial {
	t.Shares = []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	return t
}

// limits names the limits.
func (l SimulatedLimits) text() string {
	var all []string
	for _, limit := range []struct {
		argument string
		value    *float64
	}{
		{"max_error_rate", l.MaxErrorRate}, {"worse_than_live_by", l.WorseBy}, {"error_ratio", l.ErrorRatio},
		{"max_slow_rate", l.MaxSlowRate}, {"slower_than_live_by", l.SlowerBy}, {"slow_ratio", l.SlowRatio},
	} {
		if limit.value != nil {
			all = append(all, fmt.Sprintf("`%s = %g`", limit.argument, *limit.value))
		}
	}
	if l.SlowThreshold > 0 {
		all = append(all, fmt.Sprintf("`slow_threshold = %q`", l.SlowThreshold))
	}
	if l.Lookback > 0 {
		all = append(all, fmt.Sprintf("`lookback = %q`", strings.TrimSuffix(l.Lookback.String(), "0s")))
	}
	return strings.Join(all, ", ")
}
