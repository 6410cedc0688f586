package elb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func tuple(group string, weight *int32) types.TargetGroupTuple {
	return types.TargetGroupTuple{TargetGroupArn: &group, Weight: weight}
}

func forwardTo(sticky *types.TargetGroupStickinessConfig, tuples ...types.TargetGroupTuple) types.Action {
	return types.Action{
		Type:          types.ActionTypeEnumForward,
		ForwardConfig: &types.ForwardActionConfig{TargetGroups: tuples, TargetGroupStickinessConfig: sticky},
	}
}

// TestRouter_readsEveryActionShape covers every form in which ELB returns an action.
func TestRouter_readsEveryActionShape(t *testing.T) {
	off := &types.TargetGroupStickinessConfig{Enabled: new(false), DurationSeconds: new(int32(3600))}
	on := &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(3600))}
	both := forwardTo(off, tuple(blue, nil))
	both.TargetGroupArn = new(blue)
	lone := map[string]int{blue: 1}
	tests := []struct {
		name    string
		actions []types.Action
		want    traffic.State
	}{
		{"a lone group by its ARN", []types.Action{toOne(blue)}, traffic.State{Weights: lone}},
		{"by its ARN and a configuration", []types.Action{both}, traffic.State{Weights: lone}},
		{"by a configuration without weight", []types.Action{forwardTo(nil, tuple(blue, nil))}, traffic.State{Weights: lone}},
		{"a lone group with a weight of its own", []types.Action{forwardTo(nil, tuple(blue, new(int32(7))))}, traffic.State{Weights: map[string]int{blue: 7}}},
		{"two groups in one order", []types.Action{forwardTo(off, tuple(blue, new(int32(90))), tuple(green, new(int32(10))))}, traffic.State{Weights: map[string]int{blue: 90, green: 10}}},
		{"and in the other", []types.Action{forwardTo(nil, tuple(green, new(int32(10))), tuple(blue, new(int32(90))))}, traffic.State{Weights: map[string]int{blue: 90, green: 10}}},
		{"a weight of 0", []types.Action{forwardTo(nil, tuple(blue, new(int32(1))), tuple(green, new(int32(0))))}, traffic.State{Weights: map[string]int{blue: 1, green: 0}}},
		{"stickiness", []types.Action{forwardTo(on, tuple(blue, nil))}, traffic.State{Weights: lone, Stickiness: time.Hour}},
		{"behind a login", inOrder(login(), toOne(blue)), traffic.State{Weights: lone}},
		{"before a login in the list", []types.Action{inOrder(login(), toOne(blue))[1], login()}, traffic.State{Weights: lone}},
		{"a fixed 503", []types.Action{fixed("503")}, traffic.State{Response: "fixed response 503", FixedError: true}},
		{"a fixed 404", []types.Action{fixed("404")}, traffic.State{Response: "fixed response 404"}},
		{"a fixed 200", inOrder(login(), fixed("200")), traffic.State{Response: "fixed response 200"}},
		{"a redirect", []types.Action{redirect()}, traffic.State{Response: "redirect 301 to https://#{host}:443/#{path}?#{query}"}},
		{"a redirect that names all", []types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
			StatusCode: types.RedirectActionStatusCodeEnumHttp302, Protocol: new("#{protocol}"), Host: new("example.com"), Port: new("#{port}"), Path: new("/new"), Query: new(""),
		}}}, traffic.State{Response: "redirect 302 to #{protocol}://example.com:#{port}/new"}},
		{"unknown action", []types.Action{{Type: "teleport"}}, traffic.State{Response: "unknown action"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read(t, router(&fake{listeners: map[string][]types.Action{listener: tt.actions}}), listener)
			if !got.Equal(tt.want) || got.FixedError != tt.want.FixedError || (got.Weights == nil) != (tt.want.Weights == nil) {
				t.Errorf("read %v %q %s, want %v %q %s", got.Weights, got.Response, got.Stickiness, tt.want.Weights, tt.want.Response, tt.want.Stickiness)
			}
			for group, n := range tt.want.Weights {
				if got.Weights[group] != n {
					t.Errorf("%s has weight %d, want %d", group, got.Weights[group], n)
				}
			}
		})
	}
}

