package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// later has values that are known only after apply, as those that another resource exports.
const later = `
resource "terraform_data" "later" {
  input = { name = "smoke", percent = 5, none = [], one = ["last"] }
}
locals {
  later = terraform_data.later.output
}
`

// dynamic returns a dynamic block.
func dynamic(name, each string, lines ...string) string {
	return block(fmt.Sprintf("dynamic %q", name), "for_each = "+each, block("content", lines...))
}

// answers is the kind of a gate that passes; URL stands for its address.
var answers = block("http", `url = "URL"`)

// quick is a gate with a short interval.
func quick(name string, lines ...string) string {
	return gateBlock(name, append(lines, `interval = "10ms"`)...)
}

// either is a gate whose kind depends on two lists.
func either(http, command string) string {
	return quick("smoke", dynamic("http", http, "url = http.value"), dynamic("command", command, "argv = command.value"))
}

// dynamicGates are gates that depend on values which the plan may not know, and that are valid in
// the end.
var dynamicGates = map[string]struct {
	hcl       string
	scheduled bool // the plan knows the schedule
}{
	"known keys, unknown values": {dynamic("gate", `{ a = "URL", b = "URL" }`, "name = gate.key", `interval = "10ms"`,
		block("http", "url = gate.value", `method = local.later.name == "smoke" ? "GET" : "PUT"`)), true},
	"a kind by a known condition":    {either(`["URL"]`, "[]"), true},
	"a kind by an unknown condition": {either(`local.later.name == "smoke" ? ["URL"] : []`, `local.later.name == "smoke" ? [] : [["false"]]`), false},
	"no gate in the end":             {dynamic("gate", "local.later.none", "name = gate.value", answers), false},
	"one more gate in the end":       {quick("first", answers) + "\n" + dynamic("gate", "local.later.one", "name = gate.value", `interval = "10ms"`, answers), false},
	"an unknown name":                {quick("users", answers) + "\n" + block("gate", "name = local.later.name", `interval = "10ms"`, answers), false},
	"unknown steps":                  {quick("smoke", answers, "at_percent = [local.later.percent]"), false},
}

func TestDynamic_gates(t *testing.T) {
	t.Parallel()
	for name, c := range dynamicGates {
		t.Run(name, func(t *testing.T) {
			s, w := newSite(t), newWorkspace(t)
			h := s.release("blue")
			h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
			w.write(h.in(s.bench))
			w.apply().ok()
			h.traffic, h.before = `active = "green"`, later
			h.gates = strings.ReplaceAll(c.hcl, "URL", s.green.url)
			w.write(h.in(s.bench))
			w.must(w.prepare("validate").Run())
			w.plan().ok()
			if planned, _ := w.planned(); (planned["schedule"] != nil) != c.scheduled {
				t.Errorf("the schedule is %v", planned["schedule"])
			}
			w.applyPlan().ok()
			s.want("app-blue 0, app-green 100")
			w.plan().ok()
			if _, action := w.planned(); action != "no-op" {
				t.Errorf("the second plan is %s", action)
			}
		})
	}
}

// The other blocks can depend on what the plan does not know, too: each is one block, or none, in the
// end.
func TestDynamic_settings(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	w.write(h.in(s.bench))
	w.apply().ok()
	h.before = later
	config := h.in(s.bench)
	for _, name := range []string{"load_balancer", "strategy", "health"} {
		config = without(config, name)
	}
	config = strings.Replace(config, "  active =", strings.Join([]string{
		dynamic("load_balancer", "local.later.one", h.routes), dynamic("strategy", "local.later.none", `bake = "1h"`),
		dynamic("health", "local.later.none", `timeout = "1h"`), ""}, "\n")+"  active =", 1)
	w.write(config)
	w.must(w.prepare("validate").Run())
	w.plan().ok()
	s.unwritten(func() { w.applyPlan().ok() })
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("the second plan is %s", action)
	}
}

// without returns a configuration without the static block of a name.
func without(config, name string) string {
	before, after, _ := strings.Cut(config, "\n  "+name+" {")
	_, after, _ = strings.Cut(after, "\n  }\n")
	return before + "\n" + after
}

