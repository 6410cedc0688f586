package routertest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// timeline is what happens at certain times. Time passes at calls only.
type timeline struct {
	began  time.Time
	times  sync.Mutex // of events, which may use every method of Memory
	events []event
}

type event struct {
	at   time.Time
	do   func()
	late bool // see Fault Late
}

// At schedules a function for a time after NewMemory. It runs at the first call from then
// on, in the order of times, and may use every method of Memory.
func (t *timeline) At(after time.Duration, do func()) {
	t.times.Lock()
	defer t.times.Unlock()
	t.schedule(event{at: t.began.Add(after), do: do})
}

// schedule adds an event. The caller holds the lock.
func (t *timeline) schedule(e event) {
	t.events = append(t.events, e)
	slices.SortStableFunc(t.events, func(a, b event) int { return a.at.Compare(b.at) })
}

// runEvents runs the events that are due, without the lock, because they may use every
// method.
func (t *timeline) runEvents() {
	for {
		t.times.Lock()
		if len(t.events) == 0 || t.events[0].at.After(time.Now()) {
			t.times.Unlock()
			return
		}
		next := t.events[0]
		t.events = t.events[1:]
		t.times.Unlock()
		next.do()
	}
}

// late carries a request out after some time, and waits for that unless ctx ends before.
func (t *timeline) late(ctx context.Context, after time.Duration, do func() error) error {
	done := make(chan error, 1) // another call may run the event
	t.times.Lock()
	t.schedule(event{at: time.Now().Add(after), do: func() { done <- do() }, late: true})
	t.times.Unlock()
	if ended := wait(ctx, after); ended != nil {
		return ended
	}
	t.runEvents()
	return <-done
}

// FinishLate carries out the requests of Fault Late that are still due, at whatever time.
func (t *timeline) FinishLate() {
	t.times.Lock()
	due := slices.DeleteFunc(slices.Clone(t.events), func(e event) bool { return !e.late })
	t.events = slices.DeleteFunc(t.events, func(e event) bool { return e.late })
	t.times.Unlock()
	for _, e := range due {
		e.do()
	}
}
