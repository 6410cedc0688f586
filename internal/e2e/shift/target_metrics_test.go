package shift

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// figures is a target_metrics gate with a faster clock than that of AWS: one data
// point per second, half a second late.
const figures = `{
    users = {
      target_metrics = { max_error_rate = 1, worse_than_live_by = 0.5, latency_ratio = 2, stat = "p90", period = "1s", lag = "500ms" }
      interval       = "250ms"
    }
  }
`

func newWorldOfFigures(t *testing.T, delay time.Duration) *e2e.World {
	t.Helper()
	w := e2e.NewWorldOf(t, rehearsal.AppTerms{Version: "1", Delay: delay}, e2e.Quick, localaws.WithMetricsClock(time.Second, 500*time.Millisecond))
	w.SetGates(figures)
	return w
}

func TestTargetMetrics_rollsBackABadRelease(t *testing.T) {
	w := newWorldOfFigures(t, 0)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "bad", BreaksAfter: 20})
	w.MustConfigure("green")
	out := w.MustFail()
	w.MustHaveAll("blue")
	// The text is compared in internal/gate, with generated metrics.
	for where, text := range map[string]string{"error": e2e.ErrorsIn(out), "reason": reasonOf(t, w)} {
		if !strings.Contains(text, `"users"`) || !strings.Contains(text, "web (green)") || !strings.Contains(text, "1 of 3 (5 %)") {
			t.Errorf("the %s says %s", where, text)
		}
	}
	w.LostNothing()
}

// reasonOf returns last_shift.reason of the state.
func reasonOf(t *testing.T, w *e2e.World) string {
	t.Helper()
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
	if err := json.Unmarshal([]byte(w.MustRun("show", "-json")), &state); err != nil {
		t.Fatal(err)
	}
	return state.Values.Root.Resources[0].Values.LastShift.Reason
}

func TestTargetMetrics_rollsBackASlowRelease(t *testing.T) {
	w := newWorldOfFigures(t, 20*time.Millisecond)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "slow", Delay: 60 * time.Millisecond})
	w.MustConfigure("green")
	out := w.MustFail()
	w.MustHaveAll("blue")
	if text := e2e.ErrorsIn(out); !strings.Contains(text, `"users"`) || !strings.Contains(text, "p90") {
		t.Errorf("the error says %s", text)
	}
	w.LostNothing()
}

func TestTargetMetrics_completesAnEqualRelease(t *testing.T) {
	w := newWorldOfFigures(t, 5*time.Millisecond)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "2", Delay: 5 * time.Millisecond})
	w.MustConfigure("green")
	w.MustApply()
	w.MustHaveAll("green")
	w.LostNothing()
}
