package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// figures is a gate on the balancer's own figures, at a clock that AWS does not
// have: a point a second, half a second late.
const figures = `{
    users = {
      target_metrics = { max_error_rate = 1, worse_than_live_by = 0.5, latency_ratio = 2, stat = "p90", period = "1s", lag = "500ms" }
      interval       = "250ms"
    }
  }
`

func newWorldOfFigures(t *testing.T, delay time.Duration) *world {
	t.Helper()
	w := newWorldOf(t, rehearsal.AppTerms{Version: "1", Delay: delay}, quick, localalb.WithMetricsClock(time.Second, 500*time.Millisecond))
	w.gates(figures)
	return w
}

// measured is every number that a real load decides on.
var measured = golden.ReplacePattern(`\b[0-9]+(\.[0-9]+)?(e-[0-9]+)?(ms|s)?\b`, "<n>")

func TestFigures_aBadReleaseIsSentBack(t *testing.T) {
	w := newWorldOfFigures(t, 0)
	w.deploy("green", rehearsal.AppTerms{Version: "bad", BreaksAfter: 20})
	w.configure("green")
	out := w.mustFail()
	w.mustHaveAll("blue")
	// The figures are those of a real load, so that only their number is compared.
	golden.CheckPart(t, "error", errorsIn(out), measured)
	golden.CheckPart(t, "reason", w.reason(), measured)
	w.lostNothing()
}

// reason is why the last shift ended, as the state has it.
func (w *world) reason() string {
	w.t.Helper()
	var state struct {
		Values struct {
			Root struct {
				Resources []struct {
					Values struct {
						LastShift struct{ Reason string } `json:"last_shift"`
					}
				}
			} `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(w.run("show", "-json")), &state); err != nil {
		w.t.Fatal(err)
	}
	return state.Values.Root.Resources[0].Values.LastShift.Reason
}

func TestFigures_aSlowReleaseIsSentBack(t *testing.T) {
	w := newWorldOfFigures(t, 20*time.Millisecond)
	w.deploy("green", rehearsal.AppTerms{Version: "slow", Delay: 60 * time.Millisecond})
	w.configure("green")
	out := w.mustFail()
	w.mustHaveAll("blue")
	golden.CheckPart(t, "error", errorsIn(out), measured)
	w.lostNothing()
}

func TestFigures_aReleaseAsGoodAsTheOldOneGoesThrough(t *testing.T) {
	w := newWorldOfFigures(t, 5*time.Millisecond)
	w.deploy("green", rehearsal.AppTerms{Version: "2", Delay: 5 * time.Millisecond})
	w.configure("green")
	w.mustApply()
	w.mustHaveAll("green")
	w.lostNothing()
}
