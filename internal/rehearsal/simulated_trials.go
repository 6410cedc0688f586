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

// SimulatedLimits is what a simulated release is judged by; 0: not by that.
type SimulatedLimits struct {
	Compares bool    // error rates, with the margin
	Margin   float64 // percentage points
	Ratio    float64 // of p99s, new by live
}

// SimulatedJudge makes a judge of a balancer, who says each time it is asked
// whether the release is to be sent back. It is called from several goroutines, for
// a balancer each.
type SimulatedJudge func(s *Simulated, l SimulatedLimits) (sentBack func() (bool, error))

// Trial is a step of so many minutes that is simulated many times.
type Trial struct {
	SimulatedTerms // but for the seed
	SimulatedLimits
	Minutes, Runs int
}

// Tried is what came of a trial.
type Tried struct {
	Runs, SentBack int
	After          time.Duration // how long it took in the middle one of those
}

// Rate is the part that was sent back, in percent.
func (t Tried) Rate() float64 { return 100 * float64(t.SentBack) / float64(t.Runs) }

// Run simulates each of the runs with a seed of its own, from 1, and asks after
// every minute until the release is sent back or the step is over.
func (t Trial) Run(judge SimulatedJudge) (Tried, error) {
	var (
		after = make([]int, t.Runs) // 0: not sent back
		next  atomic.Int64
		done  sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for i := int(next.Add(1)); i <= t.Runs; i = int(next.Add(1)) {
				n, err := t.run(uint64(i), judge)
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
	tried := Tried{Runs: t.Runs, SentBack: len(after)}
	if len(after) > 0 {
		tried.After = time.Duration(after[len(after)/2]) * time.Minute
	}
	return tried, first
}

// run returns after how many minutes it was sent back; 0 where it was not.
func (t Trial) run(seed uint64, judge SimulatedJudge) (int, error) {
	t.Seed = seed
	s := Simulate(t.SimulatedTerms)
	sentBack := judge(s, t.SimulatedLimits)
	for n := 1; n <= t.Minutes; n++ {
		s.Advance()
		bad, err := sentBack()
		if err != nil {
			return 0, err
		}
		if bad {
			return n, nil
		}
	}
	return 0, nil
}

// mostlyCaught is the part of the runs, in percent, that makes a difference one
// that is caught.
const mostlyCaught = 90

// Least finds the smallest change to a trial, from none up to most, with which it
// is mostly caught, to within a percent of itself.
func (t Trial) Least(judge SimulatedJudge, most float64, change func(*Trial, float64)) (least float64, found Tried, err error) {
	low, high := 0.0, most
	for high-low > high/100 {
		at := t
		middle := (low + high) / 2
		change(&at, middle)
		tried, err := at.Run(judge)
		if err != nil {
			return 0, Tried{}, err
		}
		if tried.Rate() >= mostlyCaught {
			high, found = middle, tried
		} else {
			low = middle
		}
	}
	return high, found, nil
}

// steady is how both sides are where nothing is said of it.
func steady(errors float64) SimulatedSide {
	return SimulatedSide{Errors: errors, P50: 80 * time.Millisecond, P99: 400 * time.Millisecond}
}

// alike is a trial of a release that is as good as the one before.
func alike(rate, share, errors float64, minutes int) Trial {
	return Trial{SimulatedTerms: SimulatedTerms{Rate: rate, Share: share, Live: steady(errors), Fresh: steady(errors)}, Minutes: minutes}
}

func (t Trial) with(l SimulatedLimits) Trial {
	t.SimulatedLimits = l
	return t
}

// errorTrials are those of the test of two proportions.
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
			all = append(all, alike(traffic.rate, traffic.share, traffic.errors, traffic.minutes).with(SimulatedLimits{Compares: true, Margin: margin}))
		}
	}
	return all
}

