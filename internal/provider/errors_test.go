package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
)

// applyError is something that goes wrong at an apply, and what is told of it.
type applyError struct {
	prepare func(s *site, h *hcl)
	want    func(s *site) string
}

// notThere are routes and groups that cannot be what is written.
func notThere() map[string]applyError {
	return map[string]applyError{
		"listener not found": {
			func(s *site, h *hcl) { h.routes = strings.ReplaceAll(h.routes, s.listener, s.gone()) },
			func(s *site) string {
				return fmt.Sprintf("Where the traffic is now could not be read. Nothing was moved.\n\n"+
					"There is no listener %[2]s.\n\nCheck its ARN, region and account included, or take it out of the switch.\n\n"+
					"ARN: %[1]s\nCause: elasticloadbalancing:DescribeListeners of listener %[2]s: ListenerNotFound: One or more listeners not found",
					s.gone(), tail(s.gone(), ":listener/"))
			},
		},
		"rule not found": {
			func(s *site, h *hcl) { h.routes = strings.ReplaceAll(h.routes, s.listener, s.goneRule()) },
			func(s *site) string {
				return fmt.Sprintf("Where the traffic is now could not be read. Nothing was moved.\n\n"+
					"There is no listener rule %[2]s.\n\nCheck its ARN, region and account included, or take it out of the switch.\n\n"+
					"ARN: %[1]s\nCause: elasticloadbalancing:DescribeRules of listener rule %[2]s: RuleNotFound: One or more rules not found",
					s.goneRule(), tail(s.goneRule(), ":listener-rule/"))
			},
		},
		"group not found": {
			func(_ *site, h *hcl) { h.environments += environment("teal", "1", goneGroup) },
			func(*site) string {
				return "Nothing was moved.\n\nThere is no target group gone.\n\nCheck its ARN, region and account included, or take it out of the switch.\n\n" +
					"ARN: " + goneGroup + "\nCause: elasticloadbalancing:DescribeTargetGroups of target group gone: TargetGroupNotFound: One or more target groups not found"
			},
		},
		"group of another balancer": {
			func(s *site, h *hcl) { h.environments += environment("teal", "1", s.elsewhere()) },
			func(s *site) string {
				group, has := s.elsewhereIs()
				return fmt.Sprintf("Nothing was moved.\n\nThe target group elsewhere belongs to another load balancer, and a target group can belong to one only.\n\n"+
					"Take a target group that belongs to none or to the load balancer of the routes.\n\n"+
					"Target group: %s\nIts load balancer: %s\nThe routes': %s", group, has, s.balancer)
			},
		},
	}
}

// refusedCalls are answers of AWS that end an apply.
func refusedCalls() map[string]applyError {
	return map[string]applyError{
		"access denied": {
			func(s *site, _ *hcl) { s.refuse("ModifyListener", "", 0) },
			func(s *site) string {
				return fmt.Sprintf("The traffic is now: blue 100 %%. It is where it was before.\n\n"+
					"AWS denied access: the credentials lack the IAM action elasticloadbalancing:ModifyListener.\n\n"+
					"Allow it to them, and apply again.\n\n"+
					"Route: %[1]s\nIAM action: elasticloadbalancing:ModifyListener\n"+
					"Cause: elasticloadbalancing:ModifyListener of listener %[2]s: AccessDenied: User: arn:aws:iam::123456789012:user/local is not authorized to perform: "+
					"elasticloadbalancing:ModifyListener because no identity-based policy allows the elasticloadbalancing:ModifyListener action",
					s.listener, tail(s.listener, ":listener/"))
			},
		},
		"expired credentials": {
			func(s *site, _ *hcl) { s.srv.Inject(localalb.Fault{Kind: localalb.ExpiredToken}) },
			func(*site) string {
				return "Nothing was moved.\n\nAWS took the credentials for expired or unknown.\n\nGet new credentials, and apply again.\n\n" +
					"Cause: elasticloadbalancing:DescribeTargetGroups: ExpiredToken: The security token included in the request is expired"
			},
		},
		"throttling that outlasts the retries": {
			func(s *site, h *hcl) {
				h.aws = "max_attempts = 2"
				s.srv.Inject(localalb.Fault{Kind: localalb.Throttle})
			},
			func(*site) string {
				return "Nothing was moved.\n\nAWS throttled the calls for longer than they were tried again.\n\n" +
					"Apply again later. More tries are allowed by aws.max_attempts of the provider.\n\n" +
					"Cause: elasticloadbalancing:DescribeTargetGroups: ThrottlingException: Rate exceeded"
			},
		},
		"server errors that outlast the retries": {
			func(s *site, h *hcl) {
				h.aws = "max_attempts = 2"
				s.srv.Inject(localalb.Fault{Kind: localalb.ServerError})
			},
			func(*site) string {
				return "Nothing was moved.\n\nA call of AWS failed.\n\nApply again; if it comes again, the cause says why.\n\nCause: elasticloadbalancing:DescribeTargetGroups: InternalFailure: " +
					"The request processing has failed because of an unknown error, exception or failure."
			},
		},
	}
}

