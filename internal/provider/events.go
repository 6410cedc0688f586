package provider

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// newID returns the id of a shift or readiness check that starts now.
func newID(now time.Time) string {
	return fmt.Sprintf("%s-%04x", now.UTC().Format("20060102T150405Z"), rand.N(1<<16))
}

// eventLogger logs the events of the engine, each with what it belongs to ("shift" or
// "environment"); TF_LOG_PROVIDER=info shows them.
func eventLogger(ctx context.Context, of, name string) func(rollout.Event) {
	return func(e rollout.Event) {
		fields := map[string]any{of: name}
		for key, value := range map[string]string{"route": e.Route, "gate": e.Gate, "status": string(e.Status), "detail": e.Text} {
			if value != "" {
				fields[key] = value
			}
		}
		if e.Weights != nil {
			fields["weights"] = e.Weights.String()
		}
		tflog.Info(ctx, string(e.Kind), fields)
	}
}
