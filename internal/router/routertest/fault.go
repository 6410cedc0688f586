package routertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Kind is what goes wrong with a call.
type Kind string

// The kinds of faults, each with the event that it plays.
const (
	// Throttled is an account that calls more often than it may: the call fails
	// with rollout.ErrThrottled once the client's retries are used up.
	Throttled Kind = "throttled"
	// Refused is an API that says no, by Fault.Err: a 5xx, missing permissions,
	// expired credentials. Nothing is changed.
	Refused Kind = "refused"
	// Lost is a write that is acknowledged and never done.
	Lost Kind = "lost"
	// AnswerLost is a connection that breaks after a write was done: the call
	// fails with Fault.Err, and the route has changed.
	AnswerLost Kind = "answer lost"
	// Blocked is a network that swallows packets: the call returns when its
	// context ends, and nothing is changed.
	Blocked Kind = "blocked"
	// Slow is an API that takes Fault.For to answer.
	Slow Kind = "slow"
	// Stale is a read answered by a part of the API that has not heard yet: it
	// shows what the route did Fault.For ago, or without it what the route did
	// before its last change.
	Stale Kind = "stale"
	// External is someone else who is quicker: Fault.Do runs just before the call.
	External Kind = "foreign"
)

// Always is for Fault.Times: the fault never ends.
const Always = -1

// ErrServer is what a Fault without an Err fails with: a 5xx of the API.
var ErrServer = errors.New("internal failure of the balancer's API")

// Fault is something that goes wrong with calls.
type Fault struct {
	Kind  Kind
	Op    Op            // the calls it hits; empty: all
	Route string        // those about this route, or group with Health; empty: all
	By    Client        // those of one client; empty: of both
	Skip  int           // so many of them come through first
	Times int           // so many are hit then; 0 is one, Always is all
	Err   error         // for Refused and AnswerLost; nil: ErrServer
	For   time.Duration // for Slow and Stale
	Do    func()        // for Foreign; may use every method of Memory
}

// Client is one of the two ways to the balancer.
type Client string

// The clients.
const (
	ByForward  Client = "forward"
	ByRollback Client = "home"
)

type fault struct {
	Fault
	seen int // calls that it could have hit
}

// Inject adds a fault. Several may hit one call: what others did first (Foreign,
// Slow) comes before what it fails with, in the order of their adding.
func (m *Memory) Inject(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, &fault{Fault: f})
}

// meet lets everything happen that comes before the call itself. It returns
// the faults that change how the call is done, or the error that it ends with.
func (m *Memory) meet(ctx context.Context, call Call) (map[Kind]*fault, error) {
	m.runEvents()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	met := map[Kind]*fault{}
	for _, f := range m.hit(call) {
		if err := f.happen(ctx); err != nil {
			return nil, err
		}
		met[f.Kind] = f
	}
	m.runEvents() // time may have gone by
	return met, nil
}

// hit counts the call for every fault that is about it, and returns those
// whose turn it is.
func (m *Memory) hit(call Call) []*fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	var hit []*fault
	for _, f := range m.faults {
		if !f.matches(call) {
			continue
		}
		f.seen++
		n := f.seen - f.Skip
		if n > 0 && (f.Times == Always || n <= max(f.Times, 1)) {
			hit = append(hit, f)
		}
	}
	return hit
}

func (f *fault) matches(call Call) bool {
	by := ByForward
	if call.Rollback {
		by = ByRollback
	}
	return (f.Op == "" || f.Op == call.Op) && (f.By == "" || f.By == by) &&
		(f.Route == "" || slices.Contains(call.Routes, f.Route) || slices.Contains(call.Groups, f.Route))
}

func (f *fault) about(route string) bool { return f.Route == "" || f.Route == route }

// happen does what the fault does before a call, and returns what ends it.
func (f *fault) happen(ctx context.Context) error {
	switch f.Kind {
	case Throttled:
		return fmt.Errorf("rate exceeded: %w", rollout.ErrThrottled)
	case Refused:
		return f.err()
	case Blocked:
		<-ctx.Done()
		return ctx.Err()
	case Slow:
		return wait(ctx, f.For)
	case External:
		f.Do()
	case Lost, AnswerLost, Stale: // the call itself minds them
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
