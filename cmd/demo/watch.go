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

// watchEvery is how often the balancer is asked for its weights.
const watchEvery = 25 * time.Millisecond

// turn is a change of weights, and what users had got until then.
type turn struct {
	at      time.Time
	weights map[string]int
	counts  rehearsal.Counts
}

// watch looks at the balancer as a bystander would, tells what it gives and
// what users really get, and remembers every change.
type watch struct {
	voice
	ask  func(context.Context) (map[string]int, error) // the balancer's weights
	load *rehearsal.Load

	cancel context.CancelFunc
	done   sync.WaitGroup
	began  time.Time

	mu       sync.Mutex
	turns    []turn
	worst    map[string]float64 // the most of a second's answers, by version
	firstBad time.Time
	changed  chan struct{} // closed and renewed at every change
}

func (v voice) watch(ask func(context.Context) (map[string]int, error), load *rehearsal.Load) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{voice: v, ask: ask, load: load, cancel: cancel,
		worst: map[string]float64{}, changed: make(chan struct{})}
	w.done.Go(func() { w.run(ctx) })
	return w
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	second := reading{at: time.Now(), counts: w.load.Counts()}
	w.began = second.at
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			second = w.tick(ctx, now, second)
		}
	}
}

// reading is what the load had seen at a moment.
type reading struct {
	at     time.Time
	counts rehearsal.Counts
}

// tick looks, and tells a line when a second is over or the weights changed.
func (w *watch) tick(ctx context.Context, now time.Time, before reading) reading {
	counts := w.load.Counts()
	turned := w.look(ctx, now, counts)
	if now.Sub(before.at) >= time.Second {
		second := counts.Since(before.counts)
		w.keepWorst(second)
		w.tell(now.Sub(w.began), second, counts.Lost)
		return reading{at: now, counts: counts}
	}
	if turned {
		w.say("%6.1fs  %s", now.Sub(w.began).Seconds(), w.words())
	}
	return before
}

// look notes a change of weights and the first bad answer.
func (w *watch) look(ctx context.Context, now time.Time, counts rehearsal.Counts) bool {
	weights, err := w.ask(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.firstBad.IsZero() && sum(counts.Bad) > 0 {
		w.firstBad = now
	}
	if err != nil || len(w.turns) > 0 && maps.Equal(shares(weights), shares(w.turns[len(w.turns)-1].weights)) {
		return false
	}
	w.turns = append(w.turns, turn{at: now, weights: weights, counts: counts})
	close(w.changed)
	w.changed = make(chan struct{})
	return len(w.turns) > 1
}

func (w *watch) keepWorst(second rehearsal.Counts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for version := range second.ByVersion {
		w.worst[version] = max(w.worst[version], second.Share(version))
	}
}

func (w *watch) tell(since time.Duration, second rehearsal.Counts, lost int) {
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
	w.say("%6.1fs  %-22s  answers: %-36s %4d/s  lost: %d",
		since.Seconds(), w.words(), strings.Join(answers, ", "), second.Requests, lost)
}

// words says what the balancer gives now.
func (w *watch) words() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.turns) == 0 {
		return ""
	}
	var parts []string
	share := shares(w.turns[len(w.turns)-1].weights)
	for _, name := range slices.Sorted(maps.Keys(share)) {
		parts = append(parts, fmt.Sprintf("%s %g %%", name, share[name]))
	}
	return strings.Join(parts, ", ")
}

// shares turns weights into percent, without what has none.
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

// until waits for the moment at which an environment has the share.
func (w *watch) until(ctx context.Context, environment string, percent float64) error {
	for {
		w.mu.Lock()
		changed := w.changed
		there := len(w.turns) > 0 && shares(w.turns[len(w.turns)-1].weights)[environment] == percent
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

// stop ends the watch and returns what it saw.
func (w *watch) stop() ([]turn, map[string]float64, time.Time) {
	w.cancel()
	w.done.Wait()
	return w.turns, w.worst, w.firstBad
}