// latencyTrials are those of the ratio of p99s: with slow answers that are 5 times
// as slow as the usual ones, and 20 times.
func latencyTrials() []Trial {
	var all []Trial
	for _, traffic := range []struct{ rate, share float64 }{{500, 5}, {500, 50}, {200, 5}, {20, 5}, {20, 50}} {
		for _, c := range []struct{ slower, limit float64 }{{1, 1.5}, {4, 1.5}, {4, 2}} {
			t := alike(traffic.rate, traffic.share, 0.2, 10).with(SimulatedLimits{Ratio: c.limit})
			t.Live, t.Fresh = t.Live.Slower(c.slower), t.Fresh.Slower(c.slower)
			all = append(all, t)
		}
	}
	return all
}

// Rates measures how often the comparisons with the live side are wrong, in so
// many runs for each figure, and returns two tables.
func Rates(runs int, judge SimulatedJudge) (string, error) {
	var text strings.Builder
	text.WriteString("| requests a minute, new and live | live errors | margin | minutes | as good, sent back | worse by the margin, sent back | 2 points worse, missed | caught in 90 % of runs from | within |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range errorTrials() {
		t.Runs = runs
		if err := t.errorRow(&text, judge); err != nil {
			return "", err
		}
	}
	text.WriteString("\n| requests a minute, new and live | p50, p99 | limit | minutes | as good, sent back | p99 three times, missed | caught in 90 % of runs from | within |\n")
	text.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, t := range latencyTrials() {
		t.Runs = runs
		if err := t.latencyRow(&text, judge); err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

func (t Trial) traffic() string {
	fresh := t.Rate * 60 * t.Share / 100
	return fmt.Sprintf("%.0f + %.0f", fresh, t.Rate*60-fresh)
}

// searchRuns are enough to find where a difference is caught.
const searchRuns = 400

func (t Trial) errorRow(text *strings.Builder, judge SimulatedJudge) error {
	worse := func(at *Trial, points float64) { at.Fresh.Errors = min(100, at.Live.Errors+points) }
	rates, err := t.rates(judge, 0, t.Margin, 2)(worse)
	if err != nil {
		return err
	}
	t.Runs = min(t.Runs, searchRuns)
	least, found, err := t.Least(judge, 100-t.Live.Errors, worse)
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "| %s | %g %% | %g | %d | %.2f %% | %.2f %% | %.2f %% | %s |\n", t.traffic(), t.Live.Errors, t.Margin, t.Minutes,
		rates[0], rates[1], 100-rates[2], found.caught("%.2g points", least))
	return nil
}

func (t Trial) latencyRow(text *strings.Builder, judge SimulatedJudge) error {
	slower := func(at *Trial, times float64) { at.Fresh = at.Live.Slower(1 + times) }
	rates, err := t.rates(judge, 0, 2)(slower)
	if err != nil {
		return err
	}
	t.Runs = min(t.Runs, searchRuns)
	least, found, err := t.Least(judge, 20, slower)
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "| %s | %s, %s | %g times | %d | %.2f %% | %.2f %% | %s |\n", t.traffic(), t.Live.P50, t.Live.P99, t.Ratio, t.Minutes,
		rates[0], 100-rates[1], found.caught("%.2g times", 1+least))
	return nil
}

// rates runs the trial with each amount of a change, and returns how often it was
// sent back.
func (t Trial) rates(judge SimulatedJudge, amounts ...float64) func(change func(*Trial, float64)) ([]float64, error) {
	return func(change func(*Trial, float64)) ([]float64, error) {
		var all []float64
		for _, amount := range amounts {
			at := t
			change(&at, amount)
			tried, err := at.Run(judge)
			if err != nil {
				return nil, err
			}
			all = append(all, tried.Rate())
		}
		return all, nil
	}
}

// caught is from what on, and within which time; nothing may be enough.
func (t Tried) caught(format string, least float64) string {
	if t.Runs == 0 {
		return "nothing | -"
	}
	return fmt.Sprintf(format, least) + " | " + strings.TrimSuffix(t.After.String(), "0s")
}
