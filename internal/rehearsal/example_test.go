package rehearsal

import "testing"

func TestExamplePace_changesNothingElse(t *testing.T) {
	const written = `
  ready {
    steady_for = "60s"
    timeout    = "10m"
  }
  drain = "5m" # is long
  strategy {
    steps  = [{ percent = 5, hold = "10m" }, { percent = 50, hold = "5m" }]
    bake   = "10m"
    settle = "60s"
  }
  interval = "10s"
`
	const want = `
  ready {
    steady_for = "1s"
    timeout    = "10m"
  }
  drain = "5m" # is long
  strategy {
    steps  = [{ percent = 5, hold = "2s" }, { percent = 50, hold = "2s" }]
    bake   = "2s"
    settle = "3s"
  }
  interval = "4s"
`
	if got := (ExamplePace{Hold: "2s", Settle: "3s", SteadyFor: "1s", Interval: "4s"}).apply(written); got != want {
		t.Errorf("got\n%s", got)
	}
}
