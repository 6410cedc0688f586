// Package guard connects the shifts of the provider with their guardians: how one is started with
// the clients of a platform, and what its process does.
package guard

import (
	"context"
	"encoding/json"
	"os"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/guardian"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Starter returns what starts a guardian that takes shifts over with the clients. It is nil where
// the system has no guardians.
func Starter(c *platform.Clients) func(context.Context, string) rollout.Guardian {
	if !guardian.Supported {
		return nil
	}
	return func(ctx context.Context, shift string) rollout.Guardian {
		return guardian.Start(ctx, guardian.Options{Shift: shift, Clients: c.Handover})
	}
}

// Is reports whether a process with the arguments is a guardian's.
func Is(args []string) bool { return guardian.Is(args) }

// Main is the main function of a guardian's process, where Is.
func Main() error {
	return guardian.Main(func(ctx context.Context, clients json.RawMessage, h *rollout.Handover) (rollout.Successor, error) {
		c, err := platform.Resume(ctx, clients, h)
		if err != nil {
			return rollout.Successor{}, err
		}
		return rollout.Successor{Router: c.Rollback, Recorder: c.Recorder, Owner: owner.Guardian(os.LookupEnv)}, nil
	})
}
