package routertest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// records is what a route has at some time, by id of the shift.
type recordSnapshot struct {
	at      time.Time
	records map[string]traffic.Record
}

// Recorder returns the records beside the routes of the load balancer, for
// rollout.Spec.Recorder. Its calls are recorded and subject to faults like the others.
func (m *Memory) Recorder() Tags { return Tags{m} }

// Tags is the records beside the routes of a Memory.
type Tags struct{ m *Memory }

var _ traffic.Recorder = Tags{}

// Records implements traffic.Recorder.
func (c Tags) Records(ctx context.Context, routes []string) (found map[string][]traffic.Record, err error) {
	m, call := c.m, Call{Op: Records, Routes: slices.Clone(routes)}
	defer func() { m.record(call, err) }()
	faults, err := m.applyFaults(ctx, call)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found = map[string][]traffic.Record{}
	for _, route := range routes {
		now := c.of(route)
		if stale, ok := faults[Stale]; ok && stale.about(route) {
			now = c.before(route, stale.For)
		}
		for _, id := range slices.Sorted(maps.Keys(now)) {
			record := now[id]
			for _, verb := range traffic.Verbs() {
				if r, ok := m.asked[route][verb]; ok && r.Shift == id {
					record.Requests = append(record.Requests, r)
				}
			}
			found[route] = append(found[route], record)
		}
	}
	return found, nil
}

// Put implements traffic.Recorder.
func (c Tags) Put(ctx context.Context, routes []string, r traffic.Record, whole bool) (err error) {
	m, call := c.m, Call{Op: Put, Routes: slices.Clone(routes), Record: r}
	defer func() { m.record(call, err) }()
	return c.change(ctx, call, func(of map[string]traffic.Record) {
		now, is := of[r.Shift]
		if whole || !is {
			if !whole { // only the fields that change are written
				now = traffic.Record{Shift: r.Shift}
			} else {
				now = r
			}
		}
		now.Switch, now.Routes, now.Owner = r.Switch, r.Routes, r.Owner
		now.Phase, now.Renewal, now.Expires, now.Reached, now.Answers = r.Phase, r.Renewal, r.Expires, r.Reached, r.Answers
		if r.Reason != "" {
			now.Reason = r.Reason
		}
		of[r.Shift] = now
	})
}

// Remove implements traffic.Recorder.
func (c Tags) Remove(ctx context.Context, routes []string, id string) (err error) {
	m, call := c.m, Call{Op: Remove, Routes: slices.Clone(routes), Record: traffic.Record{Shift: id}}
	defer func() { m.record(call, err) }()
	err = c.change(ctx, call, func(of map[string]traffic.Record) { delete(of, id) })
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, route := range routes {
			delete(m.asked, route)
		}
	}
	return err
}

// change changes what each existing route of a call has.
func (c Tags) change(ctx context.Context, call Call, do func(map[string]traffic.Record)) error {
	m := c.m
	faults, err := m.applyFaults(ctx, call)
	if err != nil {
		return err
	}
	if _, lost := faults[Lost]; lost {
		return nil
	}
	if f, late := faults[Late]; late {
		return m.late(ctx, f.For, func() error { c.apply(call, do); return nil })
	}
	c.apply(call, do)
	if f, lost := faults[AnswerLost]; lost {
		return f.err()
	}
	return nil
}

func (c Tags) apply(call Call, do func(map[string]traffic.Record)) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, route := range call.Routes {
		if m.routes[route] != nil {
			next := maps.Clone(c.of(route))
			do(next)
			m.noted[route] = append(m.noted[route], recordSnapshot{time.Now(), next})
		}
	}
}

// Set simulates that another process puts a record on a route. It is not recorded
// as a call.
func (c Tags) Set(route string, r traffic.Record) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(c.of(route))
	next[r.Shift] = r
	m.noted[route] = append(m.noted[route], recordSnapshot{time.Now(), next})
}

// RemoveAll simulates that another process removes all records of a route.
func (c Tags) RemoveAll(route string) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted[route] = append(m.noted[route], recordSnapshot{time.Now(), nil})
}

// Now returns the actual records of a route, by id.
func (c Tags) Now(route string) []traffic.Record {
	m := c.m
	m.runEvents()
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.of(route)), func(a, b traffic.Record) int { return strings.Compare(a.Shift, b.Shift) })
}

// of returns the current records of a route, never nil. The caller holds the lock.
func (c Tags) of(route string) map[string]traffic.Record {
	m := c.m
	if m.noted == nil {
		m.noted = map[string][]recordSnapshot{}
	}
	all := m.noted[route]
	if len(all) == 0 || m.routes[route] == nil || all[len(all)-1].records == nil {
		return map[string]traffic.Record{}
	}
	return all[len(all)-1].records
}

// before returns the records of lag ago or, if lag is 0, before the last change.
func (c Tags) before(route string, lag time.Duration) map[string]traffic.Record {
	m := c.m
	all := m.noted[route]
	for i := len(all) - 1; i >= 0; i-- {
		if i < len(all)-1 && lag == 0 || lag > 0 && time.Since(all[i].at) >= lag {
			return all[i].records
		}
	}
	return nil
}

// Requests implements traffic.Requester.
func (c Tags) Requests(ctx context.Context, routes []string) (all []traffic.Request, err error) {
	m, call := c.m, Call{Op: Requests, Routes: slices.Clone(routes)}
	defer func() { m.record(call, err) }()
	if _, err := m.applyFaults(ctx, call); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, verb := range traffic.Verbs() {
		for _, route := range routes {
			if r, ok := m.asked[route][verb]; ok && !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// Ask implements traffic.Requester.
func (c Tags) Ask(ctx context.Context, routes []string, r traffic.Request) (err error) {
	m, call := c.m, Call{Op: Ask, Routes: slices.Clone(routes)}
	defer func() { m.record(call, err) }()
	if _, err := m.applyFaults(ctx, call); err != nil {
		return err
	}
	c.SetRequest(routes, r)
	return nil
}

// RemoveRequests implements traffic.Requester.
func (c Tags) RemoveRequests(ctx context.Context, routes []string, verbs []traffic.Verb) (err error) {
	m, call := c.m, Call{Op: RemoveRequests, Routes: slices.Clone(routes)}
	defer func() { m.record(call, err) }()
	if _, err := m.applyFaults(ctx, call); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, route := range routes {
		for _, verb := range verbs {
			delete(m.asked[route], verb)
		}
	}
	return nil
}

// SetRequest simulates that another process makes a request. It is not recorded as a call.
func (c Tags) SetRequest(routes []string, r traffic.Request) {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, route := range routes {
		if m.routes[route] == nil {
			continue
		}
		if m.asked == nil {
			m.asked = map[string]map[traffic.Verb]traffic.Request{}
		}
		if m.asked[route] == nil {
			m.asked[route] = map[traffic.Verb]traffic.Request{}
		}
		m.asked[route][r.Verb] = r
	}
}
