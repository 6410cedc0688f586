package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// DrainSpec is groups that traffic has left, and for how long what they have
// begun may still take.
type DrainSpec struct {
	Router Router // of which only Health is called
	Groups []string
	For    time.Duration
	// OnEvent receives every event, in order, from one goroutine. It must not block.
	OnEvent func(Event)
}

// Drain waits until For is over, or until no group has a target left, whichever
// comes first: then nothing is under way there any more. A group that does not
// exist has no targets. Whatever else keeps health from being read only makes
// it wait for the whole time. It returns the error of ctx where that ends first.
func Drain(ctx context.Context, d DrainSpec) error {
	d.emit(PhaseStarted, "drain for "+shift.FormatDuration(d.For))
	waiting, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	remaining := slices.Clone(d.Groups)
	for poll := minPollInterval; ; poll = min(2*poll, maxPollInterval) {
		remaining = d.withTargets(waiting, remaining)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(remaining) == 0:
			d.emit(ShiftEnded, "no targets are left")
			return nil
		case waiting.Err() != nil:
			d.emit(ShiftEnded, "the time is over")
			return nil
		}
		timer := time.NewTimer(poll)
		select {
		case <-waiting.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// withTargets are those of the groups that may still have targets.
func (d DrainSpec) withTargets(ctx context.Context, groups []string) []string {
	return slices.DeleteFunc(groups, func(group string) bool {
		limited, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		health, err := d.Router.Health(limited, []string{group})
		if err != nil && !errors.Is(err, ErrNotFound) {
			if ctx.Err() == nil {
				d.emit(HealthDegraded, fmt.Sprintf("health could not be read: %v", err))
			}
			return false
		}
		return len(health[group].Targets) == 0
	})
}

func (d DrainSpec) emit(kind EventKind, text string) {
	if d.OnEvent != nil {
		d.OnEvent(Event{At: time.Now(), Kind: kind, Text: text})
	}
}
