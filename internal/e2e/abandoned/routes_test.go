//go:build unix

package abandoned

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// threeRoutes is a switch with a listener and two of its rules, each with its own load.
type threeRoutes struct {
	*e2e.World
	t     *testing.T
	arns  []string
	loads []*rehearsal.Load
}

func newThreeRoutes(t *testing.T) threeRoutes {
	t.Helper()
	w := threeRoutes{World: e2e.NewQuietWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}), t: t}
	w.Load.Stop() // those with a lower rate follow
	rules := []string{w.AddRule(1), w.AddRule(2)}
	w.arns = append([]string{w.Stack.Listener}, rules...)
	w.Route(w.arns...)
	w.MustApply()
	for i := range w.arns {
		load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: fmt.Sprintf("%s/%d/x", w.URL, i), Rate: 40, Clients: 8})
		t.Cleanup(func() { load.Stop() })
		w.loads = append(w.loads, load)
	}
	return w
}

// feed returns the number of routes that send traffic to an environment.
func (w threeRoutes) feed(environment string) int {
	n := 0
	for _, arn := range w.arns {
		if w.Feeds(arn, environment) {
			n++
		}
	}
	return n
}

// ends checks that an environment has all the traffic of every route, that nothing is
// rejected, left or planned, and that no request was lost.
func (w threeRoutes) ends(environment string) {
	w.t.Helper()
	other := map[string]string{"blue": "green", "green": "blue"}[environment]
	if n := w.feed(other); n > 0 || w.feed(environment) < len(w.arns) {
		w.t.Errorf("%d of %d routes feed %s, %d feed %s", w.feed(environment), len(w.arns), environment, n, other)
	}
	if rejected := w.Switch()["rejected"]; rejected != nil {
		w.t.Errorf("rejected is %v", rejected)
	}
	for _, arn := range w.arns {
		if tags := w.Balancer.Tags(arn); len(tags) > 0 {
			w.t.Errorf("%s still has the tags %v", arn, tags)
		}
	}
	settled(w.t, w.World)
	for i, load := range w.loads {
		if c := load.Stop(); c.Lost > 0 || c.Requests == 0 {
			w.t.Errorf("%d of %d requests of route %d were lost; the first: %s", c.Lost, c.Requests, i, c.FirstLost)
		}
	}
}

// moves matches the writes of traffic.
func moves(call localaws.Call) bool {
	return call.Action == "ModifyListener" || call.Action == "ModifyRule"
}

// inBake matches the first health read after all traffic was moved: nine writes.
func inBake() func(localaws.Call) bool {
	writes := 0
	return func(call localaws.Call) bool {
		if moves(call) {
			writes++
		}
		return writes >= 9 && call.Action == "DescribeTargetHealth"
	}
}

// A later release of three routes, killed at writes of its first, second and last step and
// in its bake × what is applied afterwards. The writes of a step are concurrent: at the
// first of them, none to all of the others follow.
func TestAbandoned_threeRoutes(t *testing.T) {
	type point struct {
		name    string
		n       int
		matches func() func(localaws.Call) bool
	}
	points := []point{{"bake", 1, inBake}}
	for _, n := range []int{1, 2, 3, 5, 7, 9} {
		points = append(points, point{fmt.Sprintf("write %d", n), n, func() func(localaws.Call) bool { return moves }})
	}
	for _, p := range points {
		for _, then := range []string{"one line reverted", "the same again"} {
			t.Run(p.name+", "+then, func(t *testing.T) {
				t.Parallel()
				w := newThreeRoutes(t)
				release{later: true, version: "1.3", before: "1.1"}.start(w.World)
				if !w.KilledAt(p.n, p.matches()) {
					t.Fatal("the apply was not killed")
				}
				if then == "the same again" {
					w.MustApply(e2e.Unlocked)
					w.ends("green")
					return
				}
				mark, had := w.Mark(), w.feed("green")
				w.SetGates(failing) // because of the version that is left
				w.MustConfigure("blue")
				out := w.MustApply(e2e.Unlocked)
				if n := w.Writes(mark); had == 0 || n != had {
					t.Errorf("%d writes for %d routes:\n%s", n, had, out)
				}
				w.ends("blue")
			})
		}
	}
}
