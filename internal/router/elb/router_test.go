package elb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func read(t *testing.T, r traffic.Router, route string) traffic.State {
	t.Helper()
	found, err := r.Read(t.Context(), []string{route})
	must(t, err)
	return found[0]
}

func TestRouter_writesOnlyActions(t *testing.T) {
	a := newALB(t)
	g1, g2 := a.group("blue", 0), a.group("green", 0)
	l := a.listener(a.balancer("web"), 443, inOrder(login(), toOne(g1))...)
	r := a.rule(l, 7, inOrder(login(), to(map[string]int32{g1: 100, g2: 0}))...)
	for _, tt := range []struct{ route, action, list string }{
		{l, "ModifyListener", "DefaultActions"}, {r, "ModifyRule", "Actions"},
	} {
		s := read(t, a.forward, tt.route)
		s.Weights = map[string]int{g1: 95, g2: 5}
		before := len(a.srv.Calls())
		must(t, a.forward.Write(t.Context(), tt.route, s))
		calls := a.srv.Calls()[before:]
		if len(calls) != 1 || calls[0].Action != tt.action {
			t.Fatalf("a write made the calls %v", calls)
		}
		for name := range calls[0].Params {
			head, _, _ := strings.Cut(name, ".")
			if !slices.Contains([]string{"Action", "Version", "ListenerArn", "RuleArn", tt.list}, head) || strings.Contains(name, "Secret") && !strings.HasSuffix(name, "UseExistingClientSecret") {
				t.Errorf("%s was sent %s", tt.action, name)
			}
		}
	}
}

// TestRouter_preservesAuthenticateActions checks that the actions before the forward
// survive every write, including the unreadable secret, which ELB requires.
func TestRouter_preservesAuthenticateActions(t *testing.T) {
	a := newALB(t)
	g1, g2 := a.group("blue", 0), a.group("green", 0)
	l := a.listener(a.balancer("web"), 443, inOrder(login(), toOne(g1))...)
	want := besideRouting(t, a.actions(l))
	for _, weights := range []map[string]int{{g1: 100, g2: 0}, {g1: 50, g2: 50}, {g2: 1}} {
		s := read(t, a.forward, l)
		s.Weights = weights
		must(t, a.rollback.Write(t.Context(), l, s))
		if got := besideRouting(t, a.actions(l)); got != want {
			t.Errorf("the listener has\n%s\nbeside its forward, and had\n%s", got, want)
		}
	}
	if !strings.Contains(want, `"Order": 10`) || !strings.Contains(want, `"Order": 20`) {
		t.Errorf("the orders are not those given:\n%s", want)
	}
}

func TestRouter_readsInBatches(t *testing.T) {
	a := newALB(t)
	g := a.group("blue", 0)
	l := a.listener(a.balancer("web"), 80, toOne(g))
	routes := []string{l}
	for i := range int32(45) {
		routes = append(routes, a.rule(l, i+1, fixed(fmt.Sprint(500+i))))
	}
	slices.Reverse(routes)
	routes = append(routes, routes...)
	found, err := a.forward.Read(t.Context(), routes)
	must(t, err)
	for i, s := range found {
		want := "fixed response " + fmt.Sprint(544-i%46)
		if i%46 == 45 {
			want = ""
		}
		if s.Response != want {
			t.Errorf("setting %d is %q, want %q", i, s.Response, want)
		}
	}
	if rules, listeners := len(a.calls("DescribeRules")), len(a.calls("DescribeListeners")); rules != 3 || listeners != 1 {
		t.Errorf("it took %d calls for rules and %d for listeners", rules, listeners)
	}
}

func TestRouter_reportsTheMissingRoute(t *testing.T) {
	a := newALB(t)
	l := a.listener(a.balancer("web"), 80, fixed("503"))
	r := a.rule(l, 1, fixed("503"))
	for _, tt := range []struct{ there, missing, action string }{
		{l, absent(l), "elasticloadbalancing:DescribeListeners"},
		{r, absent(r), "elasticloadbalancing:DescribeRules"},
	} {
		_, err := a.forward.Read(t.Context(), []string{tt.there, tt.missing, tt.there})
		call, ok := errors.AsType[*elb.CallError](err)
		if !errors.Is(err, traffic.ErrNotFound) || !ok || call.ARN != tt.missing || call.Action != tt.action {
			t.Errorf("Read returned %#v", err)
		}
	}
}

