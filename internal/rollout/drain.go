package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	OnEvent func(Event)
}

// Drain waits until For is over or no group has targets, whichever is first. A group that
// does not exist has no targets. Other errors of Health do not end the wait. Drain
// returns an error only if ctx ends, and then the error of ctx.
func Drain(ctx context.Context, d DrainSpec) error {
	d.emit(PhaseStarted, "drain for "+schedule.FormatDuration(d.For))
	waiting, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	remaining := slices.Clone(d.Groups)
	for poll := minPollInterval; ; poll = min(2*poll, maxPollInterval) {
		remaining = d.withTargets(waiting, remaining)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(remaining) == 0:
			d.emit(ShiftEnded, "no targets left")
			return nil
		case waiting.Err() != nil:
			d.emit(ShiftEnded, "drain time is over")
			return nil
		}
		_ = sleep(waiting, poll) // its end is checked after the next read
	}
}

// withTargets returns the groups that may still have targets.
func (d DrainSpec) withTargets(ctx context.Context, groups []string) []string {
	return slices.DeleteFunc(groups, func(group string) bool {
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		health, err := d.Router.Health(limited, []string{group})
		if err != nil && !errors.Is(err, traffic.ErrNotFound) {
			if ctx.Err() == nil {
				d.emit(HealthDegraded, fmt.Sprintf("health could not be read: %v", err))
			}
			return false
		}
		return len(health[group].Targets) == 0
	})
}

func (d DrainSpec) emit(kind EventKind, text string) { emit(d.OnEvent, Event{Kind: kind, Text: text}) }
