package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// The case: a release that serves some requests at 5 % well and fails every request
// from then on.
const (
	detectRate  = 500
	detectShare = 0.05
	breaksAfter = 100 // requests that it serves well
)

// detector is a gate that detects the bad release.
type detector struct {
	name     string
	gates    string // HCL
	interval time.Duration
	goal     string
	limit    time.Duration // slower misses the goal
}

// detection measures the time from the first bad response of a user to the rollback, and
// the number of users with an error.
func (b bench) detection(ctx context.Context) ([]row, error) {
	var rows []row
	for _, w := range []detector{
		{"http, interval 1s", httpGate("1s"), time.Second, "under 3 intervals = 3 s", 3 * time.Second},
		{"target_metrics with the clock of CloudWatch (period 1m, delay 1m)", metricsGate, 0, "minutes, because of CloudWatch", 5 * time.Minute},
	} {
		r, err := b.detect(ctx, w, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		rows = append(rows, r)
	}
	r, err := b.detectByPrometheus(ctx)
	if err != nil {
		return nil, err
	}
	return append(append(rows, r), otherTools()...), nil
}

func httpGate(interval string) string {
	return fmt.Sprintf(`
  gate {
    name     = "answers"
    interval = %q
    timeout  = "1s"
    http {
      url     = var.url
      headers = { "X-Environment" = var.active }
    }
  }
`, interval)
}

const metricsGate = `
  gate {
    name     = "users"
    interval = "10s"
    target_metrics {
      max_error_rate     = 1
      worse_than_live_by = 0.5
    }
  }
`

var errNotRolledBack = errors.New("the bad release was not rolled back")

// detect releases the bad version and measures the rollback.
func (b bench) detect(ctx context.Context, w detector, ready func(app *rehearsal.App) error) (row, error) {
	r, err := b.newRelease(ctx, "10m", w.gates)
	if err != nil {
		return row{}, err
	}
	defer r.close()
	if err := r.Deploy(ctx, "green", rehearsal.AppTerms{Version: "bad", Delay: 2 * time.Millisecond, BreaksAfter: breaksAfter}); err != nil {
		return row{}, err
	}
	if ready != nil {
		if err := ready(r.Stack.App("green")); err != nil {
			return row{}, err
		}
	}
	if err := r.Configure("green"); err != nil {
		return row{}, err
	}
	var restored time.Time
	remove := r.balancer.Hook(func(c localaws.Call) {
		if c.Action == "ModifyListener" {
			restored = time.Now() // writes are sequential; the last one is the rollback
		}
	})
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: r.URL, Rate: detectRate, Clients: 32})
	err = r.Run("apply", "-no-color", "-auto-approve")
	counts := load.Stop()
	remove()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return row{}, errors.Join(errNotRolledBack, err)
	}
	took := restored.Sub(counts.FirstBad)
	return row{
		what: fmt.Sprintf("from the first bad response at %d requests/s and 5 %% to the rollback: %s; users with an error", detectRate, w.name),
		goal: w.goal, measured: fmt.Sprintf("%.1f s; %d", took.Seconds(), counts.Bad["bad"]),
		missed: counts.FirstBad.IsZero() || took > w.limit || counts.Lost > 0,
	}, nil
}

// otherTools computes the same figures for other tools from the intervals in their
// documentation.
func otherTools() []row {
	users := func(d time.Duration) int { return int(detectRate * detectShare * d.Seconds()) }
	computed := func(who string, least, most time.Duration) row {
		return row{what: "the same, computed, not measured: " + who, goal: "for comparison",
			measured: fmt.Sprintf("%s to %s; %d to %d", schedule.FormatDuration(least), schedule.FormatDuration(most), users(least), users(most))}
	}
	return []row{
		computed("Flagger with the values of its documentation (interval 1m, threshold 5)", 4*time.Minute, 5*time.Minute),
		computed("Argo Rollouts with the first example of its analysis page (interval 5m, failureLimit 3)", 10*time.Minute, 15*time.Minute),
		computed("Argo Rollouts with the 60s example of that page (one failure; metric delay not included)", 0, time.Minute),
		computed("CodeDeploy with an alarm of one 60 s period on load balancer metrics, which are a minute late", 2*time.Minute, 3*time.Minute),
	}
}
