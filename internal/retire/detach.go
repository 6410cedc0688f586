package retire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// DetachSpec is the input of Detach: groups without traffic, and the routes to remove
// them from.
type DetachSpec struct {
	Router traffic.Router // only Read and Write are called
	Routes []string
	Groups []string
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(rollout.Event)
}

// LiveError reports that a route still sends requests to a group to detach.
type LiveError struct {
	Route, Group string
	Share        shift.Share // 0: only sticky clients are sent there
	Sticky       bool
}

func (e *LiveError) Error() string {
	return fmt.Sprintf("%s sends %s of its traffic to %s", e.Route, e.Share, e.Group)
}

// errDetachNotVerified reports a write that was accepted but did not take effect.
var errDetachNotVerified = errors.New("the write was accepted, but the route does not show it")

// Detach removes the groups from the action of each route, with one write per route that
// has them, and reads it back. It moves no traffic: it skips routes where no other group
// has weight, and routes that do not exist. If a route sends requests to one of the
// groups, it returns a *LiveError and writes nothing; it returns the same error if a read
// after a write shows such requests.
func Detach(ctx context.Context, d DetachSpec) error {
	emit(d.OnEvent, rollout.Event{Kind: rollout.PhaseStarted, Text: "detach"})
	desired, err := d.statesWithout(ctx, d.Routes)
	if err != nil {
		return err
	}
	writeErrs := map[string]error{}
	for _, route := range slices.Sorted(maps.Keys(desired)) {
		err := d.write(ctx, route, desired[route])
		written := rollout.Event{Kind: rollout.WeightsWritten, Route: route}
		if err != nil {
			written.Text = err.Error()
		}
		emit(d.OnEvent, written)
		if err != nil && !errors.Is(err, traffic.ErrNotFound) {
			return err
		}
		writeErrs[route] = err // nil, or the route does not exist, which verify accepts
	}
	return d.verify(ctx, writeErrs)
}

// verify reads the written routes until none has the groups.
func (d DetachSpec) verify(ctx context.Context, writeErrs map[string]error) error {
	pending := slices.Sorted(maps.Keys(writeErrs))
	for _, pause := range rereadPauses {
		if len(pending) == 0 {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		attached, err := d.statesWithout(ctx, pending)
		if err != nil {
			return err
		}
		pending = slices.Sorted(maps.Keys(attached))
	}
	if len(pending) == 0 {
		return nil
	}
	if err := writeErrs[pending[0]]; err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", pending[0], errDetachNotVerified)
}

// statesWithout returns the desired states of the routes that have one of the groups. It
// returns a *LiveError if one of them sends requests there.
func (d DetachSpec) statesWithout(ctx context.Context, routes []string) (map[string]traffic.State, error) {
	desired := map[string]traffic.State{}
	for _, route := range routes {
		now, err := d.read(ctx, route)
		if errors.Is(err, traffic.ErrNotFound) {
			continue // deleted in the same apply
		}
		if err != nil {
			return nil, err
		}
		for _, group := range d.Groups {
			if live := liveOn(route, group, now); live != nil {
				return nil, live
			}
		}
		if next := d.without(now); next.Weights != nil {
			desired[route] = next
		}
	}
	return desired, nil
}

// liveOn returns an error if a route sends requests to the group. A single group gets
// all of them, whatever its weight.
func liveOn(route, group string, now traffic.State) error {
	weight, attached := now.Weights[group]
	share := shift.FromRaw(now.Weights)[group]
	if len(now.Weights) == 1 {
		share = shift.Full
	}
	if !attached || weight == 0 && share == 0 && now.Stickiness == 0 {
		return nil
	}
	return &LiveError{Route: route, Group: group, Share: share, Sticky: now.Stickiness > 0}
}

// without returns the state without the groups. Its weights are nil if nothing may be
// written: it has none of the groups, or no other group has weight and the last one
// would get all traffic.
func (d DetachSpec) without(now traffic.State) traffic.State {
	next, highest := now, 0
	next.Weights = maps.Clone(now.Weights)
	for _, group := range d.Groups {
		delete(next.Weights, group)
	}
	for _, weight := range next.Weights {
		highest = max(highest, weight)
	}
	if highest == 0 || len(next.Weights) == len(now.Weights) {
		next.Weights = nil
	}
	return next
}

func (d DetachSpec) read(ctx context.Context, route string) (traffic.State, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	states, err := d.Router.Read(limited, []string{route})
	if err != nil {
		return traffic.State{}, err
	}
	return states[0], nil
}

func (d DetachSpec) write(ctx context.Context, route string, desired traffic.State) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return d.Router.Write(limited, route, desired)
}