// notServing are routes and environments that cannot take part.
func notServing() map[string]applyError {
	return map[string]applyError{
		"redirect": {
			func(s *site, _ *hcl) { s.hand(s.listener, redirect()) },
			func(s *site) string {
				return fmt.Sprintf("The traffic is now: redirect 301 to #{protocol}://example.com:#{port}/#{path}?#{query}. Nothing was moved.\n\n"+
					"The route does not forward to target groups: redirect 301 to #{protocol}://example.com:#{port}/#{path}?#{query}.\n\n"+
					"Let it forward to a target group, or take it out of load_balancer.routes. Only a fixed 5xx response is taken over, when the switch is created or when the route joins it.\n\n"+
					"Route: %s", s.listener)
			},
		},
		"never healthy": {
			func(s *site, h *hcl) {
				h.environments += environment("teal", "1", s.group("empty"))
				h.traffic, h.health = `active = "teal"`, "\n steady_for = \"0s\"\n timeout = \"3s\""
			},
			func(*site) string {
				return "The traffic is now: blue 100 %. It is where it was before.\n\n" +
					"The side that is to receive traffic was not healthy: teal (web) has no targets, after 3s.\n\n" +
					"See why its targets are not healthy, and apply again. The reasons of the load balancer stand in brackets.\n\n" +
					"Step: health before the first weight"
			},
		},
		"variable of a gate not set": {
			func(_ *site, h *hcl) {
				h.gates = httpGate(`headers_env = { Authorization = "BLUEGREEN_TEST_UNSET" }`, "")
			},
			func(*site) string {
				return "Nothing was moved.\n\nThe gate \"smoke\" cannot be asked.\n\nSet the environment variable where Terraform runs, and apply again.\n\n" +
					`Cause: headers_env["Authorization"]: the environment variable is not set: BLUEGREEN_TEST_UNSET`
			},
		},
	}
}

// What goes wrong at an apply is told as a whole: where the traffic is, what
// was seen, what to do, and the cause.
func TestSwitch_errorsOfACreate(t *testing.T) {
	t.Parallel()
	all := notThere()
	maps.Copy(all, refusedCalls())
	maps.Copy(all, notServing())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			h := s.release("green")
			c.prepare(s, &h)
			w.write(h.in(s.bench))
			w.apply().fails("Unable to shift traffic of web", c.want(s))
			if v := w.values(); v != nil {
				t.Errorf("there is state: %v", v)
			}
		})
	}
}

const goneGroup = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/73e2d6bc24d8a067"

// tail is what stands behind a mark.
func tail(text, mark string) string {
	_, after, _ := strings.Cut(text, mark)
	return after
}

// gone is the ARN of a listener that there is not.
func (s *site) gone() string {
	return s.listener[:strings.LastIndex(s.listener, "/")] + "/0000000000000000"
}

