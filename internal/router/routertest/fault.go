package routertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Kind is the kind of a Fault.
type Kind string

// The kinds of faults, each with the real event that it simulates.
const (
	// Throttled simulates exceeded rate limits: the call fails with
	// traffic.ErrThrottled, as after the client's retries.
	Throttled Kind = "throttled"
	// Refused simulates an API error: a 5xx, missing permissions, expired
	// credentials. The call fails with Fault.Err and changes nothing.
	Refused Kind = "refused"
	// Lost simulates a write that is accepted but never takes effect.
	Lost Kind = "lost"
	// AnswerLost simulates a connection that fails after a write: the call fails with
	// Fault.Err, but the route has changed.
	AnswerLost Kind = "answer lost"
	// Blocked simulates a network that drops packets: the call returns when its context
	// ends and changes nothing.
	Blocked Kind = "blocked"
	// Late simulates a request that the API carries out Fault.For after it was sent, also
	// after the timeout of its client. It affects writes of routes and of records.
	Late Kind = "late"
	// Slow simulates an API that takes Fault.For to respond.
	Slow Kind = "slow"
	// Stale simulates eventually consistent reads: a read returns the state of
	// Fault.For ago or, if that is 0, the state before the last change.
	Stale Kind = "stale"
	// External simulates an external change: Fault.Do runs just before the call.
	External Kind = "external"
)

// Always is a value of Fault.Times: the fault never ends.
const Always = -1

// ErrServer is the default of Fault.Err: a 5xx of the API.
var ErrServer = errors.New("internal failure of the load balancer API")

// Fault makes calls fail or misbehave.
type Fault struct {
	Kind  Kind
	Op    Op            // affected operation; empty: all
	Route string        // affected route, or group of Health; empty: all
	By    Client        // affected client; empty: both
	Skip  int           // number of matching calls that succeed first
	Times int           // number of calls that are affected then; 0 means 1
	Until time.Duration // since NewMemory: the fault ends then; 0: never
	Err   error         // of Refused and AnswerLost; nil: ErrServer
	For   time.Duration // of Late, Slow and Stale
	Do    func()        // of External; may use every method of Memory
}

// Client is one of the two clients of a Memory.
type Client string

// The clients.
const (
	ByForward  Client = "forward"
	ByRollback Client = "rollback"
)

type fault struct {
	Fault
	matched int // number of matching calls so far
}

// Inject adds a fault. If several affect one call, they apply in the order in which they
// were added.
func (m *Memory) Inject(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, &fault{Fault: f})
}

// applyFaults runs due events and the faults that affect a call. It returns the faults
// by kind, for those that the call itself handles, or the error that the call fails
// with.
func (m *Memory) applyFaults(ctx context.Context, call Call) (map[Kind]*fault, error) {
	m.runEvents()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	faults := map[Kind]*fault{}
	for _, f := range m.dueFaults(call) {
		if err := f.apply(ctx); err != nil {
			return nil, err
		}
		faults[f.Kind] = f
	}
	m.runEvents() // a slow call takes time
	return faults, nil
}

// dueFaults counts the call for every fault that matches it, and returns the faults that
// affect it.
func (m *Memory) dueFaults(call Call) []*fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []*fault
	for _, f := range m.faults {
		if !f.matches(call) {
			continue
		}
		f.matched++
		n := f.matched - f.Skip
		ended := f.Until > 0 && time.Since(m.start) >= f.Until
		if n > 0 && !ended && (f.Times == Always || n <= max(f.Times, 1)) {
			due = append(due, f)
		}
	}
	return due
}

func (f *fault) matches(call Call) bool {
	by := ByForward
	if call.Rollback {
		by = ByRollback
	}
	return (f.Op == "" || f.Op == call.Op) && (f.By == "" || f.By == by) &&
		(f.Route == "" || slices.Contains(call.Routes, f.Route) || slices.Contains(call.Groups, f.Route))
}

// about reports whether the fault affects a route.
func (f *fault) about(route string) bool { return f.Route == "" || f.Route == route }

// apply does what the fault does before a call, and returns the error of a call that
// fails.
func (f *fault) apply(ctx context.Context) error {
	switch f.Kind {
	case Throttled:
		return fmt.Errorf("rate exceeded: %w", traffic.ErrThrottled)
	case Refused:
		return f.err()
	case Blocked:
		<-ctx.Done()
		return ctx.Err()
	case Slow:
		return wait(ctx, f.For)
	case External:
		f.Do()
	case Lost, Late, AnswerLost, Stale: // handled by the call itself
	}
	return nil
}

func (f *fault) err() error {
	if f.Err == nil {
		return ErrServer
	}
	return f.Err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
