package provider_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// rescueSite is a site with three environments, a group that is in none of them, and one or two routes. Green 1.1 is
// stable on all routes.
type rescueSite struct {
	*site
	w        *workspace
	red      *app
	outsider *app
	second   string // the rule; empty: one route
	h        hcl
}

// rescueStart is how green became stable.
type rescueStart struct {
	routes int
	known  bool // the previous version is known
	canary bool // 10 % on green, which is not all
}

func newRescueSite(t *testing.T, start rescueStart) *rescueSite {
	t.Helper()
	s := &rescueSite{site: newSite(t), w: newWorkspace(t)}
	s.red, s.outsider = s.app("app-red"), s.app("outsider")
	stable := weights{s.green.group: 100, s.blue.group: 0}
	if start.canary {
		stable = weights{s.green.group: 10, s.blue.group: 90}
	}
	if start.known {
		stable = weights{s.blue.group: 100, s.green.group: 0}
	}
	s.changeExternally(s.listener, forward(stable))
	s.h = s.release("green")
	s.h.environments += environment("red", "0.9", s.red.group)
	s.h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	if start.routes > 1 {
		s.second = s.rule(s.listener, "/second/*", 10, forward(stable))
		s.h.routes = fmt.Sprintf(`routes = { web = [%q, %q] }`, s.listener, s.second)
	}
	s.healthy(s.blue.group, s.green.group)
	if start.canary {
		s.h.traffic = "weights = { blue = 90, green = 10, red = 0 }"
	}
	if start.known {
		before := s.h
		before.traffic = `active = "blue"`
		s.write(before)
		s.w.apply().ok()
		s.write(s.h)
	} else {
		s.write(s.h)
		s.w.imports("web=" + s.listener)
	}
	s.w.apply().ok()
	if got := s.w.values()["previous"]; (got != nil) != start.known {
		t.Fatalf("previous is %v", got)
	}
	return s
}

func (s *rescueSite) write(h hcl) { s.w.write(h.in(s.bench)) }

// moveLast changes the last route as a console user would.
func (s *rescueSite) moveLast(actions []types.Action) {
	s.t.Helper()
	if s.second == "" {
		s.changeExternally(s.listener, actions)
		return
	}
	_, err := s.api.ModifyRule(s.t.Context(), &elbv2.ModifyRuleInput{RuleArn: &s.second, Actions: actions})
	s.must(err)
}

// lastRouted is what the last route forwards to.
func (s *rescueSite) lastRouted() string {
	s.t.Helper()
	if s.second == "" {
		return s.routed(s.listener)
	}
	return s.ruleRouted(s.second)
}

// runs runs the commands of a message against the stand-in.
func (s *rescueSite) runs(text string) {
	s.t.Helper()
	commands := regexp.MustCompile(`(?m)^Back at once: (aws .*)$`).FindAllStringSubmatch(text, -1)
	if len(commands) != 1 { // the other route has not moved
		s.t.Fatalf("%d commands in:\n%s", len(commands), text)
	}
	for _, c := range commands {
		cmd := exec.CommandContext(s.t.Context(), "sh", "-c", strings.Replace(c[1], "aws ", "aws --endpoint-url "+s.srv.URL()+" ", 1))
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIALOCAL", "AWS_SECRET_ACCESS_KEY=secret", "AWS_PAGER=")
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v\n%s", c[1], err, out)
		}
	}
}

// refused applies without an edit: nothing is written, twice.
func (s *rescueSite) refused(part string) string {
	s.t.Helper()
	var r run
	s.unwritten(func() {
		s.w.apply().failsAs(part)
		r = s.w.apply()
	})
	if r.err == nil || !strings.HasPrefix(r.text(), "Cannot shift web: traffic was moved outside this switch") {
		s.t.Fatalf("the second apply is not refused: %s", r.text())
	}
	return r.text()
}

