package retire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// DrainSpec is the input of Drain: groups without traffic, and how long their in-flight
// requests may take.
type DrainSpec struct {
	Router traffic.Router // only Health is called
	Groups []string
	For    time.Duration // the longest wait
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(rollout.Event)
}

// Drain waits until For is over, or until every group is proven to have no targets left: it
// does not exist, or its targets were seen draining before and then none in two reads. A
// group without targets from the start is not trusted, because an answer may be empty for
// other reasons. Errors of Health do not end the wait, and it does not wait longer for them.
// Drain returns an error only if ctx ends, and then the error of ctx.
func Drain(ctx context.Context, d DrainSpec) error {
	d.emit(rollout.PhaseStarted, "drain for "+schedule.FormatDuration(d.For))
	waiting, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	remaining := map[string]*drainingGroup{}
	for _, group := range d.Groups {
		remaining[group] = &drainingGroup{}
	}
	for poll := minPollInterval; ; poll = min(2*poll, maxPollInterval) {
		for _, group := range slices.Sorted(maps.Keys(remaining)) {
			if d.isDrained(waiting, group, remaining[group]) {
				delete(remaining, group)
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(remaining) == 0:
			d.emit(rollout.ShiftEnded, "no targets left")
			return nil
		case waiting.Err() != nil:
			d.emit(rollout.ShiftEnded, "drain time is over")
			return nil
		}
		_ = sleep(waiting, poll) // its end is checked after the next read
	}
}

// drainingGroup is what the reads of a group have shown.
type drainingGroup struct {
	draining bool // all its targets were draining when some were seen last
	empty    int  // consecutive reads without targets since then
}

// isDrained reads a group and reports whether it is proven to have no targets left.
func (d DrainSpec) isDrained(ctx context.Context, group string, seen *drainingGroup) bool {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health, err := d.Router.Health(limited, []string{group})
	targets := health[group].Targets
	switch {
	case errors.Is(err, traffic.ErrNotFound):
		return true
	case err != nil:
		if ctx.Err() == nil {
			d.emit(rollout.HealthDegraded, fmt.Sprintf("health could not be read: %v", err))
		}
		return false
	case len(targets) > 0:
		seen.draining, seen.empty = health[group].Count(traffic.Draining) == len(targets), 0
		return false
	}
	seen.empty++
	return seen.draining && seen.empty > 1
}

func (d DrainSpec) emit(kind rollout.EventKind, text string) {
	emit(d.OnEvent, rollout.Event{Kind: kind, Text: text})
}
