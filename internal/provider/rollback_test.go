package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// failing is a release of green whose gate fails at 5 %, right after a function ran.
func (s *site) failing(first func()) hcl {
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "60s" }]`
	h.gates = expectingGate(firstCall(s.t, first))
	return h
}

// count returns how many writes a function makes.
func (b *bench) count(do func()) int {
	b.t.Helper()
	before := len(b.writes())
	do()
	return len(b.writes()) - before
}

// rejectedVersion is the rejected version in the state; empty: none.
func (w *workspace) rejectedVersion() string {
	w.t.Helper()
	rejected, _ := w.values()["rejected"].(map[string]any)
	return fmt.Sprint(rejected["version"])
}

// A rollback goes on whatever AWS answers, and the version is rejected as without that.
func TestSwitch_rollbackOutlastsErrors(t *testing.T) {
	t.Parallel()
	// Reads of health are not affected: they would end the shift before the gate does.
	for name, all := range map[string][]faults.Fault{
		"access denied": {{Action: "ModifyListener", Kind: faults.AccessDenied, Times: 3}},
		"reads denied":  {{Action: "DescribeListeners", Kind: faults.AccessDenied, Times: 5}},
		"expired token": {{Action: "DescribeListeners", Kind: faults.ExpiredToken, Times: 5},
			{Action: "ModifyListener", Kind: faults.ExpiredToken, Times: 5}},
		"empty answers":      {{Action: "DescribeListeners", Kind: faults.EmptyBody, Times: 5}},
		"dropped connection": {{Action: "ModifyListener", Kind: faults.DropConnection, Times: 3}},
		"dropped answers":    {{Action: "ModifyListener", Kind: faults.DropAnswer, Times: 3}},
		"server errors": {{Action: "DescribeListeners", Kind: faults.ServerError, Times: 5},
			{Action: "ModifyListener", Kind: faults.ServerError, Times: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.blueIsLive(w)
			h := s.failing(func() {
				for _, fault := range all {
					s.srv.Inject(fault)
				}
			})
			w.write(h.in(s.bench))
			w.apply().failsAs("error")
			s.want("app-blue 100, app-green 0")
			if got := w.rejectedVersion(); got != "1.1" {
				t.Errorf("rejected is %s", got)
			}
			if got := w.lastShift()["outcome"]; got != "rolled_back" {
				t.Errorf("the outcome is %v", got)
			}
		})
	}
}

// A rollback that did not get through: once the API recovers, the same apply rolls the
// traffic back before it refuses the version, and so does the edit of the message.
func TestSwitch_rollbackAfterRecovery(t *testing.T) {
	t.Parallel()
	for _, active := range []string{"green", "blue"} {
		t.Run("active "+active, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.blueIsLive(w)
			var recovers func()
			h := s.failing(func() { recovers = s.refuse("ModifyListener", "", 0) })
			h.strategy += "\n rollback_timeout = \"10s\""
			w.write(h.in(s.bench))
			w.apply().failsAs("error")
			s.want("app-blue 95, app-green 5")
			recovers()
			h.traffic = fmt.Sprintf("active = %q", active)
			w.write(h.in(s.bench))
			if n := s.count(func() {
				if active == "blue" {
					w.apply().ok()
				} else {
					w.apply().failsAs("refused")
				}
			}); n != 1 {
				t.Errorf("%d writes, want one", n)
			}
			s.want("app-blue 100, app-green 0")
			if got := w.rejectedVersion(); got != "1.1" {
				t.Errorf("rejected is %s", got)
			}
			h.traffic = `active = "green"`
			w.write(h.in(s.bench))
			s.unwritten(func() { w.apply().failsAs("refused_again") })
		})
	}
}

// threeRoutes is a site with a listener and two rules.
type threeRoutes struct {
	*site
	rules []string
}

func newThreeRoutes(t *testing.T) *threeRoutes {
	t.Helper()
	s := &threeRoutes{site: newSite(t)}
	for i := range 2 {
		s.rules = append(s.rules, s.rule(s.listener, fmt.Sprintf("/%d/*", i), int32(10+i), forward(weights{s.blue.group: 100})))
	}
	return s
}

func (s *threeRoutes) in(h hcl, routes ...string) string {
	h.routes = fmt.Sprintf(`routes = { web = [%s] }`, `"`+strings.Join(routes, `", "`)+`"`)
	return h.in(s.bench)
}

// oneHangs lets the calls about the last rule hang until the other routes are back. It
// returns a channel that is closed then.
func (s *threeRoutes) oneHangs() <-chan struct{} {
	back := make(chan struct{})
	remove := s.srv.Inject(faults.Fault{Kind: faults.Slow, ARN: s.rules[1], Delay: time.Hour})
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if s.t.Context().Err() != nil {
				return
			}
			if s.routed(s.listener) == "app-blue 100, app-green 0" && s.ruleRouted(s.rules[0]) == "app-blue 100, app-green 0" {
				remove()
				close(back)
				return
			}
		}
	}()
	return back
}

// A route that hangs does not delay the others, and follows when it answers.
func TestSwitch_rollbackWhileOneRouteHangs(t *testing.T) {
	t.Parallel()
	s, w := newThreeRoutes(t), newWorkspace(t)
	all := append([]string{s.listener}, s.rules...)
	w.write(s.in(s.guarded("blue"), all...))
	w.apply().ok()
	var back <-chan struct{}
	w.write(s.in(s.failing(func() { back = s.oneHangs() }), all...))
	w.apply().failsAs("error")
	select {
	case <-back:
	default:
		t.Error("the other routes were not back while one was hanging")
	}
	s.want("app-blue 100, app-green 0")
	for _, rule := range s.rules {
		if got := s.ruleRouted(rule); got != "app-blue 100, app-green 0" {
			t.Errorf("a rule has %s", got)
		}
	}
}

func (b *bench) deleteRule(rule string) {
	b.t.Helper()
	_, err := b.api.DeleteRule(b.t.Context(), &elbv2.DeleteRuleInput{RuleArn: &rule})
	b.must(err)
}

// A rule that is deleted in mid-shift is reported as that, whether the gate fails because
// of it or not. The other routes are rolled back, and nothing is rejected.
func TestSwitch_ruleDeletedInMidShift(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"gate fails": 204, "gate passes": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newThreeRoutes(t), newWorkspace(t)
			all := append([]string{s.listener}, s.rules...)
			w.write(s.in(s.guarded("blue"), all...))
			w.apply().ok()
			h := s.failing(func() { s.deleteRule(s.rules[0]) })
			h.gates = strings.Replace(h.gates, "204", fmt.Sprint(status), 1)
			h.strategy = strings.Replace(h.strategy, "60s", "10ms", 1)
			w.write(s.in(h, all...))
			w.apply().failsAs("error")
			s.want("app-blue 100, app-green 0")
			if got := s.ruleRouted(s.rules[1]); got != "app-blue 100, app-green 0" {
				t.Errorf("the other rule has %s", got)
			}
			v := w.values()
			if v["rejected"] != nil || v["active"] != "blue" {
				t.Errorf("rejected is %v, active %v", v["rejected"], v["active"])
			}
			s.unwritten(func() { w.apply().failsAs("again") })
			w.write(s.in(s.guarded("green"), s.listener, s.rules[1])) // the instruction of the message
			w.apply().ok()
			s.want("app-blue 0, app-green 100")
		})
	}
}

// The only listener is deleted in mid-shift: the switch stays in the state, nothing is
// rejected, and a new listener takes part.
func TestSwitch_onlyListenerDeletedInMidShift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.failing(func() { s.deleteListener(s.listener) })
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	if v := w.values(); v == nil || v["rejected"] != nil {
		t.Errorf("the state has %v", v)
	}
	s.listener = s.listen(forward(weights{s.blue.group: 100, s.green.group: 0}))
	w.write(s.guarded("green").in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
}

// sticky is a forward with group stickiness.
func sticky(actions []types.Action) []types.Action {
	actions[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(3600))}
	return actions
}

// Somebody moves traffic, then the gate fails: the gate is the cause, the traffic stays
// where they moved it, and the edit of the message rolls it back with one write.
func TestSwitch_trafficChangedBesideAFailedGate(t *testing.T) {
	t.Parallel()
	for name, share := range map[string]int32{"70 and 30": 30, "0 and 100": 100, "98 and 2": 2} {
		for _, active := range []string{"blue", "green"} {
			t.Run(name+", active "+active, func(t *testing.T) {
				t.Parallel()
				s, w := newSite(t), newWorkspace(t)
				s.blueIsLive(w)
				h := s.failing(func() {
					s.changeExternally(s.listener, forward(weights{s.blue.group: 100 - share, s.green.group: share}))
				})
				w.write(h.in(s.bench))
				w.apply().failsAs("error")
				s.want(fmt.Sprintf("app-blue %d, app-green %d", 100-share, share))
				if got := w.rejectedVersion(); got != "1.1" {
					t.Errorf("rejected is %s", got)
				}
				h.traffic = fmt.Sprintf("active = %q", active)
				w.write(h.in(s.bench))
				if n := s.count(func() {
					if active == "blue" {
						w.apply().ok()
					} else {
						w.apply().failsAs("refused")
					}
				}); n != 1 {
					t.Errorf("%d writes, want one", n)
				}
				s.want("app-blue 100, app-green 0")
			})
		}
	}
}

// A change that leaves the weights alone does not stop the rollback, which preserves it.
func TestSwitch_changeBesideTheTrafficDoesNotStopTheRollback(t *testing.T) {
	t.Parallel()
	now := func(s *site) weights { return weights{s.blue.group: 95, s.green.group: 5} }
	for name, c := range map[string]struct {
		change func(s *site, red string) []types.Action
		want   string
	}{
		"stickiness on": {func(s *site, _ string) []types.Action { return sticky(forward(now(s))) }, "app-blue 100"},
		"a group added": {func(s *site, red string) []types.Action {
			all := now(s)
			all[red] = 0
			return forward(all)
		}, "app-blue 100, app-green 0, app-red 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			red := s.app("app-red")
			s.blueIsLive(w)
			w.write(s.failing(func() { s.changeExternally(s.listener, c.change(s, red.group)) }).in(s.bench))
			w.apply().failsAs("error")
			s.want(c.want)
			if got := w.rejectedVersion(); got != "1.1" {
				t.Errorf("rejected is %s", got)
			}
		})
	}
}

// Somebody gives traffic to a group of no environment, then the gate fails. The next apply
// cannot know whose traffic that is, so the message has the command that rolls it back.
func TestSwitch_unmanagedGroupBesideAFailedGate(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	red := s.app("app-red")
	s.blueIsLive(w)
	h := s.failing(func() {
		s.changeExternally(s.listener, forward(weights{s.blue.group: 60, s.green.group: 20, red.group: 20}))
	})
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	s.want("app-blue 60, app-green 20, app-red 20")
	s.unwritten(func() { w.apply().failsAs("refused") })
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0, red.group: 0})) // the command
	h.traffic = `active = "blue"`
	w.write(h.in(s.bench))
	w.apply().ok()
}

// Somebody turns on stickiness between the plan and the apply of a rollback or revert, which
// depends on the weights alone. The group that loses its traffic is detached, because clients
// would stay with it.
func TestSwitch_stickinessSinceThePlanStopsNoRollback(t *testing.T) {
	t.Parallel()
	half := func(s *site) weights { return weights{s.blue.group: 95, s.green.group: 5} }
	for name, c := range map[string]struct {
		active string
		red    bool // there is a third environment
		fails  string
		want   string
	}{
		"rollback":                            {active: "blue", want: "app-blue 100"},
		"rolled back first":                   {active: "green", fails: "refused", want: "app-blue 100"},
		"rolled back first, then a release":   {active: "red", red: true, fails: "stopped", want: "app-blue 100"},
		"a release after it is planned again": {active: "red", red: true, want: "app-red 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.blueIsLive(w)
			var recovers func()
			h := s.failing(func() { recovers = s.refuse("ModifyListener", "", 0) })
			h.strategy += "\n rollback_timeout = \"10s\""
			w.write(h.in(s.bench))
			if r := w.apply(); r.err == nil {
				t.Error("the gate did not fail")
			}
			recovers()
			h.traffic = fmt.Sprintf("active = %q", c.active)
			if c.red {
				h.environments += environment("red", "1.2", s.app("app-red").group)
				h.gates = ""
				h.strategy = ""
			}
			w.write(h.in(s.bench))
			w.plan().ok()
			s.changeExternally(s.listener, sticky(forward(half(s))))
			if name == "a release after it is planned again" {
				w.plan().ok()
			}
			if r := w.applyPlan(); c.fails != "" {
				r.failsAs(c.fails)
			} else {
				r.ok()
			}
			s.want(c.want)
		})
	}
	t.Run("revert", func(t *testing.T) {
		t.Parallel()
		s, w := newSite(t), newWorkspace(t)
		s.blueIsLive(w)
		w.write(s.guarded("green").in(s.bench))
		w.apply().ok()
		w.write(s.guarded("blue").in(s.bench))
		w.plan().ok()
		s.changeExternally(s.listener, sticky(forward(weights{s.blue.group: 0, s.green.group: 100})))
		w.applyPlan().ok()
		s.want("app-blue 100")
		w.isEmpty()
	})
}