// isNoOp checks that nothing is left to do.
func (s *rescueSite) isNoOp() {
	s.t.Helper()
	s.w.plan().ok()
	if _, action := s.w.planned(); action != "no-op" {
		s.t.Errorf("the plan is %s", action)
	}
}

func needAWS(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("aws is not on PATH: the commands of the messages cannot be run")
	}
}

// shares returns the shares of each forward that calls wrote, in order; those that moved no traffic are left out.
func (s *rescueSite) shares(do func()) []string {
	s.t.Helper()
	before, mark := map[string]string{s.listener: s.traffic(s.routed(s.listener))}, s.called()
	if s.second != "" {
		before[s.second] = s.traffic(s.ruleRouted(s.second))
	}
	do()
	var moves []string
	for _, call := range s.srv.Calls()[mark:] {
		route, members := call.Params.Get("ListenerArn"), "DefaultActions.member.1"
		if call.Action == "ModifyRule" {
			route, members = call.Params.Get("RuleArn"), "Actions.member.1"
		} else if call.Action != "ModifyListener" {
			continue
		}
		var groups []types.TargetGroupTuple
		for n := 1; ; n++ {
			member := fmt.Sprintf("%s.ForwardConfig.TargetGroups.member.%d.", members, n)
			if call.Params.Get(member+"TargetGroupArn") == "" {
				break
			}
			weight, err := strconv.ParseInt(call.Params.Get(member+"Weight"), 10, 32)
			s.must(err)
			groups = append(groups, types.TargetGroupTuple{TargetGroupArn: new(call.Params.Get(member + "TargetGroupArn")), Weight: new(int32(weight))})
		}
		now := s.traffic(routedBy([]types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}))
		if now != before[route] {
			moves = append(moves, now)
		}
		before[route] = now
	}
	return moves
}

// traffic is what a route forwards to, without the groups at weight 0. The weight of the only group means nothing.
func (*rescueSite) traffic(routed string) string {
	parts := slices.DeleteFunc(strings.Split(routed, ", "), func(part string) bool { return strings.HasSuffix(part, " 0") })
	if len(parts) == 1 {
		name, _, _ := strings.Cut(parts[0], " ")
		return name
	}
	return strings.Join(parts, ", ")
}

// rescue is how somebody moved the traffic of a route outside Terraform.
type rescue struct {
	canary bool // 10 % on green were stable, not all
	moved  func(s *rescueSite) []types.Action
	edit   string // that accepts it, as the message says
	accept func(s *rescueSite, h hcl) hcl
	routed string // afterwards
}

func rescues() map[string]rescue {
	toBlue := func(s *rescueSite) []types.Action { return forward(weights{s.blue.group: 1, s.green.group: 0}) }
	ignore := func(_ *rescueSite, h hcl) hcl {
		h.rest = "lifecycle { ignore_changes = [active, weights] }\n"
		return h
	}
	return map[string]rescue{
		"blue": {moved: toBlue, edit: `set active = "blue".`, accept: activates("blue"), routed: "app-blue"},
		"red": {moved: func(s *rescueSite) []types.Action { return forward(weights{s.red.group: 7}) },
			edit: `set active = "red".`, accept: activates("red"), routed: "app-red"},
		"unmanaged": {moved: func(s *rescueSite) []types.Action { return forward(weights{s.outsider.group: 1, s.green.group: 0}) },
			edit: "add an environment for the target group that has the traffic and set active to it.",
			accept: func(s *rescueSite, h hcl) hcl {
				h.environments += environment("outsider", "7", s.outsider.group)
				return activates("outsider")(s, h)
			}, routed: "outsider"},
		"fixed response": {moved: func(*rescueSite) []types.Action { return fixed("503") },
			edit: "set lifecycle { ignore_changes = [active, weights] } on the switch.", accept: ignore},
		"page": {moved: func(*rescueSite) []types.Action { return fixed("200") },
			edit: "set lifecycle { ignore_changes = [active, weights] } on the switch.", accept: ignore},
		"redirect": {moved: func(*rescueSite) []types.Action { return redirect() },
			edit: "set lifecycle { ignore_changes = [active, weights] } on the switch.", accept: ignore},
		"canary ended": {canary: true, moved: toBlue, edit: `set active = "blue" instead of weights.`, accept: activates("blue"), routed: "app-blue"},
		"canary completed": {canary: true, moved: func(s *rescueSite) []types.Action { return forward(weights{s.green.group: 999}) },
			edit: `set active = "green" instead of weights.`, accept: activates("green"), routed: "app-green"},
	}
}

