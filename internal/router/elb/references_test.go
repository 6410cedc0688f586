package elb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// setup is a load balancer with blue and green.
type setup struct {
	*alb
	web         string
	blue, green string
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	a := newALB(t)
	return &setup{alb: a, web: a.balancer("web"), blue: a.group("blue", 0), green: a.group("green", 0)}
}

// both returns a forward action to blue and green.
func (s *setup) both(blue, green int32) types.Action {
	return to(map[string]int32{s.blue: blue, s.green: green})
}

func sticky(a types.Action) types.Action {
	a.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(60))}
	return a
}

func header(name, value string) types.RuleCondition {
	return types.RuleCondition{Field: new("http-header"),
		HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: &name, Values: []string{value}}}
}

func source(cidr string) types.RuleCondition {
	return types.RuleCondition{Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{cidr}}}
}

func query(key, value string) types.RuleCondition {
	return types.RuleCondition{Field: new("query-string"),
		QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: &key, Value: &value}}}}
}

func path(pattern string) types.RuleCondition {
	return types.RuleCondition{Field: new("path-pattern"), Values: []string{pattern}}
}

func host(name string) types.RuleCondition {
	return types.RuleCondition{Field: new("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{name}}}
}

// when creates a rule with conditions.
func (s *setup) when(listener string, priority int32, action types.Action, conditions ...types.RuleCondition) {
	s.t.Helper()
	_, err := s.api.CreateRule(s.ctx(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: []types.Action{action}, Conditions: conditions})
	must(s.t, err)
}

// carried returns the routes that send traffic to a group: "listener :443 95 %".
func carried(t *testing.T, users []traffic.Reference, group string) string {
	t.Helper()
	var words []string
	for _, u := range users {
		if u.Group == group && u.CarriesTraffic() {
			word := fmt.Sprintf("%s %s", u.Text, u.Share)
			if u.Narrow {
				word += " narrow"
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

type layout struct {
	build       func(s *setup, front func(types.Action) string)
	blue, green string
}

const live = "listener :443 100 %"

// layouts are common configurations, with the routes that send traffic to each group. Users reach the listener on
// port 443. A rule that may be for tests is traffic like any other; only the configuration says what is a test.
func layouts() map[string]layout {
	return map[string]layout{
		"idle at weight 0":         {build: func(s *setup, front func(types.Action) string) { front(s.both(100, 0)) }, blue: live},
		"split":                    {build: func(s *setup, front func(types.Action) string) { front(s.both(95, 5)) }, blue: "listener :443 95 %", green: "listener :443 5 %"},
		"live only, idle detached": {build: func(s *setup, front func(types.Action) string) { front(toOne(s.blue)) }, blue: live},
		"single group at weight 0": {build: func(s *setup, front func(types.Action) string) { front(to(map[string]int32{s.blue: 0})) }, blue: live},
		"sticky at weight 0": {
			build: func(s *setup, front func(types.Action) string) { front(sticky(s.both(100, 0))) },
			blue:  live, green: "listener :443 0 %",
		},
		"test rules by header and source address for both": {
			build: func(s *setup, front func(types.Action) string) {
				l := front(s.both(100, 0))
				s.when(l, 1, toOne(s.blue), header("X-Environment", "blue"), source("10.0.0.0/8"))
				s.when(l, 2, toOne(s.green), source("10.0.0.0/8"))
			},
			blue: live + ", rule 1 of listener :443 100 % narrow", green: "rule 2 of listener :443 100 % narrow",
		},
		"test rules by query and cookie with stickiness on": {
			build: func(s *setup, front func(types.Action) string) {
				l := front(sticky(to(map[string]int32{s.blue: 100})))
				s.when(l, 1, toOne(s.blue), query("environment", "blue"))
				s.when(l, 2, toOne(s.green), header("Cookie", "*environment=green*"), path("/app/*"))
			},
			blue: live + ", rule 1 of listener :443 100 % narrow", green: "rule 2 of listener :443 100 % narrow",
		},
		"a test listener": {
			build: func(s *setup, front func(types.Action) string) {
				front(s.both(100, 0))
				s.listener(s.web, 8443, toOne(s.green))
			},
			blue: live, green: "listener :8443 100 %",
		},
		"a test listener with rules": {
			build: func(s *setup, front func(types.Action) string) {
				front(s.both(100, 0))
				l := s.listener(s.web, 8443, fixed("404"))
				s.when(l, 1, toOne(s.blue), host("blue.example.com"))
				s.when(l, 2, toOne(s.green), host("green.example.com"))
			},
			blue: live + ", rule 1 of listener :8443 100 %", green: "rule 2 of listener :8443 100 %",
		},
		"a rule with idle group": {
			build: func(s *setup, front func(types.Action) string) {
				s.when(front(toOne(s.blue)), 1, s.both(100, 0), header("X-Environment", "green"))
			},
			blue: live + ", rule 1 of listener :443 100 % narrow",
		},
		"unmanaged path rule": {
			build: func(s *setup, front func(types.Action) string) {
				s.when(front(s.both(100, 0)), 1, toOne(s.green), path("/admin/*"))
			},
			blue: live, green: "rule 1 of listener :443 100 %",
		},
		"the secret header of a CDN": {
			build: func(s *setup, front func(types.Action) string) {
				s.when(front(fixed("403")), 1, toOne(s.blue), header("X-Origin-Verify", "secret"))
			},
			blue: "rule 1 of listener :443 100 % narrow",
		},
	}
}

func TestReferences_traffic(t *testing.T) {
	for name, l := range layouts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			l.build(s, func(a types.Action) string { return s.listener(s.web, 443, a) })
			users, err := s.forward.References(t.Context(), []string{s.blue, s.green})
			must(t, err)
			if got := carried(t, users, s.blue); got != l.blue {
				t.Errorf("blue gets traffic from %q, want %q", got, l.blue)
			}
			if got := carried(t, users, s.green); got != l.green {
				t.Errorf("green gets traffic from %q, want %q", got, l.green)
			}
			shared, err := elb.NewReader(s.forward).References(t.Context(), []string{s.blue, s.green})
			must(t, err)
			if got, want := text(t, shared), text(t, users); got != want {
				t.Errorf("the reader returns\n%s\nand the router\n%s", got, want)
			}
		})
	}
}

func TestReferences_unusedGroups(t *testing.T) {
	s := newSetup(t)
	s.listener(s.web, 443, fixed("503"))
	users, err := s.forward.References(t.Context(), []string{s.blue, s.green})
	if err != nil || len(users) != 0 {
		t.Errorf("users are %v, %v", users, err)
	}
}

func TestReferences_twoLoadBalancers(t *testing.T) {
	s := newSetup(t)
	s.listener(s.web, 443, toOne(s.blue))
	s.listener(s.balancer("api"), 443, toOne(s.green))
	users, err := s.forward.References(t.Context(), []string{s.green, s.blue})
	must(t, err)
	if len(users) != 2 || users[0].Group != s.green || users[1].Group != s.blue {
		t.Errorf("users are %+v", users)
	}
}

func TestReferences_missingGroup(t *testing.T) {
	s := newSetup(t)
	s.listener(s.web, 443, toOne(s.blue))
	missing := absent(s.green)
	reader := elb.NewReader(s.forward)
	for name, ask := range map[string]func([]string) ([]traffic.Reference, error){
		"router": func(g []string) ([]traffic.Reference, error) { return s.forward.References(t.Context(), g) },
		"reader": func(g []string) ([]traffic.Reference, error) { return reader.References(t.Context(), g) },
	} {
		_, err := ask([]string{s.blue, missing})
		call, ok := errors.AsType[*elb.CallError](err)
		if !errors.Is(err, traffic.ErrNotFound) || !ok || call.ARN != missing {
			t.Errorf("%s: the error of a missing group is %v", name, err)
		}
		if users, err := ask([]string{s.blue}); err != nil || len(users) != 1 {
			t.Errorf("%s: the other has %v, %v", name, users, err)
		}
	}
	for action, listing := range map[string]string{
		"DescribeTargetGroups": "elasticloadbalancing:DescribeTargetGroups", "DescribeListeners": "elasticloadbalancing:DescribeListeners",
		"DescribeRules": "elasticloadbalancing:DescribeRules",
	} {
		remove := s.srv.Inject(faults.Fault{Action: action, Kind: faults.AccessDenied})
		_, err := elb.NewReader(s.forward).References(t.Context(), []string{s.blue})
		call, ok := errors.AsType[*elb.CallError](err)
		if !errors.Is(err, traffic.ErrDenied) || !ok || call.Action != listing {
			t.Errorf("%s denied is %v", action, err)
		}
		remove()
	}
}

// In a bubble, because requests share calls only within a batch window, which a slow
// machine misses.
func TestReader_sharesReferencesOfALoadBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var groups []string
		for i := range 22 {
			groups = append(groups, fmt.Sprintf("%stargetgroup/more-%d/1", prefix, i))
		}
		f := &fake{listeners: map[string][]types.Action{listener: {toOne(groups[0])}}, rules: map[string][]types.Rule{}, balancer: balancer}
		for i, group := range groups[2:12] {
			f.rules[listener] = append(f.rules[listener], types.Rule{
				RuleArn: new(fmt.Sprintf("%s-%d", rule, i)), Priority: new(fmt.Sprint(i + 1)), Actions: []types.Action{toOne(group)},
				Conditions: []types.RuleCondition{path(fmt.Sprintf("/%d/*", i))},
			})
		}
		reader := elb.NewReader(router(f))
		var all sync.WaitGroup
		for i, group := range groups {
			all.Go(func() {
				found, err := reader.References(t.Context(), []string{group})
				want := 0
				if i == 0 || i >= 2 && i < 12 {
					want = 1
				}
				if err != nil || len(found) != want {
					t.Errorf("group %d has references %+v, %v; want %d", i, found, err, want)
				}
			})
		}
		all.Wait()
		slices.Sort(f.calls)
		if want := []string{"groups 2", "groups 20", "listeners 0", "rules 0"}; !slices.Equal(f.calls, want) {
			t.Errorf("22 environments took %q, want %q", f.calls, want)
		}
	})
}

