package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

const numbersStory = `
env blue 1.4.2
env green 1.5.0
route web blue=100 green=0
targets blue 3
targets green 2
stable blue
desired green
steps 20/2m
gate users during interval=10s takes=3s
returns users pass pass fail
health breach=5m
fault slow write route=web for=700ms
at 30s targets green 1 healthy 1 unhealthy
`

// Events have the numbers of what happened: how long calls took, how many targets there are, and
// why the shift failed.
func TestEvents_numbers(t *testing.T) {
	var got []string
	synctest.Test(t, func(t *testing.T) {
		p := play(parse(numbersStory))
		for _, e := range p.events {
			switch e.Kind {
			case rollout.WeightsWritten:
				got = append(got, fmt.Sprintf("%s %s in %s", e.Kind, e.Weights, e.Took))
			case rollout.GateEvaluated:
				got = append(got, fmt.Sprintf("%s %s in %s", e.Kind, e.Status, e.Took))
			case rollout.HealthRead:
				got = append(got, fmt.Sprintf("%s %+v", e.Kind, e.Targets))
			case rollout.RollbackStarted, rollout.ShiftEnded:
				got = append(got, fmt.Sprintf("%s %s %s %s", e.Kind, e.Failure.Cause, e.Failure.Gate, e.Failure.Stage))
			default:
			}
		}
	})
	const (
		whole = "{Entry:web Environment:green Gains:true Healthy:2 Unhealthy:0 Initial:0 Draining:0 Unused:0}"
		half  = "{Entry:web Environment:green Gains:true Healthy:1 Unhealthy:1 Initial:0 Draining:0 Unused:0}"
		live  = "{Entry:web Environment:blue Gains:false Healthy:3 Unhealthy:0 Initial:0 Draining:0 Unused:0}"
	)
	want := []string{
		"health_read [" + whole + " " + live + "]",
		"weights_written blue 80 %, green 20 % in 700ms",
		"gate_evaluated pass in 3.001s",
		"gate_evaluated pass in 3.001s",
		"health_read [" + half + " " + live + "]",
		"gate_evaluated fail in 3.001s",
		"rollback_started gate_failed users step 1 of 2 (20 %)",
		"weights_written blue 100 % in 0s",
		"shift_ended gate_failed users step 1 of 2 (20 %)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// measuringGate returns a number.
type measuringGate struct{}

func (measuringGate) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Pass, Detail: "fine", Measured: []rollout.Measurement{{Name: "value", Value: 0.5, Max: new(1.0)}}}
}

func TestEvents_measured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := routertest.NewMemory()
		p := newReadiness(m, rollout.NamedGate{Gate: measuringGate{}})
		p.Gates[0].Name, p.Gates[0].Timeout = "numbers", time.Minute
		healthy(m, "web-green", "api-green")
		var got []rollout.Measurement
		p.OnEvent = func(e rollout.Event) { got = append(got, e.Measured...) }
		if _, err := rollout.CheckReadiness(t.Context(), p); err != nil || len(got) != 1 || got[0].Value != 0.5 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
