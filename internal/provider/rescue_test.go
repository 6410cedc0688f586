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
	moved    string // the route that somebody moves
	h        hcl
}

// rescueStart is how green became stable.
type rescueStart struct {
	routes  int
	known   bool // the previous version is known
	canary  bool // 10 % on green, which is not all
	adopted bool // created where green had all traffic; else imported
	joined  bool // the second route joined afterwards
	first   bool // the first of two routes is moved
	sticky  bool // group stickiness is on
}

func (x rescueStart) String() string {
	text := fmt.Sprintf("%d routes, previous %t", x.routes, x.known)
	if x.adopted {
		text += ", adopted"
	}
	if x.joined {
		text += ", joined"
	}
	if x.first {
		text += ", first moved"
	}
	if x.sticky {
		text += ", sticky"
	}
	return text
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
	// Where three environments serve, no one of them has half of the targets.
	s.h.health = "\n    steady_for = \"0s\"\n    capacity_percent = 0"
	if start.sticky {
		s.h.stickiness = `stickiness = "1h"`
	}
	if s.moved = s.listener; start.routes > 1 && !start.joined {
		s.addSecond(forward(stable))
	}
	s.healthy(s.blue.group, s.green.group)
	if start.canary {
		s.h.traffic = "weights = { blue = 90, green = 10, red = 0 }"
	}
	switch {
	case start.known:
		before := s.h
		before.traffic = `active = "blue"`
		s.write(before)
		s.w.apply().ok()
		s.write(s.h)
	case start.adopted:
		s.write(s.h)
	default:
		s.write(s.h)
		s.w.imports("web=" + s.listener)
	}
	s.w.apply().ok()
	if start.joined {
		s.addSecond(forward(weights{s.blue.group: 100}))
		s.write(s.h)
		s.w.apply().ok()
	}
	if start.first {
		s.moved = s.listener
	}
	if got := s.w.values()["previous"]; (got != nil) != start.known {
		t.Fatalf("previous is %v", got)
	}
	return s
}

// addSecond adds a rule to the routes, which is the one that somebody moves.
func (s *rescueSite) addSecond(actions []types.Action) {
	s.t.Helper()
	s.second = s.rule(s.listener, "/second/*", 10, actions)
	s.moved = s.second
	s.h.routes = fmt.Sprintf(`routes = { web = [%q, %q] }`, s.listener, s.second)
}

func (s *rescueSite) write(h hcl) { s.w.write(h.in(s.bench)) }

// move changes the route as a console user would.
func (s *rescueSite) move(actions []types.Action) {
	s.t.Helper()
	if s.h.stickiness != "" {
		actions = sticky(actions)
	}
	if s.moved == s.listener {
		s.changeExternally(s.listener, actions)
		return
	}
	s.changeRule(s.moved, actions)
}

// secondRouted is what the second route forwards to; empty where there is none.
func (s *rescueSite) secondRouted() string {
	if s.second == "" {
		return ""
	}
	return s.ruleRouted(s.second)
}

// changeRule is changeExternally for a rule.
func (b *bench) changeRule(rule string, actions []types.Action) {
	b.t.Helper()
	_, err := b.api.ModifyRule(b.t.Context(), &elbv2.ModifyRuleInput{RuleArn: &rule, Actions: actions})
	b.must(err)
}

// movedRouted is what the route forwards to.
func (s *rescueSite) movedRouted() string {
	s.t.Helper()
	if s.moved == s.listener {
		return s.routed(s.listener)
	}
	return s.ruleRouted(s.moved)
}