func activates(name string) func(*rescueSite, hcl) hcl {
	return func(_ *rescueSite, h hcl) hcl {
		h.traffic = fmt.Sprintf("active = %q", name)
		return h
	}
}

// Somebody moves all traffic of a route off green. The apply without an edit writes nothing, and each step of its
// message does what it says.
func TestSwitch_rescued(t *testing.T) {
	t.Parallel()
	needAWS(t)
	for name, c := range rescues() {
		starts := []rescueStart{{1, false, c.canary}, {2, true, c.canary}}
		if c.canary || c.routed == "" {
			starts = []rescueStart{{1, true, c.canary}, {2, false, c.canary}}
		}
		for _, start := range starts {
			t.Run(fmt.Sprintf("%s, %d routes, previous %t", name, start.routes, start.known), func(t *testing.T) {
				t.Parallel()
				s := newRescueSite(t, start)
				stable := s.traffic(s.lastRouted())
				s.shiftsAtOnce(c, stable)
				s.shiftsBySteps(c, stable)
				s.accepts(c)
			})
		}
	}
}

func (s *rescueSite) shiftsAtOnce(c rescue, stable string) {
	s.t.Helper()
	s.moveLast(c.moved(s))
	s.runs(s.refused("error"))
	if got := s.traffic(s.lastRouted()); got != stable {
		s.t.Errorf("the command left %s", got)
	}
	if moves := s.shares(func() { s.w.apply().ok() }); len(moves) > 0 {
		s.t.Errorf("the apply after the command moved the traffic: %q", moves)
	}
	s.isNoOp()
}

func (s *rescueSite) shiftsBySteps(c rescue, stable string) {
	s.t.Helper()
	s.moveLast(c.moved(s))
	text := s.refused("error")
	s.h.rest = `retry = "1"`
	s.write(s.h)
	if c.routed == "" { // neither does the message suggest it
		if strings.Contains(text, "change retry") {
			s.t.Errorf("the message suggests retry: %s", text)
		}
		s.refused("retry")
		return
	}
	moves := s.shares(func() { s.w.apply().ok() })
	if len(moves) != 2 || moves[1] != stable {
		s.t.Errorf("retry moved %q, want a step and then %s", moves, stable)
	}
	if got := s.traffic(s.lastRouted()); got != stable {
		s.t.Errorf("the steps left %s", got)
	}
	s.isNoOp()
}

func (s *rescueSite) accepts(c rescue) {
	s.t.Helper()
	s.moveLast(c.moved(s))
	if text := s.refused("error"); !strings.Contains(text, c.edit) {
		s.t.Fatalf("%q is not in: %s", c.edit, text)
	}
	s.write(c.accept(s, s.h))
	moves := s.shares(func() { s.w.apply().ok() })
	if s.second == "" && len(moves) > 0 {
		s.t.Errorf("accepting moved %q", moves)
	}
	if got := s.lastRouted(); c.routed != "" && s.traffic(got) != c.routed || c.routed == "" && got != "" {
		s.t.Errorf("accepting left %s", got)
	}
	if got := s.traffic(s.routed(s.listener)); c.routed != "" && got != c.routed {
		s.t.Errorf("accepting left %s on the other route", got)
	}
	s.isNoOp()
}