func (s *site) goneRule() string {
	return strings.Replace(s.listener, ":listener/", ":listener-rule/", 1) + "/0000000000000000"
}

// elsewhere makes a target group that another load balancer forwards to.
func (s *site) elsewhere() string {
	s.t.Helper()
	group, mine := s.group("elsewhere"), s.balancer
	s.balancer = s.loadBalancer("other")
	s.listen(forward(weights{group: 1}))
	s.balancer = mine
	return group
}

// elsewhereIs returns that group, and its load balancer.
func (s *site) elsewhereIs() (group, balancer string) {
	s.t.Helper()
	out, err := s.api.DescribeTargetGroups(s.t.Context(), &elbv2.DescribeTargetGroupsInput{Names: []string{"elsewhere"}})
	s.must(err)
	return *out.TargetGroups[0].TargetGroupArn, out.TargetGroups[0].LoadBalancerArns[0]
}

func TestSwitch_errorsOfARefresh(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	remove := s.refuse("DescribeListeners", "", 0)
	w.plan().fails("Unable to read traffic of web", fmt.Sprintf("Nothing was moved. Where the traffic is now could not be read.\n\n"+
		"AWS denied access: the credentials lack the IAM action elasticloadbalancing:DescribeListeners.\n\nAllow it to them, and apply again.\n\n"+
		"IAM action: elasticloadbalancing:DescribeListeners\nCause: elasticloadbalancing:DescribeListeners of listener %s: AccessDenied: "+
		"User: arn:aws:iam::123456789012:user/local is not authorized to perform: elasticloadbalancing:DescribeListeners because no "+
		"identity-based policy allows the elasticloadbalancing:DescribeListeners action", tail(s.listener, ":listener/")))
	remove()
	w.plan().ok()
}

// A switch whose routes are all gone is gone; where one of several is, an apply
// names it.
func TestSwitch_routesThatAreGone(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	_, err := s.api.DeleteRule(t.Context(), &elbv2.DeleteRuleInput{RuleArn: &s.secondRule})
	s.must(err)
	w.write(s.release("green").in(s.bench))
	s.unwritten(func() {
		r := w.apply()
		if r.err == nil || !strings.Contains(r.text(), "There is no listener rule "+tail(s.secondRule, ":listener-rule/")) {
			t.Error(r.text())
		}
	})
	_, err = s.api.DeleteListener(t.Context(), &elbv2.DeleteListenerInput{ListenerArn: &s.listener})
	s.must(err)
	w.plan().ok()
	if _, action := w.planned(); action != "create" {
		t.Errorf("the plan is %s", action)
	}
}

// A way back that is refused says where the traffic is, and the state does.
func TestSwitch_rollbackThatFailsSaysWhereTheTrafficIs(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(500)
	s.srv.Inject(localalb.Fault{Action: "ModifyListener", Kind: localalb.AccessDenied, Skip: 1})
	w.write(s.guarded("green").in(s.bench))
	r := w.apply()
	s.want("app-blue 95, app-green 5")
	if r.err == nil || !strings.HasPrefix(r.errors[0].Detail, "The traffic is now: blue 95 %, green 5 %. It could not be moved back everywhere.\n\nThe gate \"smoke\" failed: ") ||
		!strings.Contains(r.errors[0].Detail, "\nWay back: elasticloadbalancing:ModifyListener of listener ") {
		t.Error(r.text())
	}
	if got := fmt.Sprint(w.values()["weights"]); got != "map[blue:95 green:5]" {
		t.Error(got)
	}
}

func TestSwitch_accountThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	h.aws = `allowed_account_ids = ["999999999999"]`
	w.write(h.in(s.bench))
	s.unwritten(func() {
		w.apply().fails("Unable to shift traffic of web", "Nothing was moved.\n\nThe credentials are for an account that may not be changed.\n\n"+
			"Use other credentials, or add the account to aws.allowed_account_ids of the provider.\n\n"+
			"Cause: the account is not among allowed_account_ids: 123456789012")
	})
}
