// Package guard connects the shifts of the provider with their guardians: how one is started with
// the clients of a platform, and what its process does.
package guard

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/guardian"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/notifying"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// handed is how a guardian takes a shift over.
type handed struct {
	Clients json.RawMessage
	Journal string // which it continues; empty: there is none
	// Notify is how it notifies of the end; nil: it does not.
	Notify json.RawMessage `json:",omitempty"`
}

// Starter returns what starts a guardian that takes shifts over with the clients, continues the
// journal, and notifies of the end. It is nil where the system has no guardians.
func Starter(c *platform.Clients, journal string, notices json.RawMessage) func(context.Context, string) rollout.Guardian {
	if !guardian.Supported {
		return nil
	}
	if path, err := filepath.Abs(journal); err == nil && journal != "" {
		journal = path
	}
	clients := func(ctx context.Context) (json.RawMessage, error) {
		made, err := c.Handover(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(handed{made, journal, notices})
	}
	return func(ctx context.Context, shift string) rollout.Guardian {
		return guardian.Start(ctx, guardian.Options{Shift: shift, Clients: clients})
	}
}

// Is reports whether a process with the arguments is a guardian's.
func Is(args []string) bool { return guardian.Is(args) }

// Main is the main function of a guardian's process, where Is.
func Main() error {
	var continued *reporting.Continued
	var notices *notifying.Continued
	isConnected := false
	undoLate := func() {}
	err := guardian.Main(func(ctx context.Context, message json.RawMessage, h *rollout.Handover) (rollout.Successor, error) {
		var x handed
		if err := json.Unmarshal(message, &x); err != nil {
			return rollout.Successor{}, err
		}
		if !isConnected {
			isConnected, continued, notices = true, reporting.Continue(x.Journal, h.Stop), notifying.Continue(ctx, x.Notify, h, os.LookupEnv)
		}
		c, err := platform.Resume(ctx, x.Clients, h)
		if err != nil {
			return rollout.Successor{}, err
		}
		onEvent := func(e rollout.Event) {
			continued.OnEvent(e)
			notices.OnEvent(e)
		}
		by := rollout.Successor{Router: c.Rollback, Recorder: c.Recorder, Owner: owner.Guardian(os.LookupEnv), OnEvent: onEvent}
		undoLate = func() { stay(context.WithoutCancel(ctx), *h, by) }
		return by, nil
	})
	continued.End(err)
	notices.End(err)
	if err == nil {
		undoLate()
	}
	return err
}

// stay undoes late writes of a shift that was taken over, until SIGTERM.
func stay(ctx context.Context, h rollout.Handover, by rollout.Successor) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	rollout.UndoLate(ctx, h, by)
}