func TestRouter_reportsTheRefusedGroup(t *testing.T) {
	a := newALB(t)
	g, other := a.group("blue", 0), a.group("api", 0)
	l := a.listener(a.balancer("web"), 80, toOne(g))
	a.listener(a.balancer("api"), 80, toOne(other))
	s := read(t, a.forward, l)
	s.Weights = map[string]int{g: 50, absent(g): 50}
	err := a.forward.Write(t.Context(), l, s)
	call, ok := errors.AsType[*elb.CallError](err)
	if !errors.Is(err, traffic.ErrNotFound) || !ok || call.ARN != absent(g) || call.Action != "elasticloadbalancing:ModifyListener" {
		t.Errorf("Write of a missing group returned %v", err)
	}
	s.Weights = map[string]int{g: 50, other: 50}
	if err := a.forward.Write(t.Context(), l, s); !errors.Is(err, elb.ErrOtherBalancer) {
		t.Errorf("Write of another load balancer's group returned %v", err)
	}
	if got := read(t, a.forward, l); !got.Equal(traffic.State{Weights: map[string]int{g: 1}}) {
		t.Errorf("the listener gives %v", got.Weights)
	}
}

func TestRouter_refusesADefaultRule(t *testing.T) {
	a := newALB(t)
	l := a.listener(a.balancer("web"), 80, fixed("503"))
	out, err := a.api.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: &l})
	must(t, err)
	rule, err := elb.ParseRoute(*out.Rules[0].RuleArn)
	must(t, err)
	_, err = a.forward.Read(t.Context(), []string{rule.String()})
	if !errors.Is(err, elb.ErrDefaultRule) {
		t.Errorf("the error is %v", err)
	}
	golden.Record(t, fmt.Sprint(err), golden.Volatile()...)
	if of, _ := rule.Listener(); of.String() != l {
		t.Errorf("the listener of the rule is %s, want %s", of, l)
	}
}

func TestRouter_refusesOtherARNs(t *testing.T) {
	a := newALB(t)
	network := a.balancer("tcp", types.LoadBalancerTypeEnumNetwork)
	for route, want := range map[string]error{
		strings.Replace(network, ":loadbalancer/", ":listener-rule/", 1) + "/0123456789abcdef/0123456789abcdef": elb.ErrNotRoutable,
		network:         elb.ErrWrongKind,
		a.group("g", 0): elb.ErrWrongKind,
		"https://web/":  elb.ErrMalformed,
		network[:len("arn:aws:elasticloadbalancing")]: elb.ErrMalformed,
	} {
		before := len(a.srv.Calls())
		if _, err := a.forward.Read(t.Context(), []string{route}); !errors.Is(err, want) {
			t.Errorf("Read of %q returned %v", route, err)
		}
		if err := a.forward.Write(t.Context(), route, traffic.State{}); !errors.Is(err, want) {
			t.Errorf("Write of %q returned %v", route, err)
		}
		if calls := a.srv.Calls()[before:]; len(calls) != 0 {
			t.Errorf("%q led to the calls %v", route, calls)
		}
	}
}

func TestRouter_readsEveryRegion(t *testing.T) {
	a := newALB(t)
	var routes []string
	for i, region := range []string{"us-east-1", "eu-west-1", "ap-south-1"} {
		there := a.in(region)
		routes = append(routes, there.listener(there.balancer("web"), 80, fixed(fmt.Sprint(501+i))))
	}
	found, err := a.forward.Read(t.Context(), routes)
	must(t, err)
	for i, s := range found {
		if want := fmt.Sprintf("fixed response %d", 501+i); s.Response != want {
			t.Errorf("the route %s gives %q, want %q", routes[i], s.Response, want)
		}
	}
}

func TestRouter_errorsByType(t *testing.T) {
	a := newALB(t)
	g := a.group("blue", 0)
	l := a.listener(a.balancer("web"), 80, toOne(g))
	s := read(t, a.forward, l)
	tests := []struct {
		kind faults.Kind
		want error
	}{
		{faults.AccessDenied, traffic.ErrDenied},
		{faults.ExpiredToken, traffic.ErrExpired},
		{faults.Throttle, traffic.ErrThrottled},
	}
	for _, tt := range tests {
		remove := a.srv.Inject(faults.Fault{Action: "ModifyListener", Kind: tt.kind, Times: 1})
		err := a.forward.Write(t.Context(), l, s)
		remove()
		call, ok := errors.AsType[*elb.CallError](err)
		if !errors.Is(err, tt.want) || !ok || call.Action != "elasticloadbalancing:ModifyListener" || call.ARN != l {
			t.Errorf("with %s Write returned %v", tt.kind, err)
			continue
		}
		golden.Record(t, err.Error(), golden.Volatile()...)
		for _, other := range []error{traffic.ErrDenied, traffic.ErrExpired, traffic.ErrThrottled, traffic.ErrNotFound} {
			if !errors.Is(tt.want, other) && errors.Is(err, other) {
				t.Errorf("%v is %v as well", err, other)
			}
		}
	}
	a.srv.Inject(faults.Fault{Kind: faults.ServerError, Times: 1})
	_, err := a.forward.Read(t.Context(), []string{l})
	if call, ok := errors.AsType[*elb.CallError](err); !ok || call.Code != "InternalFailure" || errors.Is(err, traffic.ErrThrottled) {
		t.Errorf("a broken API is %v", err)
	}
}

