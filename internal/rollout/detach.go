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
	want, err := d.attachedGroups(ctx, d.Routes)
	if err != nil {
		return err
	}
	refused := map[string]error{}
	for _, route := range slices.Sorted(maps.Keys(want)) {
		err := d.write(ctx, route, want[route])
		d.emit(Event{Kind: WeightsWritten, Route: route, Text: errorText(err)})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		refused[route] = err // the route may be gone: then there is nothing left to be done
	}
	return d.verify(ctx, refused)
}

// verify reads the routes that were written until none names the groups.
func (d DetachSpec) verify(ctx context.Context, written map[string]error) error {
	left := slices.Sorted(maps.Keys(written))
	for _, pause := range rereadPauses {
		if len(left) == 0 {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		named, err := d.attachedGroups(ctx, left)
		if err != nil {
			return err
		}
		left = slices.Sorted(maps.Keys(named))
	}
	if len(left) == 0 {
		return nil
	}
	if err := written[left[0]]; err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", left[0], errDetachNotVerified)
}

// attachedGroups are those of the routes that name one of the groups in vain, with what
// they are to do instead.
func (d DetachSpec) attachedGroups(ctx context.Context, routes []string) (map[string]RouteState, error) {
	want := map[string]RouteState{}
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
			want[route] = next
		}
	}
	return want, nil
}

// liveOn returns an error where a route gives the group requests. A group that
// stands alone gets all of them.
func liveOn(route, group string, now RouteState) error {
	weight, is := now.Weights[group]
	share := shift.FromRaw(now.Weights)[group]
	if len(now.Weights) == 1 {
		share = shift.Full
	}
	if !is || weight == 0 && share == 0 && now.Stickiness == 0 {
		return nil
	}
	return &LiveError{Route: route, Group: group, Share: share, Sticky: now.Stickiness > 0}
}

// without is a setting without the groups. Its weights are nil where it names
// none of them, and where nobody else has weight: to leave one of those alone
// would give it traffic.
func (d DetachSpec) without(now RouteState) RouteState {
	next, most := now, 0
	next.Weights = maps.Clone(now.Weights)
	for _, group := range d.Groups {
		delete(next.Weights, group)
	}
	for _, weight := range next.Weights {
		most = max(most, weight)
	}
	if most == 0 || len(next.Weights) == len(now.Weights) {
		next.Weights = nil
	}
	return next
}

func (d DetachSpec) read(ctx context.Context, route string) (RouteState, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := d.Router.Read(limited, []string{route})
	if err != nil {
		return RouteState{}, err
	}
	return found[0], nil
}

func (d DetachSpec) write(ctx context.Context, route string, want RouteState) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return d.Router.Write(limited, route, want)
}

func (d DetachSpec) emit(e Event) {
	if d.OnEvent != nil {
		e.At = time.Now()
		d.OnEvent(e)
	}
}
