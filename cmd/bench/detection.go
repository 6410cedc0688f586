package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The case that is compared: a release that is fine until it has served some
// users at 5 %, and fails every request from then on.
const (
	detectRate  = 500
	detectShare = 0.05
	goodFirst   = 100 // users that it serves well
)

// watcher is a way of watching a release.
type watcher struct {
	name     string
	gates    string // HCL
	interval time.Duration
	goal     string
	most     time.Duration // longer than that is a figure missed
}

// detection measures from the first bad answer that a user got to the traffic
// restored, and how many users got one.
func (b bench) detection(ctx context.Context) ([]row, error) {
	var rows []row
	for _, w := range []watcher{
		{"http, asked every 1s", askingGate("1s"), time.Second, "under 3 intervals = 3 s", 3 * time.Second},
		{"target_metrics on CloudWatch's own clock (a point a minute, a minute late)", figuresGate, 0, "the honest minutes", 5 * time.Minute},
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
	return append(append(rows, r), elsewhere()...), nil
}

func askingGate(interval string) string {
	return fmt.Sprintf(`{ answers = { http = { url = var.url, headers = { "X-Environment" = var.active } }, interval = %q, timeout = "1s" } }
`, interval)
}

const figuresGate = `{ users = { target_metrics = { max_error_rate = 1, worse_than_live_by = 0.5 }, interval = "10s" } }
`

var errNotSentBack = errors.New("the bad release was not sent back")

// detect releases the bad version, which ready may be told of before.
func (b bench) detect(ctx context.Context, w watcher, ready func(app *rehearsal.App) error) (row, error) {
	r, err := b.newRelease(ctx, "10m", w.gates)
	if err != nil {
		return row{}, err
	}
	defer r.close()
	if err := r.Deploy(ctx, "green", rehearsal.AppTerms{Version: "bad", Delay: 2 * time.Millisecond, BreaksAfter: goodFirst}); err != nil {
		return row{}, err
	}
	if ready != nil {
		if err := ready(r.Stage.App("green")); err != nil {
			return row{}, err
		}
	}
	if err := r.Configure("green"); err != nil {
		return row{}, err
	}
	var restored time.Time
	remove := r.balancer.Hook(func(c localalb.Call) {
		if c.Action == "ModifyListener" {
			restored = time.Now() // writes come one at a time; the last is the way back
		}
	})
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: r.URL, Rate: detectRate, Clients: 32})
	err = r.Run("apply", "-no-color", "-auto-approve")
	counts := load.Stop()
	remove()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return row{}, errors.Join(errNotSentBack, err)
	}
	took := restored.Sub(counts.FirstBad)
	return row{
		what: fmt.Sprintf("from the first bad answer at %d requests/s and 5 %% to the traffic restored: %s; users who got an error", detectRate, w.name),
		goal: w.goal, measured: fmt.Sprintf("%.1f s; %d", took.Seconds(), counts.Bad["bad"]),
		missed: counts.FirstBad.IsZero() || took > w.most || counts.Lost > 0,
	}, nil
}

// elsewhere computes what other tools would have let through in the same case,
// from the intervals that their own documentation writes.
func elsewhere() []row {
	users := func(d time.Duration) int { return int(detectRate * detectShare * d.Seconds()) }
	computed := func(who string, least, most time.Duration) row {
		return row{what: "the same, computed and not measured: " + who, goal: "for comparison",
			measured: fmt.Sprintf("%s to %s; %d to %d", shift.FormatDuration(least), shift.FormatDuration(most), users(least), users(most))}
	}
	return []row{
		computed("Flagger as its documentation has it (interval 1m, threshold 5: five failed checks)", 4*time.Minute, 5*time.Minute),
		computed("Argo Rollouts as in the first example of its analysis page (interval 5m, three failures)", 10*time.Minute, 15*time.Minute),
		computed("Argo Rollouts as in the example there with an interval of 60s (one failure; how late its metrics are comes on top)", 0, time.Minute),
		computed("CodeDeploy on an alarm of one period of 60 s over the balancer's figures, which are a minute late", 2*time.Minute, 3*time.Minute),
	}
}