func TestRouter_replacesOnlyTheForward(t *testing.T) {
	off := &types.TargetGroupStickinessConfig{Enabled: new(false), DurationSeconds: new(int32(60))}
	f := &fake{listeners: map[string][]types.Action{listener: inOrder(login(), forwardTo(off, tuple(blue, new(int32(1)))))}}
	r := router(f)
	s := read(t, r, listener)
	s.Weights = map[string]int{green: 5, blue: 95}
	must(t, r.Write(t.Context(), listener, s))

	oidc := login()
	oidc.Order = new(int32(10))
	oidc.AuthenticateOidcConfig.ClientSecret = nil
	oidc.AuthenticateOidcConfig.UseExistingClientSecret = new(true)
	forward := forwardTo(off, tuple(blue, new(int32(95))), tuple(green, new(int32(5))))
	forward.Order = new(int32(20))
	if got, want := text(t, f.modified), text(t, []types.Action{oidc, forward}); got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if got := f.listeners[listener][0].AuthenticateOidcConfig; got.UseExistingClientSecret != nil {
		t.Error("the actions that were read have been changed")
	}

	s.Stickiness = time.Minute
	must(t, r.Write(t.Context(), listener, s))
	forward.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(60))}
	if got, want := text(t, f.modified), text(t, []types.Action{oidc, forward}); got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
}