func TestRouter_hidesSecrets(t *testing.T) {
	a := newALB(t)
	g := a.group("blue", 0)
	l := a.listener(a.balancer("web"), 443, inOrder(login(), toOne(g))...)
	s := read(t, a.forward, l)
	said := []string{fmt.Sprintf("%v %+v", s, s)}
	if want := "the actions of " + l; !strings.Contains(said[0], want) {
		t.Errorf("a formatted setting is %q", said[0])
	}
	for _, kind := range []faults.Kind{
		faults.AccessDenied, faults.ExpiredToken, faults.Throttle, faults.ServerError, faults.DropConnection, faults.DropAnswer,
	} {
		remove := a.srv.Inject(faults.Fault{Kind: kind})
		errs := []error{a.forward.Write(t.Context(), l, s)}
		_, err := a.forward.Read(t.Context(), []string{l})
		errs = append(errs, err)
		_, err = a.forward.Health(t.Context(), []string{g})
		for _, err := range append(errs, err) {
			if err == nil {
				t.Errorf("%s made nothing fail", kind)
			}
			said = append(said, fmt.Sprintf("%v %+v", err, err))
		}
		remove()
	}
	for _, text := range said {
		if strings.Contains(text, secretKey) || strings.Contains(text, clientSecret) {
			t.Errorf("this holds a secret: %s", text)
		}
	}
}

func TestRouter_rollbackOutlastsFaults(t *testing.T) {
	a := newALB(t)
	g1, g2 := a.group("blue", 0), a.group("green", 0)
	l := a.listener(a.balancer("web"), 80, toOne(g1))
	s := read(t, a.rollback, l)
	s.Weights = map[string]int{g1: 1, g2: 0}
	for _, kind := range []faults.Kind{faults.Throttle, faults.ServerError, faults.DropConnection, faults.DropAnswer} {
		a.srv.Inject(faults.Fault{Kind: kind, Times: 3})
		must(t, a.rollback.Write(t.Context(), l, s))
		if got := read(t, a.rollback, l); !got.Equal(s) {
			t.Errorf("after %s the route gives %v", kind, got.Weights)
		}
	}
}

func TestRouter_healthOfRealTargets(t *testing.T) {
	a := newALB(t)
	g := a.group("blue", 1)
	bad := a.register(g, 500)
	a.listener(a.balancer("web"), 80, toOne(g))
	var seen []string
	deadline := time.After(slow.Deadline(30 * time.Second))
	for again := time.NewTicker(10 * time.Millisecond); ; {
		found, err := a.forward.Health(t.Context(), []string{g})
		must(t, err)
		seen = nil
		for _, target := range found[g].Targets {
			if target.ID == bad {
				seen = append(seen, fmt.Sprintf("bad %s %s", target.State, target.Reason))
			} else {
				seen = append(seen, fmt.Sprintf("good %s %s", target.State, target.Reason))
			}
		}
		slices.Sort(seen)
		if slices.Equal(seen, []string{"bad unhealthy Target.ResponseCodeMismatch", "good healthy "}) {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("the targets stay %q", seen)
		}
	}
}

