package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// pollInterval is how often the weights of the load balancer are read.
const pollInterval = 25 * time.Millisecond

// weightChange is a change of weights, with the responses until then.
type weightChange struct {
	at      time.Time
	weights map[string]int
	counts  rehearsal.Counts
}

// watch observes the load balancer from outside: it records every change of its weights, and prints
// them with the responses that users get, every second.
type watch struct {
	printer
	weights func(context.Context) (map[string]int, error) // reads the load balancer's weights
	load    *rehearsal.Load
	shifts  *progress

	cancel context.CancelFunc
	done   sync.WaitGroup
	began  time.Time

	mu       sync.Mutex
	changes  []weightChange
	worst    map[string]float64 // largest share of a version in one second
	firstBad time.Time
	changed  chan struct{} // closed and renewed at every change
}

func (v printer) watch(ask func(context.Context) (map[string]int, error), load *rehearsal.Load, shifts *progress) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{printer: v, weights: ask, load: load, shifts: shifts, cancel: cancel,
		worst: map[string]float64{}, changed: make(chan struct{}), began: time.Now()}
	w.done.Go(func() { w.run(ctx) })
	w.done.Go(func() { shifts.follow(ctx, w.began) })
	return w
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	second := reading{at: w.began, counts: w.load.Counts()}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			second = w.tick(ctx, now, second)
		}
	}
}

// reading is the counts of the load at a time.
type reading struct {
	at     time.Time
	counts rehearsal.Counts
}

// tick polls, and prints a line when a second is over.
func (w *watch) tick(ctx context.Context, now time.Time, before reading) reading {
	counts := w.load.Counts()
	w.poll(ctx, now, counts)
	if now.Sub(before.at) >= time.Second {
		second := counts.Since(before.counts)
		w.updateWorst(second)
		w.printSecond(now.Sub(w.began), second, counts.Lost)
		return reading{at: now, counts: counts}
	}
	return before
}

// poll records a change of weights and the first bad response.
func (w *watch) poll(ctx context.Context, now time.Time, counts rehearsal.Counts) {
	weights, err := w.weights(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.firstBad.IsZero() && sum(counts.Bad) > 0 {
		w.firstBad = now
	}
	if err != nil || len(w.changes) > 0 && maps.Equal(shares(weights), shares(w.changes[len(w.changes)-1].weights)) {
		return
	}
	w.changes = append(w.changes, weightChange{at: now, weights: weights, counts: counts})
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watch) updateWorst(second rehearsal.Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for version := range second.ByVersion {
		w.worst[version] = max(w.worst[version], second.Share(version))
	}
}

func (w *watch) printSecond(since time.Duration, second rehearsal.Counts, lost int) {
	var answers []string
	for _, version := range slices.Sorted(maps.Keys(second.ByVersion)) {
		if second.ByVersion[version] == 0 {
			continue
		}
		text := fmt.Sprintf("%s %.1f %%", version, second.Share(version))
		if n := second.Bad[version]; n > 0 {
			text += fmt.Sprintf(" (%d failed)", n)
		}
		answers = append(answers, text)
	}
	w.say("%6.1fs  %-22s  responses: %-36s %4d/s  lost: %d",
		since.Seconds(), w.weightsText(), strings.Join(answers, ", "), second.Requests, lost)
}

// weightsText is the current weights.
func (w *watch) weightsText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changes) == 0 {
		return ""
	}
	var parts []string
	share := shares(w.changes[len(w.changes)-1].weights)
	for _, name := range slices.Sorted(maps.Keys(share)) {
		parts = append(parts, fmt.Sprintf("%s %g %%", name, share[name]))
	}
	return strings.Join(parts, ", ")
}

// shares converts weights to percentages, without those that are 0.
func shares(weights map[string]int) map[string]float64 {
	total, share := sum(weights), map[string]float64{}
	for name, n := range weights {
		if n > 0 {
			share[name] = 100 * float64(n) / float64(total)
		}
	}
	return share
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// until waits until an environment has the share.
func (w *watch) until(ctx context.Context, environment string, percent float64) error {
	for {
		w.mu.Lock()
		changed := w.changed
		there := len(w.changes) > 0 && shares(w.changes[len(w.changes)-1].weights)[environment] == percent
		w.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the watch and returns what it observed.
func (w *watch) stop() ([]weightChange, map[string]float64, time.Time) {
	w.cancel()
	w.done.Wait()
	return w.changes, w.worst, w.firstBad
}
