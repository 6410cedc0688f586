package elb_test

import (
	"strconv"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestRouter_contractForListeners(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture {
		a, f := fixture(t)
		b := a.balancer("web")
		f.Routes = []string{
			a.listener(b, 443, inOrder(login(), toOne(f.Groups[0]))...),
			a.listener(b, 8080, toOne(f.Groups[0])),
		}
		f.Idle, f.Redirect = a.listener(b, 8081, fixed("503")), a.listener(b, 80, redirect())
		f.MissingRoute = absent(f.Idle)
		return f.of(a)
	})
}

func TestRouter_contractForRules(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture {
		a, f := fixture(t, localaws.WithoutLoneWeight())
		l := a.listener(a.balancer("web"), 443, inOrder(login(), fixed("404"))...)
		f.Routes = []string{
			a.rule(l, 1, inOrder(login(), toOne(f.Groups[0]))...),
			a.rule(l, 2, toOne(f.Groups[0])),
		}
		f.Idle, f.Redirect = a.rule(l, 3, inOrder(login(), fixed("503"))...), a.rule(l, 4, redirect())
		f.MissingRoute = absent(f.Idle)
		return f.of(a)
	})
}

func TestRouter_recorder(t *testing.T) {
	a, f := fixture(t)
	l := a.listener(a.balancer("web"), 443, toOne(f.Groups[0]))
	routertest.TestRecorder(t, elb.NewRecorder(a.forward), []string{l, a.rule(l, 1, toOne(f.Groups[0]))})
}

// More routes than a call may have, one of which does not exist.
func TestRouter_recorderInBatches(t *testing.T) {
	a, f := fixture(t)
	l := a.listener(a.balancer("web"), 443, toOne(f.Groups[0]))
	routes := []string{l}
	for n := range int32(24) {
		routes = append(routes, a.rule(l, n+1, toOne(f.Groups[0])))
	}
	all := append([]string{absent(l)}, routes...)
	r := traffic.Record{Shift: "s1", Switch: "0123456789ab", Phase: traffic.PhaseOpen, Expires: time.Unix(1, 0).UTC()}
	recorder := elb.NewRecorder(a.forward)
	must(t, recorder.Put(t.Context(), all, r, true))
	found, err := recorder.Records(t.Context(), all)
	if err != nil || len(found) != len(routes) {
		t.Errorf("%d of %d routes have the record, %v", len(found), len(routes), err)
	}
	must(t, recorder.Remove(t.Context(), all, r.Shift))
	if found, err := recorder.Records(t.Context(), all); err != nil || len(found) > 0 {
		t.Errorf("%d routes still have the record, %v", len(found), err)
	}
}

type albFixture struct{ routertest.Fixture }

func fixture(t *testing.T, opts ...localaws.Option) (*alb, albFixture) {
	t.Helper()
	a := newALB(t, opts...)
	f := albFixture{}
	f.Router, f.Limits = a.forward, elb.Limits()
	for i := range 6 {
		f.Groups = append(f.Groups, a.group("g"+strconv.Itoa(i), max(2-2*(i/2), 0)))
	}
	f.MissingGroup = absent(f.Groups[0])
	return a, f
}

func (f albFixture) of(a *alb) routertest.Fixture {
	f.Change = func(t *testing.T, route string, weights map[string]int) {
		t.Helper()
		groups := map[string]int32{}
		for group, n := range weights {
			groups[group] = int32(n)
		}
		actions := a.actions(route)
		actions[len(actions)-1] = inOrderOf(actions, to(groups))
		if actions[0].AuthenticateOidcConfig != nil {
			actions[0].AuthenticateOidcConfig.UseExistingClientSecret = new(true)
		}
		arn, err := elb.ParseRoute(route)
		must(t, err)
		if arn.Kind == elb.Rule {
			_, err = a.api.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &route, Actions: actions})
		} else {
			_, err = a.api.ModifyListener(t.Context(), &elbv2.ModifyListenerInput{ListenerArn: &route, DefaultActions: actions})
		}
		must(t, err)
	}
	f.Extra = func(t *testing.T) string { return besideRouting(t, a.actions(f.Routes[0])) }
	return f.Fixture
}

func inOrderOf(actions []types.Action, last types.Action) types.Action {
	last.Order = actions[len(actions)-1].Order
	return last
}
