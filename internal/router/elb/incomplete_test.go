package elb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// result wraps the content of a result as the API does.
func result(action, content string) string {
	return fmt.Sprintf("<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, content)
}

const (
	forwardBlue  = "<member><Type>forward</Type><TargetGroupArn>" + blue + "</TargetGroupArn></member>"
	listenerBody = "<Listeners><member><ListenerArn>" + listener + "</ListenerArn><Port>443</Port><DefaultActions>" + forwardBlue + "</DefaultActions></member></Listeners>"
	ruleBody     = "<Rules><member><RuleArn>" + rule + "</RuleArn><Priority>7</Priority><IsDefault>false</IsDefault><Actions>" + forwardBlue + "</Actions></member>"
	defaultRule  = "<member><RuleArn>" + rule + "0</RuleArn><Priority>default</Priority><IsDefault>true</IsDefault><Actions>" + forwardBlue + "</Actions></member></Rules>"
	healthBody   = "<TargetHealthDescriptions><member><Target><Id>i-1</Id><Port>80</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions>"
	delayBody    = "<Attributes><member><Key>deregistration_delay.timeout_seconds</Key><Value>30</Value></member></Attributes>"
)

func groupBody() string {
	return "<TargetGroups><member><TargetGroupArn>" + blue + "</TargetGroupArn><TargetGroupName>blue</TargetGroupName><Protocol>HTTP</Protocol>" +
		"<LoadBalancerArns><member>" + balancer + "</member></LoadBalancerArns></member></TargetGroups>"
}

// completeBody is the complete answer to a call.
func completeBody(action string) string {
	return result(action, map[string]string{
		"DescribeListeners": listenerBody, "DescribeRules": ruleBody + defaultRule, "DescribeTargetGroups": groupBody(),
		"DescribeTargetHealth": healthBody, "DescribeTargetGroupAttributes": delayBody,
	}[action])
}

// leavingOut answers the first `times` calls of an action with a 200 that leaves out what was
// asked for, and everything else completely.
func leavingOut(action, body string, times int) *wire {
	affected := 0
	return &wire{answer: func(_ int, req *http.Request) (*http.Response, error) {
		if err := req.ParseForm(); err != nil {
			return nil, err
		}
		called := req.PostForm.Get("Action")
		if called == action && affected < times {
			affected++
			return reply(http.StatusOK, body)
		}
		return reply(http.StatusOK, completeBody(called))
	}}
}

// incompleteCase is a read, and the answers that leave out what it needs.
type incompleteCase struct {
	action string
	bodies map[string]string
	read   func(ctx context.Context, r *elb.Router) error
}

func incompleteCases() map[string]incompleteCase {
	none := func(action, list string) map[string]string {
		return map[string]string{"no body": "", "not XML": "<html><p>OK", "an empty result": result(action, ""), "an empty list": result(action, "<"+list+"/>")}
	}
	with := func(bodies map[string]string, name, body string) map[string]string {
		bodies[name] = body
		return bodies
	}
	noHealth := none("DescribeTargetHealth", "Else")
	delete(noHealth, "an empty list") // what AWS answers for a group without targets
	return map[string]incompleteCase{
		"a listener": {"DescribeListeners", with(none("DescribeListeners", "Listeners"), "a listener without action",
			result("DescribeListeners", "<Listeners><member><ListenerArn>"+listener+"</ListenerArn><DefaultActions/></member></Listeners>")),
			func(ctx context.Context, r *elb.Router) error { _, err := r.Read(ctx, []string{listener}); return err }},
		"a rule": {"DescribeRules", with(none("DescribeRules", "Rules"), "a forward without target group",
			result("DescribeRules", "<Rules><member><RuleArn>"+rule+"</RuleArn><Actions><member><Type>forward</Type></member></Actions></member></Rules>")),
			func(ctx context.Context, r *elb.Router) error { _, err := r.Read(ctx, []string{rule}); return err }},
		"health": {"DescribeTargetHealth", with(noHealth, "a target without health",
			result("DescribeTargetHealth", "<TargetHealthDescriptions><member><Target><Id>i-1</Id></Target></member></TargetHealthDescriptions>")),
			func(ctx context.Context, r *elb.Router) error { return health(ctx, r, blue) }},
		"a target group": {"DescribeTargetGroups", none("DescribeTargetGroups", "TargetGroups"),
			func(ctx context.Context, r *elb.Router) error { _, err := r.GroupInfo(ctx, []string{blue}); return err }},
		"the deregistration delay": {"DescribeTargetGroupAttributes", with(none("DescribeTargetGroupAttributes", "Attributes"), "other attributes",
			result("DescribeTargetGroupAttributes", "<Attributes><member><Key>stickiness.enabled</Key><Value>false</Value></member></Attributes>")),
			func(ctx context.Context, r *elb.Router) error {
				_, err := r.LongestDelay(ctx, []string{blue})
				return err
			}},
		"the listeners of a target group": {"DescribeListeners", none("DescribeListeners", "Listeners"), usedBlue},
		"the rules of a target group": {"DescribeRules", with(none("DescribeRules", "Rules"), "a list that ends early", result("DescribeRules", ruleBody+"</Rules>")),
			usedBlue},
	}
}

func usedBlue(ctx context.Context, r *elb.Router) error {
	found, err := r.References(ctx, []string{blue})
	if err == nil && len(found) != 2 {
		return fmt.Errorf("%d references of a target group with 2", len(found))
	}
	return err
}

// An answer of 200 that leaves out what was asked for proves nothing: what is missing from it is
// read again, and is an error if it stays missing, but never counts as deleted or as empty.
func TestRouter_incompleteAnswers(t *testing.T) {
	for name, c := range incompleteCases() {
		for kind, body := range c.bodies {
			t.Run(strings.ReplaceAll(name+"/"+kind, " ", "_"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					once, _ := pair(leavingOut(c.action, body, 1), elb.Options{MaxAttempts: 1})
					if err := c.read(t.Context(), once); err != nil {
						t.Errorf("after one incomplete answer: %v", err)
					}
					always, _ := pair(leavingOut(c.action, body, 1000), elb.Options{MaxAttempts: 1})
					err := c.read(t.Context(), always)
					call, named := errors.AsType[*elb.CallError](err)
					if !errors.Is(err, traffic.ErrIncomplete) || errors.Is(err, traffic.ErrNotFound) || !named || !strings.HasSuffix(call.Action, c.action) {
						t.Errorf("after incomplete answers for ever: %v", err)
					}
				})
			})
		}
	}
}

