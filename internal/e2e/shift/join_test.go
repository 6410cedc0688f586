package shift

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// joiner is a route that feeds blue, which has no targets any more, while green is stable on the others.
type joiner struct {
	arn    string
	url    string       // of its users
	routes []string     // of the switch with it
	old    *http.Client // with a cookie of blue; nil: clients are not sticky
}

// joiners returns how a route comes to join, by name. They release green.
func joiners() map[string]func(w *e2e.World) joiner {
	release := func(w *e2e.World) {
		w.MustConfigure("green")
		w.MustApply()
	}
	second := func(w *e2e.World) joiner {
		rule := w.AddRule(1)
		return joiner{arn: rule, url: w.URL + "/1/x", routes: []string{w.Stack.Listener, rule}}
	}
	return map[string]func(w *e2e.World) joiner{
		"a second rule": func(w *e2e.World) joiner {
			release(w)
			return second(w)
		},
		"a second listener": func(w *e2e.World) joiner {
			release(w)
			listener := e2e.AddListener(w, 8081)
			return joiner{arn: listener, url: "http://" + w.Balancer.ListenerAddr(listener), routes: []string{w.Stack.Listener, listener}}
		},
		"a rule that was created again": func(w *e2e.World) joiner {
			before := second(w)
			w.Route(before.routes...)
			w.MustApply()
			release(w)
			e2e.Delete(w, before.arn)
			return second(w)
		},
		"the only listener was created again": func(w *e2e.World) joiner {
			release(w)
			e2e.Delete(w, w.Stack.Listener)
			listener := e2e.AddListener(w, 80)
			return joiner{arn: listener, url: "http://" + w.Balancer.ListenerAddr(listener), routes: []string{listener}}
		},
	}
}

// Users of a route that joins get errors until it has green: for at most a second from the start of the apply. It has one
// write, to that route, after green's health, without steps.
func TestJoin_endsTheErrorsOfTheOldEnvironmentAtOnce(t *testing.T) {
	for name, join := range joiners() {
		sticky := name == "a second rule" || name == "the only listener was created again"
		t.Run(fmt.Sprintf("%s, sticky %t", name, sticky), func(t *testing.T) {
			w := e2e.NewWorld(t, rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"})
			var old *http.Client
			if sticky {
				w.Edit(routesLine, routesLine+"\n    stickiness = \"1h\"")
				w.MustApply()
				old = e2e.Client(t)
				if v := w.Version(old); v != "1" {
					t.Fatalf("before: version %q", v)
				}
			}
			j := join(w)
			j.old = old
			w.Load.Stop() // it has no listener where that was deleted
			if err := w.Stack.Retire(t.Context(), "blue"); err != nil {
				t.Fatal(err)
			}
			// Neither steady_for nor a hold may delay the route. Settle is longer than what is asked meanwhile.
			w.Pace = rehearsal.Pace{Hold: "10h", Settle: slow.Deadline(time.Second).String(), SteadyFor: "9m"}
			w.MustConfigure("green")
			w.Route(j.routes...)
			j.joins(t, w)
		})
	}
}

// joins plans and applies under load.
func (j joiner) joins(t *testing.T, w *e2e.World) {
	t.Helper()
	before := w.Switch()
	w.MustRun("plan", "-no-color", "-out=joins.tfplan")
	schedule := fmt.Sprint(w.Planned("joins.tfplan")["schedule"])
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: j.url, Rate: 100, Clients: 8})
	t.Cleanup(func() { load.Stop() })
	w.Eventually("users have errors", func() bool { return load.Counts().Lost > 50 })
	mark := w.Mark()
	apply := w.Start("joins.tfplan")
	if j.old != nil {
		w.Eventually("the route has green", func() bool { return w.Feeds(j.arn, "green") })
		if v, err := e2e.VersionAt(j.old, j.url); err != nil || v != "2" {
			t.Errorf("a client with a cookie of blue is served by version %q: %v", v, err)
		}
	}
	if out, ok := apply.Wait(); !ok {
		t.Fatalf("apply failed:\n%s", out)
	}
	served := load.Counts().Requests
	w.Eventually("users are served", func() bool { return load.Counts().Requests > served+100 })
	counts := load.Stop()

	j.wroteOnce(t, w, mark)
	start := w.Balancer.Calls()[mark].At // Terraform itself was started before
	if n := counts.LostAfter(start.Add(slow.Deadline(time.Second))); n > 0 {
		t.Errorf("%d of %d errors came more than a second after the start of the apply, the last one %s after it", n, counts.Lost,
			counts.LostAt[len(counts.LostAt)-1].Sub(start))
	}
	if counts.ByVersion["2"] < 100 || len(counts.ByVersion) > 1 {
		t.Errorf("users were served by %v", counts.ByVersion)
	}
	name := fmt.Sprintf("Route web, %s joins", []string{"", "1st route", "2nd route"}[len(j.routes)])
	if len(j.routes) == 1 {
		name = "Route web joins"
	}
	if !strings.Contains(schedule, name) {
		t.Errorf("the schedule does not contain %q", name)
	}
	for _, wrong := range []string{"unmanaged", "not managed", "green (2) 100 % ->", "hold", "bake"} {
		if line := lineWith(schedule, wrong); line != "" && !strings.HasPrefix(line, "Warning: rule 1 of") && !strings.HasPrefix(line, "Warning: rule 2 of") {
			t.Errorf("the schedule says %q", line)
		}
	}
	if t.Failed() {
		t.Log(schedule)
	}
	after := w.Switch()
	for _, name := range []string{"previous", "stable", "live", "rejected"} {
		if fmt.Sprint(before[name]) != fmt.Sprint(after[name]) || name == "previous" && before[name] == nil {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	if out := w.MustRun("plan", "-no-color"); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
}

// wroteOnce checks that the route has the only write since a mark, after a read of green's health.
func (j joiner) wroteOnce(t *testing.T, w *e2e.World, mark int) {
	t.Helper()
	var written []string
	healthy := false
	for _, call := range w.Balancer.Calls()[mark:] {
		healthy = healthy || call.Action == "DescribeTargetHealth" && call.Params.Get("TargetGroupArn") == w.Stack.Groups["green"]
		if moves(call) {
			written = append(written, call.Params.Get("ListenerArn")+call.Params.Get("RuleArn"))
			if !healthy {
				t.Error("the write came before green's health was read")
			}
		}
	}
	if !slices.Equal(written, []string{j.arn}) {
		t.Errorf("the writes are %q, want one to %s", written, j.arn)
	}
	if !w.Feeds(j.arn, "green") || w.Feeds(j.arn, "blue") {
		t.Errorf("the route does %v", w.Actions(j.arn))
	}
}

// moves matches the writes of traffic.
func moves(call localaws.Call) bool {
	return call.Action == "ModifyListener" || call.Action == "ModifyRule"
}

// lineWith returns the first line that contains a word; empty where none does.
func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