// What was unknown in the plan can turn out to be invalid: then the apply fails before it writes
// anything.
func TestDynamic_invalidInTheEnd(t *testing.T) {
	t.Parallel()
	for name, gates := range map[string]string{
		"no kind":      quick("smoke", dynamic("http", "local.later.none", `url = "URL"`)),
		"two kinds":    quick("smoke", answers, dynamic("command", "local.later.one", `argv = ["true"]`)),
		"one name":     quick("smoke", answers) + "\n" + block("gate", "name = local.later.name", answers),
		"no such step": quick("smoke", answers, "at_percent = [local.later.percent + 1]"),
		"empty name":   block("gate", `name = replace(local.later.name, "smoke", "")`, answers),
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newSite(t), newWorkspace(t)
			h := s.release("green")
			h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
			h.before, h.gates = later, strings.ReplaceAll(gates, "URL", "http://127.0.0.1:1/")
			w.write(h.in(s.bench))
			w.plan().ok()
			s.unwritten(func() { w.applyPlan().failsAs("error") })
		})
	}
}

// The readiness check of an environment takes dynamic gates, too, and does not depend on their order.
func TestDynamic_gatesOfAnEnvironment(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(server.Close)
	e := s.greenEnv()
	gate := func(each string) string {
		return dynamic("gate", each, "name = gate.value", `interval = "1m"`, block("http", fmt.Sprintf("url = %q", server.URL)))
	}
	raise := func(ready string) int64 {
		before := requests.Load()
		e.ready = ready
		w.write(settings(s.bench, "") + later + fmt.Sprint(e))
		w.plan().ok()
		w.applyPlan().ok()
		return requests.Load() - before
	}
	for _, step := range []struct {
		name, ready string
		want        int64
	}{
		{"unknown at plan", gate("local.later.one"), 1},
		{"two more", gate(`["last", "b", "a"]`), 3},
		{"another order", gate(`["a", "b", "last"]`), 0},
		{"none", "", 0},
	} {
		if n := raise(step.ready); n != step.want {
			t.Errorf("%s: %d requests, want %d", step.name, n, step.want)
		}
	}
}

// The engine evaluates gates in the order of their names, so that the order of the blocks is
// no change of the schedule.
func TestGates_orderMovesNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	url := fmt.Sprintf("url = %q", s.green.url)
	a, b := quick("a", block("http", url)), quick("b", block("http", url), `when = "before"`)
	h := s.release("blue")
	h.gates = a + "\n" + b
	w.write(h.in(s.bench))
	w.apply().ok()
	before := w.values()
	h.gates = b + "\n" + a
	w.write(h.in(s.bench))
	w.plan().ok()
	after, action := w.planned()
	if got := changed(before, after); action != "update" || fmt.Sprint(got) != "[gate]" {
		t.Errorf("the plan is %s, of %v", action, got)
	}
	s.unwritten(func() { w.applyPlan().ok() })
}

// A gate with at_percent is asked at those steps only, with weights too: then the percentages are
// parts of the shift.
func TestGates_atPercent(t *testing.T) {
	t.Parallel()
	for name, traffic := range map[string]string{"active": `active = "green"`, "weights": "weights = { blue = 80, green = 20 }"} {
		t.Run(name, func(t *testing.T) {
			s, w := newSite(t), newWorkspace(t)
			w.write(s.release("blue").in(s.bench))
			w.apply().ok()
			var at []string
			var mu sync.Mutex
			record := func(path string) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, path+" "+s.routed(s.listener))
			}
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { record(r.URL.Path) }))
			t.Cleanup(server.Close)
			h := s.release("green")
			h.traffic = traffic
			h.strategy = `steps = [{ percent = 10, hold = "1ms" }, { percent = 50, hold = "1ms" }, { percent = 70, hold = "1ms" }]`
			once := func(name, percent string) string {
				return gateBlock(name, block("http", fmt.Sprintf("url = %q", server.URL+"/"+name)), `interval = "1h"`, "at_percent = ["+percent+"]")
			}
			h.gates = once("step", "50") + "\n" + once("rest", "70, 100")
			w.write(h.in(s.bench))
			w.plan().ok()
			w.scheduleIs("schedule")
			w.applyPlan().ok()
			want := "[/step app-blue 50, app-green 50 /rest app-blue 30, app-green 70 /rest app-blue 0, app-green 100]"
			if name == "weights" {
				want = "[/step app-blue 90, app-green 10 /rest app-blue 86, app-green 14 /rest app-blue 80, app-green 20]"
			}
			if got := fmt.Sprint(at); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