func TestReader_readsAllPagesOfReferences(t *testing.T) {
	f := &fake{listeners: map[string][]types.Action{listener: {fixed("404")}}, rules: map[string][]types.Rule{}, page: 3, balancer: balancer}
	for i := range 7 {
		f.rules[listener] = append(f.rules[listener], types.Rule{
			RuleArn: new(fmt.Sprintf("%s-%d", rule, i)), Priority: new(fmt.Sprint(i + 1)), Actions: []types.Action{toOne(blue)},
			Conditions: []types.RuleCondition{path(fmt.Sprintf("/%d", i))},
		})
	}
	users, err := elb.NewReader(router(f)).References(t.Context(), []string{blue})
	must(t, err)
	if len(users) != 7 || users[6].Text != "rule 7 of listener :"+strings.TrimPrefix(users[0].Text, "rule 1 of listener :") {
		t.Errorf("users are %+v", users)
	}
	if len(f.calls) != 3+2 { // 3 + ceil(rules/page), less the page that is counted twice
		t.Errorf("the calls were %q", f.calls)
	}
}

func TestSlowStarts(t *testing.T) {
	s := newSetup(t)
	_, err := s.api.ModifyTargetGroupAttributes(s.ctx(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.green,
		Attributes: []types.TargetGroupAttribute{{Key: new("slow_start.duration_seconds"), Value: new("45")}}})
	must(t, err)
	got, err := s.forward.SlowStarts(t.Context(), []string{s.blue, s.green, absent(s.blue)})
	if !errors.Is(err, traffic.ErrNotFound) || len(got) != 1 || got[s.green] != 45*time.Second {
		t.Errorf("slow starts are %v, %v", got, err)
	}
}