// runs runs the n commands of a message against the stand-in.
func (s *site) runs(text string, n int) {
	s.t.Helper()
	commands := regexp.MustCompile(`(?m)^Back at once: (aws .*)$`).FindAllStringSubmatch(text, -1)
	if len(commands) != n { // another route has not moved
		s.t.Fatalf("%d commands, want %d, in:\n%s", len(commands), n, text)
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
func (*bench) traffic(routed string) string {
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
	edit   string // that accepts it, as the message says; {outsider} is the target group of that name
	routed string // afterwards
}

func rescues() map[string]rescue {
	toBlue := func(s *rescueSite) []types.Action { return forward(weights{s.blue.group: 1, s.green.group: 0}) }
	const ignore = "set lifecycle { ignore_changes = [active, weights] } on the switch."
	return map[string]rescue{
		"blue": {moved: toBlue, edit: `set active = "blue".`, routed: "app-blue"},
		"red": {moved: func(s *rescueSite) []types.Action { return forward(weights{s.red.group: 7}) },
			edit: `set active = "red".`, routed: "app-red"},
		"unmanaged": {moved: func(s *rescueSite) []types.Action { return forward(weights{s.outsider.group: 1, s.green.group: 0}) },
			edit: `add environment "outsider" with target_groups = { web = "{outsider}" } and set active = "outsider".`, routed: "outsider"},
		"partly unmanaged": {moved: func(s *rescueSite) []types.Action { return forward(weights{s.outsider.group: 30, s.blue.group: 70}) },
			edit: `add environment "outsider" with target_groups = { web = "{outsider}" } and ` +
				`set weights = { blue = 70, outsider = 30 } and 0 for the other environments instead of active.`, routed: "app-blue 70, outsider 30"},
		"fixed response": {moved: func(*rescueSite) []types.Action { return fixed("503") }, edit: ignore},
		"page":           {moved: func(*rescueSite) []types.Action { return fixed("200") }, edit: ignore},
		"redirect":       {moved: func(*rescueSite) []types.Action { return redirect() }, edit: ignore},
		"canary ended":   {canary: true, moved: toBlue, edit: `set active = "blue" instead of weights.`, routed: "app-blue"},
		"canary completed": {canary: true, moved: func(s *rescueSite) []types.Action { return forward(weights{s.green.group: 999}) },
			edit: `set active = "green" instead of weights.`, routed: "app-green"},
	}
}

// starts returns what each rescue is tried after.
func (c rescue) starts(name string) []rescueStart {
	switch {
	case c.canary || c.routed == "":
		return []rescueStart{{routes: 1, known: true, canary: c.canary}, {routes: 2, canary: c.canary}}
	case name == "unmanaged":
		return []rescueStart{{routes: 1}, {routes: 2, known: true}, {routes: 2, adopted: true, first: true},
			{routes: 2, known: true, joined: true, first: true}, {routes: 1, known: true, sticky: true}}
	case name == "partly unmanaged":
		return []rescueStart{{routes: 1, known: true}, {routes: 1, adopted: true}, {routes: 2, first: true},
			{routes: 2, adopted: true, joined: true}, {routes: 2, known: true, joined: true, sticky: true}}
	case name == "blue":
		return []rescueStart{{routes: 1}, {routes: 2, known: true}, {routes: 2, joined: true}, {routes: 1, known: true, sticky: true}}
	}
	return []rescueStart{{routes: 1}, {routes: 2, known: true}}
}

// edited returns a configuration after the edit of a message.
func (s *site) edited(text string, h hcl) hcl {
	s.t.Helper()
	find := func(expression string) []string { return regexp.MustCompile(expression).FindStringSubmatch(text) }
	if m := find(`add environment "([^"]*)" with target_groups = (\{.*?\})`); m != nil {
		h.environments += fmt.Sprintf("\n    %q = { version = \"7\", target_groups = %s, resource_type = \"bluegreen_environment\" }", m[1], m[2])
	}
	switch active, weights := find(`set (active = "[^"]*")`), find(`set weights = \{ (.*?) \} and 0 for the other environments`); {
	case active != nil:
		h.traffic = active[1]
	case weights != nil:
		h.traffic = "weights = { " + weights[1]
		for _, m := range regexp.MustCompile(`(?m)^    "([^"]*)" = \{`).FindAllStringSubmatch(h.environments, -1) {
			if !strings.Contains(weights[1], m[1]+" = ") {
				h.traffic += fmt.Sprintf(", %q = 0", m[1])
			}
		}
		h.traffic += " }"
	default:
		h.rest = find(`set (lifecycle \{.*?\})`)[1] + "\n"
	}
	return h
}

// Somebody moves all traffic of a route off green. The apply without an edit writes nothing, and each step of its
// message does what it says.
func TestSwitch_rescued(t *testing.T) {
	t.Parallel()
	needAWS(t)
	for name, c := range rescues() {
		for i, start := range c.starts(name) {
			t.Run(fmt.Sprintf("%s, %s", name, start), func(t *testing.T) {
				t.Parallel()
				s := newRescueSite(t, start)
				stable := s.traffic(s.movedRouted())
				s.shiftsAtOnce(c, stable)
				if i == 0 && !c.canary { // a split is not the name of an environment
					s.shiftsWithBluegreen(c, stable)
				}
				s.shiftsBySteps(c, stable)
				s.accepts(c)
			})
		}
	}
}

func (s *rescueSite) shiftsAtOnce(c rescue, stable string) {
	s.t.Helper()
	s.move(c.moved(s))
	s.runs(s.refused("error"), 1)
	if got := s.traffic(s.movedRouted()); got != stable {
		s.t.Errorf("the command left %s", got)
	}
	if got := s.movedRouted(); s.h.stickiness != "" && got != stable+" 100" {
		s.t.Errorf("the command left %s, where clients with a cookie stay", got)
	}
	if moves := s.shares(func() { s.w.apply().ok() }); len(moves) > 0 {
		s.t.Errorf("the apply after the command moved the traffic: %q", moves)
	}
	s.isNoOp()
}

func (s *rescueSite) shiftsBySteps(c rescue, stable string) {
	s.t.Helper()
	s.move(c.moved(s))
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
	if got := s.traffic(s.movedRouted()); got != stable {
		s.t.Errorf("the steps left %s", got)
	}
	s.isNoOp()
}

func (s *rescueSite) accepts(c rescue) {
	s.t.Helper()
	s.move(c.moved(s))
	text, edit := s.refused("error"), strings.ReplaceAll(c.edit, "{outsider}", s.outsider.group)
	if !strings.Contains(text, edit) {
		s.t.Fatalf("%q is not in: %s", edit, text)
	}
	s.write(s.edited(edit, s.h))
	moves := s.shares(func() { s.w.apply().ok() })
	if s.second == "" && len(moves) > 0 {
		s.t.Errorf("accepting moved %q", moves)
	}
	if got := s.movedRouted(); c.routed != "" && s.traffic(got) != c.routed || c.routed == "" && got != "" {
		s.t.Errorf("accepting left %s", got)
	}
	for _, routed := range []string{s.routed(s.listener), s.secondRouted()} {
		if got := s.traffic(routed); c.routed != "" && routed != "" && got != c.routed {
			s.t.Errorf("accepting left %s on a route", got)
		}
	}
	s.isNoOp()
}
