package shift

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// figures is a target_metrics gate with a faster clock than that of AWS: one data
// point per second, half a second late.
const figures = `
  gate {
    name     = "users"
    interval = "250ms"
    target_metrics {
      max_error_rate      = 1
      worse_than_live_by  = 0.5
      slow_threshold      = "%s"
      slower_than_live_by = 5
      period              = "1s"
      lag                 = "500ms"
    }
  }
`

func newWorldOfFigures(t *testing.T, delay time.Duration, pace rehearsal.Pace) *e2e.World {
	t.Helper()
	w := e2e.NewWorldOf(t, rehearsal.AppTerms{Version: "1", Delay: delay}, pace, localaws.WithMetricsClock(time.Second, 500*time.Millisecond))
	w.SetGates(fmt.Sprintf(figures, cmp.Or(3*delay, time.Second)))
	return w
}

// delay is a response time beside which those that the machine adds do not matter.
func delay() time.Duration { return slow.Deadline(40 * time.Millisecond) }

func TestTargetMetrics_rollsBackABadRelease(t *testing.T) {
	w := newWorldOfFigures(t, 0, e2e.Endless)
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
	w := newWorldOfFigures(t, delay(), e2e.Endless)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "slow", Delay: 5 * delay()})
	w.MustConfigure("green")
	out := w.MustFail()
	w.MustHaveAll("blue")
	if text := e2e.ErrorsIn(out); !strings.Contains(text, `"users"`) || !strings.Contains(text, "slower than") {
		t.Errorf("the error says %s", text)
	}
	w.LostNothing()
}

func TestTargetMetrics_completesAnEqualRelease(t *testing.T) {
	w := newWorldOfFigures(t, delay(), e2e.Quick())
	w.MustDeploy("green", rehearsal.AppTerms{Version: "2", Delay: delay()})
	w.MustConfigure("green")
	w.MustApply()
	w.MustHaveAll("green")
	w.LostNothing()
}
