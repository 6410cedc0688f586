package routertest

import (
	"context"
	"slices"
	"time"
)

type event struct {
	at   time.Time
	do   func()
	late bool // see Fault Late
}

// At schedules a function for a time after NewMemory. It runs at the first call from then
// on, in the order of times, and may use every method of Memory.
func (m *Memory) At(after time.Duration, do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.schedule(event{at: m.start.Add(after), do: do})
}

// schedule adds an event. The caller holds the lock.
func (m *Memory) schedule(e event) {
	m.events = append(m.events, e)
	slices.SortStableFunc(m.events, func(a, b event) int { return a.at.Compare(b.at) })
}

// runEvents runs the events that are due, without the lock, because they may use every
// method.
func (m *Memory) runEvents() {
	for {
		m.mu.Lock()
		if len(m.events) == 0 || m.events[0].at.After(time.Now()) {
			m.mu.Unlock()
			return
		}
		next := m.events[0]
		m.events = m.events[1:]
		m.mu.Unlock()
		next.do()
	}
}

// late carries a request out after some time, and waits for that unless ctx ends before.
func (m *Memory) late(ctx context.Context, after time.Duration, do func() error) error {
	var err error
	m.mu.Lock()
	m.schedule(event{at: time.Now().Add(after), do: func() { err = do() }, late: true})
	m.mu.Unlock()
	if ended := wait(ctx, after); ended != nil {
		return ended
	}
	m.runEvents()
	return err
}

// FinishLate carries out the requests of Fault Late that are still due, at whatever time.
func (m *Memory) FinishLate() {
	m.mu.Lock()
	due := slices.DeleteFunc(slices.Clone(m.events), func(e event) bool { return !e.late })
	m.events = slices.DeleteFunc(m.events, func(e event) bool { return e.late })
	m.mu.Unlock()
	for _, e := range due {
		e.do()
	}
}