func TestRouter_checkGroups(t *testing.T) {
	a := newALB(t)
	g1, g2, idle := a.group("blue", 0), a.group("api", 0), a.group("green", 0)
	web := a.listener(a.balancer("web"), 80, toOne(g1))
	api := a.listener(a.balancer("api"), 80, toOne(g2))
	must(t, a.forward.CheckGroups(t.Context(),
		traffic.Entry{Routes: []string{web}, Groups: []string{g1, idle}}, traffic.Entry{Routes: []string{api}, Groups: []string{g2}}))
	if n := len(a.calls("DescribeTargetGroups")); n != 1 {
		t.Errorf("it took %d calls", n)
	}

	err := a.forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{web}, Groups: []string{g1, g2}})
	group, ok := errors.AsType[*elb.GroupError](err)
	if !errors.Is(err, elb.ErrOtherBalancer) || !ok || group.Group != g2 || !strings.Contains(group.Balancer, "/api/") || !strings.Contains(group.Routes, "/web/") {
		t.Errorf("a group of another load balancer is %v", err)
	}

	missing := absent(idle)
	err = a.forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{web}, Groups: []string{g1, missing}})
	call, ok := errors.AsType[*elb.CallError](err)
	if !errors.Is(err, traffic.ErrNotFound) || !ok || call.ARN != missing {
		t.Errorf("a missing group is %v", err)
	}

	facts, err := a.forward.GroupInfo(t.Context(), []string{g1, idle})
	must(t, err)
	if facts[g1].Name != "blue" || !strings.Contains(facts[g1].Balancer, "/web/") || facts[idle] != (elb.GroupInfo{ARN: idle, Name: "green", Protocol: "HTTP"}) {
		t.Errorf("the facts are %+v", facts)
	}
}

func TestRouter_findsUnmanagedRules(t *testing.T) {
	a := newALB(t)
	g1, g2 := a.group("blue", 0), a.group("green", 0)
	b := a.balancer("web")
	route := a.listener(b, 80, toOne(g1))
	second := a.listener(b, 8080, to(map[string]int32{g1: 0, g2: 5}))
	tenth := a.rule(second, 10, toOne(g1))
	a.rule(second, 9, fixed("404"))
	a.rule(second, 3, to(map[string]int32{g1: 0, g2: 1}))
	third := a.rule(route, 100, to(map[string]int32{g1: 1, g2: 1}))
	asRoute := a.rule(route, 5, toOne(g1))

	others, err := a.forward.OtherRoutes(t.Context(), []string{route, asRoute}, []string{g1})
	must(t, err)
	want := []traffic.OtherRoute{
		{Route: third, Text: "rule 100 of listener :80", Groups: []string{g1}},
		{Route: tenth, Text: "rule 10 of listener :8080", Groups: []string{g1}},
	}
	if got, expected := text(t, others), text(t, want); got != expected {
		t.Errorf("got\n%s\nwant\n%s", got, expected)
	}

	api := a.listener(a.balancer("api"), 80, fixed("503"))
	others, err = elb.NewReader(a.forward).OtherRoutes(t.Context(), []string{route, asRoute, api}, []string{g2})
	must(t, err)
	var texts []string
	for _, o := range others {
		texts = append(texts, o.Text)
	}
	if want := []string{"rule 100 of listener :80 of web", "listener :8080 of web", "rule 3 of listener :8080 of web"}; !slices.Equal(texts, want) {
		t.Errorf("found %q, want %q", texts, want)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	must(t, err)
	return string(b)
}

// TestRouter_needsOnlyItsPermissions calls every method.
func TestRouter_needsOnlyItsPermissions(t *testing.T) {
	a := newALB(t)
	g := a.group("blue", 0)
	l := a.listener(a.balancer("web"), 80, toOne(g))
	r := a.rule(l, 1, toOne(g))
	before := len(a.srv.Calls())
	for _, route := range []string{l, r} {
		must(t, a.forward.Write(t.Context(), route, read(t, a.forward, route)))
	}
	must(t, health(t.Context(), a.forward, g))
	must(t, a.forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{l}, Groups: []string{g}}))
	_, err := a.forward.OtherRoutes(t.Context(), []string{l}, []string{g})
	must(t, err)
	_, err = a.forward.References(t.Context(), []string{g})
	must(t, err)
	_, err = a.forward.LongestDelay(t.Context(), []string{g})
	must(t, err)
	recorder, record := elb.NewRecorder(a.forward), traffic.Record{Shift: "s1", Switch: "0123456789ab"}
	must(t, recorder.Put(t.Context(), []string{l, r}, record, true))
	_, err = recorder.Records(t.Context(), []string{l, r})
	must(t, err)
	must(t, recorder.Remove(t.Context(), []string{l, r}, record.Shift))
	called := map[string]bool{}
	for _, c := range a.srv.Calls()[before:] {
		called["elasticloadbalancing:"+c.Action] = true
	}
	if got := slices.Sorted(maps.Keys(called)); !slices.Equal(got, elb.Permissions()) {
		t.Errorf("called %q, and needs %q", got, elb.Permissions())
	}
}