func TestRouter_refusesInvalidSettings(t *testing.T) {
	f := &fake{listeners: map[string][]types.Action{listener: {fixed("503")}}}
	r := router(f)
	keep := read(t, r, listener).Raw
	f.calls = nil
	for _, s := range []traffic.State{
		{Weights: map[string]int{blue: 1}},
		{Response: "fixed response 404", Raw: keep},
		{Raw: keep},
		{Weights: map[string]int{blue: 1000}, Raw: keep},
		{Weights: map[string]int{blue: 1}, Stickiness: 1500 * time.Millisecond, Raw: keep},
		{Weights: map[string]int{"blue": 1}, Raw: keep},
		{Weights: map[string]int{balancer: 1}, Raw: keep},
	} {
		err := r.Write(t.Context(), listener, s)
		if !errors.Is(err, elb.ErrInvalid) {
			t.Errorf("Write returned %v", err)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	if f.calls != nil {
		t.Errorf("it made the calls %q", f.calls)
	}
}

func TestRouter_healthByReason(t *testing.T) {
	tests := []struct {
		state  types.TargetHealthStateEnum
		reason types.TargetHealthReasonEnum
		want   traffic.TargetState
		shown  string
	}{
		{"healthy", "", traffic.Healthy, ""},
		{"initial", "Elb.RegistrationInProgress", traffic.Initial, "Elb.RegistrationInProgress"},
		{"initial", "Elb.InitialHealthChecking", traffic.Initial, "Elb.InitialHealthChecking"},
		{"unhealthy", "Target.Timeout", traffic.Unhealthy, "Target.Timeout"},
		{"unhealthy", "Elb.InternalError", traffic.Unknown, "Elb.InternalError"},
		{"unhealthy.draining", "Target.FailedHealthChecks", traffic.Draining, "Target.FailedHealthChecks"},
		{"draining", "Target.DeregistrationInProgress", traffic.Draining, "Target.DeregistrationInProgress"},
		{"unused", "Target.NotInUse", traffic.Unused, "Target.NotInUse"},
		{"unused", "Target.InvalidState", traffic.Unused, "Target.InvalidState"},
		{"unused", "Target.IpUnusable", traffic.Unused, "Target.IpUnusable"},
		{"unused", "Target.NotRegistered", traffic.Unused, "Target.NotRegistered"},
		{"unavailable", "Target.HealthCheckDisabled", traffic.Unchecked, "Target.HealthCheckDisabled"},
		{"unavailable", "Elb.InternalError", traffic.Unknown, "Elb.InternalError"},
		{"unavailable", "", traffic.Unknown, "unavailable"},
		{"confused", "", traffic.Unknown, "confused"},
	}
	f := &fake{}
	for _, tt := range tests {
		f.health = append(f.health, types.TargetHealthDescription{
			Target:       &types.TargetDescription{Id: new("i-0abc"), Port: new(int32(8080))},
			TargetHealth: &types.TargetHealth{State: tt.state, Reason: tt.reason},
		})
	}
	const function = "arn:aws:lambda:us-east-1:123456789012:function:f"
	f.health = append(f.health, types.TargetHealthDescription{
		Target: &types.TargetDescription{Id: new(function)}, TargetHealth: &types.TargetHealth{State: "healthy"},
	})
	found, err := router(f).Health(t.Context(), []string{blue})
	must(t, err)
	for i, tt := range tests {
		want := traffic.Target{ID: "i-0abc:8080", State: tt.want, Reason: tt.shown}
		if got := found[blue].Targets[i]; got != want {
			t.Errorf("%s for %s is %+v, want %+v", tt.state, tt.reason, got, want)
		}
	}
	if got := found[blue].Targets[len(tests)]; got != (traffic.Target{ID: function, State: traffic.Healthy, Function: true}) {
		t.Errorf("a function is %+v", got)
	}
}

func TestCallError_mapsCodes(t *testing.T) {
	for code, want := range map[string]error{
		"AccessDenied": traffic.ErrDenied, "AccessDeniedException": traffic.ErrDenied, "UnauthorizedOperation": traffic.ErrDenied,
		"ExpiredToken": traffic.ErrExpired, "ExpiredTokenException": traffic.ErrExpired, "InvalidClientTokenId": traffic.ErrExpired,
		"UnrecognizedClientException": traffic.ErrExpired, "RequestExpired": traffic.ErrExpired,
		"Throttling": traffic.ErrThrottled, "ThrottlingException": traffic.ErrThrottled, "RequestLimitExceeded": traffic.ErrThrottled,
		"ValidationError": nil, "InternalFailure": nil, "OperationNotPermitted": nil,
	} {
		f := &fake{err: &smithy.GenericAPIError{Code: code, Message: "no"}}
		_, err := router(f).Read(t.Context(), []string{listener})
		call, ok := errors.AsType[*elb.CallError](err)
		if !ok || call.Code != code {
			t.Errorf("Read returned %#v", err)
		}
		for _, meaning := range []error{traffic.ErrDenied, traffic.ErrExpired, traffic.ErrThrottled, traffic.ErrNotFound} {
			if errors.Is(err, meaning) != errors.Is(want, meaning) {
				t.Errorf("%s is %v: %t", code, meaning, errors.Is(err, meaning))
			}
		}
	}
}

func TestCallError_namesThePermissionToAssumeARole(t *testing.T) {
	f := &fake{err: &smithy.OperationError{
		ServiceID: elbv2.ServiceID, OperationName: "DescribeListeners",
		Err: fmt.Errorf("get identity: %w", &smithy.OperationError{
			ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "no"},
		}),
	}}
	_, err := router(f).Read(t.Context(), []string{listener})
	call, ok := errors.AsType[*elb.CallError](err)
	if !errors.Is(err, traffic.ErrDenied) || !ok || call.Action != "sts:AssumeRole" || call.ARN != "" || err.Error() != "sts:AssumeRole: AccessDenied: no" {
		t.Errorf("Read returned %v", err)
	}
}

func TestRouter_readsAllPages(t *testing.T) {
	f := &fake{page: 2, listeners: map[string][]types.Action{}, rules: map[string][]types.Rule{}}
	var routes []string
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		arn := prefix + "listener/app/web/1/" + id
		routes = append(routes, arn)
		f.listeners[arn] = []types.Action{toOne(blue)}
		for _, n := range []string{"1", "2", "3"} {
			f.rules[arn] = append(f.rules[arn], types.Rule{
				RuleArn: new(prefix + "listener-rule/app/web/1/" + id + "/" + n), Priority: &n, Actions: []types.Action{toOne(blue)},
			})
		}
	}
	r := router(f)
	found, err := r.Read(t.Context(), routes)
	if err != nil || len(found) != 5 {
		t.Errorf("Read returned %d settings, %v", len(found), err)
	}
	if len(f.calls) != 3 {
		t.Errorf("five listeners in pages of two took the calls %q", f.calls)
	}
	others, err := r.OtherRoutes(t.Context(), routes[:1], []string{blue})
	if err != nil || len(others) != 4+15 {
		t.Errorf("Elsewhere returned %d, %v", len(others), err)
	}
	facts, err := r.GroupInfo(t.Context(), []string{blue, green, prefix + "targetgroup/c/1"})
	if err != nil || len(facts) != 3 {
		t.Errorf("Facts returned %d, %v", len(facts), err)
	}
}

var _ elb.Client = (*elbv2.Client)(nil)

func TestRouter_createsOneClientPerRegion(t *testing.T) {
	asked := map[string]int{}
	f := &fake{listeners: map[string][]types.Action{listener: {toOne(blue)}}}
	r := elb.New(elb.Config{Client: func(region string) elb.Client { asked[region]++; return f }})
	if len(asked) != 0 {
		t.Error("a client was made before any call")
	}
	for range 3 {
		read(t, r, listener)
		must(t, health(t.Context(), r, blue))
	}
	if len(asked) != 1 || asked["eu-central-1"] != 1 {
		t.Errorf("clients were created for: %v", asked)
	}
	if aws.ToString(f.listeners[listener][0].TargetGroupArn) != blue {
		t.Error("reading changed what was read")
	}
}