func TestRouter_incompleteAnswersEndWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		forward, _ := pair(leavingOut("DescribeListeners", "", 1000), elb.Options{MaxAttempts: 1})
		_, err := forward.Read(ctx, []string{listener})
		if took := time.Since(began); !errors.Is(err, traffic.ErrIncomplete) || took > time.Second {
			t.Errorf("got %v after %s", err, took)
		}
	})
}

// A group without targets is an answer, not a missing one.
func TestRouter_noTargetsIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forward, _ := pair(&wire{answer: func(int, *http.Request) (*http.Response, error) { return noTargets() }}, elb.Options{MaxAttempts: 1})
		found, err := forward.Health(t.Context(), []string{blue})
		if err != nil || len(found[blue].Targets) != 0 {
			t.Errorf("got %v, %v", found, err)
		}
	})
}

// One route of several that the answer leaves out is read again without the others.
func TestReader_incompleteAnswerForOneRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forward, _ := pair(leavingOut("DescribeListeners", result("DescribeListeners", listenerBody), 1000), elb.Options{MaxAttempts: 1})
		r := elb.NewReader(forward)
		if _, err := r.Read(t.Context(), []string{listener}); err != nil {
			t.Error(err)
		}
		_, err := r.Read(t.Context(), []string{listener, listener + "1"})
		if call, named := errors.AsType[*elb.CallError](err); !named || call.ARN != listener+"1" || !errors.Is(err, traffic.ErrIncomplete) {
			t.Errorf("got %v", err)
		}
	})
}

// A listener that is deleted between two calls, as a destroy does at the same time, is no error:
// the target group no longer says that it is in use.
func TestRouter_referencesOfDeletedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		groups := 0
		forward, _ := pair(&wire{answer: func(_ int, req *http.Request) (*http.Response, error) {
			if err := req.ParseForm(); err != nil {
				return nil, err
			}
			if req.PostForm.Get("Action") == "DescribeListeners" {
				return reply(http.StatusOK, result("DescribeListeners", "<Listeners/>"))
			}
			if groups++; groups == 1 {
				return reply(http.StatusOK, result("DescribeTargetGroups", groupBody()))
			}
			return reply(http.StatusOK, result("DescribeTargetGroups",
				"<TargetGroups><member><TargetGroupArn>"+blue+"</TargetGroupArn><LoadBalancerArns/></member></TargetGroups>"))
		}}, elb.Options{MaxAttempts: 1})
		found, err := forward.References(t.Context(), []string{blue})
		if err != nil || len(found) != 0 {
			t.Errorf("got %v, %v", found, err)
		}
	})
}
