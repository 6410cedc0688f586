package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

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

func TestFigures_aBadReleaseIsSentBack(t *testing.T) {
	w := newWorldOfFigures(t, 0)
	w.deploy("green", rehearsal.AppTerms{Version: "bad", BreaksAfter: 20})
	w.configure("green")
	out := w.mustFail()
	w.mustHaveAll("blue")
	for _, want := range []string{`The gate "users" failed`, "Step: step 1 of 3 (5 %)", "Version bad of green does not go out again by itself"} {
		if !strings.Contains(out, want) {
			t.Errorf("the apply does not say %q:\n%s", want, out)
		}
	}
	// The reason names the value, the limit, the window, the samples and the step.
	reason := w.reason()
	for _, want := range []string{`gate "users"`, "step 1 of 3 (5 %)", "at most 1 %", "requests", "s"} {
		if !strings.Contains(reason, want) {
			t.Errorf("the reason does not say %q: %s", want, reason)
		}
	}
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
	if !strings.Contains(out, `The gate "users" failed`) || !strings.Contains(out, "p90") {
		t.Errorf("the apply says\n%s", out)
	}
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
