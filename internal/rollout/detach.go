package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// DetachSpec is groups that traffic has left, and routes that name them beside
// others.
type DetachSpec struct {
	Router Router // of which Read and Write are called
	Routes []string
	Groups []string
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// LiveError says that a route gives a group requests that was to be detached.
type LiveError struct {
	Route, Group string
	Share        shift.Share // 0: its stickiness alone sends clients there
	Sticky       bool
}

func (e *LiveError) Error() string {
	return fmt.Sprintf("%s gives %s %s", e.Route, e.Group, e.Share)
}

// errDetachNotVerified says that a write was accepted and is not seen.
var errDetachNotVerified = errors.New("the write was accepted and does not show")

// Detach takes the groups out of the action of each route, with one write per
// route that names them, and reads it back. No traffic moves: a route where no
// other group has weight is left alone, and so is one that is gone. It returns a
// LiveError, and has written nothing, where a route gives one of them requests;
// where one does so afterwards, it returns that too.
func Detach(ctx context.Context, d DetachSpec) error {
	d.emit(Event{Kind: PhaseStarted, Text: "detach"})
	desired, err := d.statesWithout(ctx, d.Routes)
	if err != nil {
		return err
	}
	writeErrs := map[string]error{}
	for _, route := range slices.Sorted(maps.Keys(desired)) {
		err := d.write(ctx, route, desired[route])
		d.emit(Event{Kind: WeightsWritten, Route: route, Text: errorText(err)})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		writeErrs[route] = err // the route may be gone: then there is nothing left to be done
	}
	return d.verify(ctx, writeErrs)
}

// verify reads the routes that were written until none names the groups.
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

// statesWithout are those of the routes that name one of the groups in vain, with what
// they are to do instead.
func (d DetachSpec) statesWithout(ctx context.Context, routes []string) (map[string]RouteState, error) {
	desired := map[string]RouteState{}
	for _, route := range routes {
		now, err := d.read(ctx, route)
		if errors.Is(err, ErrNotFound) {
			continue // it went at the same time
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

// liveOn returns an error where a route gives the group requests. A group that
// stands alone gets all of them.
func liveOn(route, group string, now RouteState) error {
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

// without is a setting without the groups. Its weights are nil where it names
// none of them, and where nobody else has weight: to leave one of those alone
// would give it traffic.
func (d DetachSpec) without(now RouteState) RouteState {
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

func (d DetachSpec) read(ctx context.Context, route string) (RouteState, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	states, err := d.Router.Read(limited, []string{route})
	if err != nil {
		return RouteState{}, err
	}
	return states[0], nil
}

func (d DetachSpec) write(ctx context.Context, route string, desired RouteState) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return d.Router.Write(limited, route, desired)
}

func (d DetachSpec) emit(e Event) {
	if d.OnEvent != nil {
		e.At = time.Now()
		d.OnEvent(e)
	}
}
