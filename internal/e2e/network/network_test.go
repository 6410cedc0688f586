//go:build linux

package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// newWorld has both kinds of load balancer, with blue live. prepare runs before blue and green get the target groups.
func newWorld(t *testing.T, pace rehearsal.Pace, prepare func(*e2e.World)) (w *e2e.World, n *e2e.Network) {
	t.Helper()
	w = e2e.NewUnloadedWorld(t, pace, func(w *e2e.World) {
		if prepare != nil {
			prepare(w)
		}
		n = e2e.NewNetwork(w)
	})
	return w, n
}

// A release under 500 new connections per second loses none, an Application Load Balancer shifts in lock-step, and a
// connection that is open stays where it is.
func TestNetwork_releaseUnderNewConnections(t *testing.T) {
	w, n := newWorld(t, rehearsal.Pace{Hold: "1s", Settle: "1s", SteadyFor: "300ms"}, nil)
	load := n.LoadConnections(e2e.LoadRate)
	old := n.OpenConnection("1")
	n.MoreConnections(load)
	w.MustConfigure("green")
	w.MustRun("plan", "-no-color", "-out", "release")
	schedule, _ := w.Planned("release")["schedule"].(string)
	golden.Check(t, schedule)
	mark := w.Mark()
	w.MustApply()
	w.MustHaveAll("green")
	if !n.HasAllConnections("green") {
		t.Errorf("the weights are %v", w.Balancer.Weights(n.Listener))
	}
	old.MustHave("1")
	n.OpenConnection("2").MustHave("2")
	web, tcp := n.Steps(mark, w.Stack.Listener, w.Stack.Groups["green"]), n.Steps(mark, n.Listener, n.Groups["green"])
	if want := []string{"5", "50", "100"}; !slices.Equal(web, want) || !slices.Equal(tcp, want) {
		t.Errorf("steps of the listeners: %v and %v", web, tcp)
	}
	counts := n.LostNoConnection(load)
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have answered: %v", counts.ByVersion)
	}
	if out := w.MustApply(); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
	e2e.CheckPolicy(t, w.Balancer.Calls()[mark:])
}

// A gate that fails on the Application Load Balancer rolls back the Network Load Balancer as well.
func TestNetwork_rollsBackInLockStep(t *testing.T) {
	t.Parallel()
	w, n := newWorld(t, e2e.Endless, func(w *e2e.World) { w.MustDeploy("green", rehearsal.AppTerms{Version: "3", BreaksAfter: 10}) })
	load := n.LoadConnections(e2e.ParallelRate)
	w.SetGates(`
  gate {
    name     = "users"
    interval = "200ms"
    http {
      url     = "` + n.URL + `"
      samples = 5
    }
  }
`)
	w.MustConfigure("green")
	out := w.MustFail()
	if !strings.Contains(out, "rolled back") {
		t.Errorf("the apply did not roll back:\n%s", out)
	}
	w.MustHaveAll("blue")
	if !n.HasAllConnections("blue") {
		t.Errorf("the weights are %v", w.Balancer.Weights(n.Listener))
	}
	n.LostNoConnection(load)
}

// Terraform and the provider are killed between the steps: the guardian returns both listeners.
func TestNetwork_killedWithAGuardian(t *testing.T) {
	for at := 2; at <= 4; at += 2 {
		t.Run(fmt.Sprintf("write %d", at), func(t *testing.T) {
			t.Parallel()
			w, n := newWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}, nil)
			load := n.LoadConnections(e2e.ParallelRate)
			open := n.OpenConnection("1")
			w.MustConfigure("green")
			isWrite := func(call localaws.Call) bool { return strings.HasPrefix(call.Action, "Modify") }
			if !w.StruckAt(e2e.Kill(e2e.AllButGuards), at, isWrite) {
				t.Fatal("the apply was not killed")
			}
			w.Eventually("the traffic is back", func() bool { return w.HasAll("blue") && n.HasAllConnections("blue") })
			w.MustApply(e2e.Unlocked)
			w.MustHaveAll("green")
			if !n.HasAllConnections("green") {
				t.Errorf("the weights are %v", w.Balancer.Weights(n.Listener))
			}
			if tags := w.Balancer.Tags(n.Listener); len(tags) > 0 {
				t.Errorf("the listener still has the tags %v", tags)
			}
			open.MustHave("1")
			n.LostNoConnection(load)
		})
	}
}

// The command rolls an abandoned shift back from the ARNs of the listeners alone.
func TestNetwork_rolledBackByTheCommand(t *testing.T) {
	t.Parallel()
	w, n := newWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}, nil)
	w.MustConfigure("green")
	isWrite := func(call localaws.Call) bool {
		return call.Action == "ModifyListener" && call.Params.Get("ListenerArn") == n.Listener
	}
	if !w.KilledAt(2, isWrite) {
		t.Fatal("the apply was not killed")
	}
	routes := []string{"--route", n.Listener, "--route", w.Stack.Listener}
	out, errs, code := e2e.Operate(w, append([]string{"status"}, routes...)...).Wait()
	if code != 0 || !strings.Contains(out, n.Listener) {
		t.Errorf("status returned %d:\n%s%s", code, out, errs)
	}
	if out, errs, code := e2e.Operate(w, append([]string{"rollback", "--yes"}, routes...)...).Wait(); code != 0 {
		t.Errorf("rollback returned %d:\n%s%s", code, out, errs)
	}
	w.MustHaveAll("blue")
	if !n.HasAllConnections("blue") {
		t.Errorf("the weights are %v", w.Balancer.Weights(n.Listener))
	}
}
