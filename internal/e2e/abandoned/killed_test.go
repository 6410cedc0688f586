//go:build unix

package abandoned

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// failing is a gate that fails whatever is released.
const failing = `
  gate {
    name     = "alarm"
    interval = "100ms"
    http {
      url           = var.url
      expect_status = [299]
    }
  }
`

// release is a release of green that is killed: the first of a switch, or a later one,
// after which the previous version is known.
type release struct {
	later   bool
	version string // of green
	before  string // of green, in the commit before
}

// start releases until only the last release is left, which it configures.
func (r release) start(w *e2e.World) {
	if r.later {
		w.MustDeploy("green", rehearsal.AppTerms{Version: r.before})
		w.MustConfigure("green")
		w.MustApply()
		w.MustDeploy("blue", rehearsal.AppTerms{Version: "1.2"})
		w.MustConfigure("blue")
		w.MustApply()
	}
	w.MustDeploy("green", rehearsal.AppTerms{Version: r.version})
	w.MustConfigure("green")
}

// nth matches calls of an action.
func nth(action string) func(localaws.Call) bool {
	return func(call localaws.Call) bool { return call.Action == action }
}

// phase matches calls after which the record has a phase.
func phase(name string) func(localaws.Call) bool {
	return func(call localaws.Call) bool {
		for key := range call.Params {
			if call.Action == "AddTags" && strings.Contains(call.Params.Get(key), "phase="+name+" ") {
				return true
			}
		}
		return false
	}
}

// settled checks that the listener has no tags, and that the plan is empty.
func settled(t *testing.T, w *e2e.World) {
	t.Helper()
	if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) > 0 {
		t.Errorf("the listener still has the tags %v", tags)
	}
	if out := w.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(out, "No changes") {
		t.Errorf("the plan is not empty:\n%s", out)
	}
}

// Every write of a shift × first or later release × what is applied afterwards.
func TestAbandoned_atEveryWrite(t *testing.T) {
	type point struct {
		name  string
		n     int
		call  func(localaws.Call) bool
		moved bool // green has traffic afterwards
	}
	points := []point{{"AddTags", 1, nth("AddTags"), false}, {"completed", 1, phase("completed"), true}, {"RemoveTags", 1, nth("RemoveTags"), true}}
	for n := range 3 {
		points = append(points, point{"ModifyListener", n + 1, nth("ModifyListener"), true})
	}
	for _, r := range []release{{version: "1.3"}, {later: true, version: "1.3", before: "1.1"}} {
		for _, p := range points {
			for _, then := range []string{"one line reverted", "the commit reverted", "the same again"} {
				t.Run(fmt.Sprintf("later %t, %s %d, %s", r.later, p.name, p.n, then), func(t *testing.T) {
					t.Parallel()
					w := e2e.NewQuietWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"})
					r.start(w)
					if !w.KilledAt(p.n, p.call) {
						t.Fatal("the apply was not killed")
					}
					mark := w.Mark()
					if then == "the same again" {
						w.MustApply(e2e.Unlocked)
						w.MustHaveAll("green")
						settled(t, w)
						w.LostNothing()
						return
					}
					if then == "the commit reverted" && r.before != "" {
						w.Versions["green"] = r.before
					}
					w.SetGates(failing) // because of the version that is left
					w.MustConfigure("blue")
					out := w.MustApply(e2e.Unlocked)
					w.MustHaveAll("blue")
					if n := w.Writes(mark); p.moved && n != 1 || !p.moved && n > 0 {
						t.Errorf("%d writes:\n%s", n, out)
					}
					if rejected := w.Switch()["rejected"]; rejected != nil {
						t.Errorf("rejected is %v", rejected)
					}
					settled(t, w)
					w.LostNothing()
				})
			}
		}
	}
}