func TestLongestDelay(t *testing.T) {
	s := newSetup(t)
	set := func(group, seconds string) {
		_, err := s.api.ModifyTargetGroupAttributes(s.ctx(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &group,
			Attributes: []types.TargetGroupAttribute{{Key: new("deregistration_delay.timeout_seconds"), Value: &seconds}}})
		must(t, err)
	}
	set(s.blue, "7")
	for name, c := range map[string]struct {
		groups []string
		want   time.Duration
	}{
		"as set": {[]string{s.blue}, 7 * time.Second}, "ELB's default": {[]string{s.green}, 5 * time.Minute},
		"the longest": {[]string{s.blue, s.green}, 5 * time.Minute}, "of none": {nil, 0},
	} {
		if got, err := s.forward.LongestDelay(t.Context(), c.groups); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
	if _, err := s.forward.LongestDelay(t.Context(), []string{absent(s.blue)}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("missing group: %v", err)
	}
	lambda := &fake{attributes: []types.TargetGroupAttribute{{Key: new("lambda.multi_value_headers.enabled"), Value: new("false")}}}
	if got, err := router(lambda).SlowStarts(t.Context(), []string{blue}); err != nil || len(got) != 0 {
		t.Errorf("slow start without the attribute: %v, %v", got, err)
	}
	if got, err := router(lambda).LongestDelay(t.Context(), []string{blue}); err != nil || got != 0 {
		t.Errorf("without the attribute: %s, %v", got, err)
	}
	odd := &fake{attributes: []types.TargetGroupAttribute{{Key: new("deregistration_delay.timeout_seconds"), Value: new("soon")}}}
	_, err := router(odd).LongestDelay(t.Context(), []string{blue})
	if err == nil {
		t.Error("nonsense is taken")
	}
	golden.Record(t, fmt.Sprint(err))
}
