package elb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	maxGroups = 5   // in one action
	maxWeight = 999 // the largest weight that the API accepts
	minSticky = time.Second
	maxSticky = 7 * 24 * time.Hour
)

// Limits returns what an Application Load Balancer can express. It checks the health of
// a target group only while an action has it; weight 0 is enough.
func Limits() traffic.Limits {
	return traffic.Limits{Groups: maxGroups, Weight: maxWeight, AttachesIdle: true, MinSticky: minSticky, MaxSticky: maxSticky}
}

// NetworkLimits returns what a Network Load Balancer can express. Weights apply to new connections:
// open ones stay with their target. Group stickiness, where it is on, has no duration and stays as
// it is.
func NetworkLimits() traffic.Limits {
	limits := Limits()
	limits.MinSticky, limits.MaxSticky = 0, 0
	return limits
}

// LimitsOf returns the limits of a route.
func LimitsOf(route string) traffic.Limits {
	if IsNetwork(route) {
		return NetworkLimits()
	}
	return Limits()
}

// raw is the Raw value of a traffic.State: the actions of a route as they were read. They are
// never changed, so copies of a traffic.State may share them.
type raw struct {
	route   string
	actions []types.Action
}

// String prints no actions, because they may contain names and IDs of an identity provider.
func (k *raw) String() string { return "the actions of " + k.route }

// stateOf returns what a list of actions does with a request. It accepts every form in which
// ELB returns a single target group: by its ARN, by a forward configuration with or without a
// weight, or by both.
func stateOf(route string, actions []types.Action) traffic.State {
	s := traffic.State{Raw: &raw{route, slices.Clone(actions)}}
	i := routing(actions)
	if i < 0 {
		s.Response = "unknown action"
		return s
	}
	switch a := actions[i]; a.Type {
	case types.ActionTypeEnumFixedResponse:
		code := ""
		if a.FixedResponseConfig != nil {
			code = aws.ToString(a.FixedResponseConfig.StatusCode)
		}
		s.Response, s.FixedError = "fixed response "+code, strings.HasPrefix(code, "5")
	case types.ActionTypeEnumRedirect:
		s.Response = redirectText(a.RedirectConfig)
	default:
		s.Weights, s.Stickiness = weightsOf(a), stickyOf(a.ForwardConfig)
	}
	return s
}

// isComplete reports whether actions of an answer say what a route does: every route has at least
// one action, and a forward has a target group.
func isComplete(actions []types.Action) bool {
	i := routing(actions)
	return len(actions) > 0 && (i < 0 || actions[i].Type != types.ActionTypeEnumForward || len(weightsOf(actions[i])) > 0)
}

// routing returns the index of the action that routes requests, of which there is exactly one,
// or -1 where its type is unknown. Other actions (authenticate-*, jwt-validation) only admit or
// reject a request.
func routing(actions []types.Action) int {
	return slices.IndexFunc(actions, func(a types.Action) bool {
		return a.Type == types.ActionTypeEnumForward || a.Type == types.ActionTypeEnumRedirect ||
			a.Type == types.ActionTypeEnumFixedResponse
	})
}

func weightsOf(forward types.Action) map[string]int {
	weights := map[string]int{}
	if c := forward.ForwardConfig; c != nil {
		for _, g := range c.TargetGroups {
			weight := int32(1)
			if g.Weight != nil {
				weight = *g.Weight
			}
			weights[aws.ToString(g.TargetGroupArn)] = int(weight)
		}
	}
	if group := aws.ToString(forward.TargetGroupArn); len(weights) == 0 && group != "" {
		weights[group] = 1
	}
	return weights
}

func stickyOf(c *types.ForwardActionConfig) time.Duration {
	if c == nil || c.TargetGroupStickinessConfig == nil || !aws.ToBool(c.TargetGroupStickinessConfig.Enabled) {
		return 0
	}
	return time.Duration(aws.ToInt32(c.TargetGroupStickinessConfig.DurationSeconds)) * time.Second
}

// redirectText describes a redirect. ELB writes parts that are taken from the request as #{...}.
func redirectText(c *types.RedirectActionConfig) string {
	if c == nil {
		return "redirect"
	}
	or := func(text *string, otherwise string) string {
		if text == nil {
			return otherwise
		}
		return *text
	}
	url := fmt.Sprintf("%s://%s:%s%s", strings.ToLower(or(c.Protocol, "#{protocol}")), or(c.Host, "#{host}"),
		or(c.Port, "#{port}"), or(c.Path, "/#{path}"))
	if query := or(c.Query, "#{query}"); query != "" {
		url += "?" + query
	}
	return fmt.Sprintf("redirect %s to %s", strings.TrimPrefix(string(c.StatusCode), "HTTP_"), url)
}

// actionsFor returns the complete list of actions for the desired state: those of Raw with the
// routing action replaced. It returns ErrInvalid where the API would refuse it.
func actionsFor(route string, want traffic.State) ([]types.Action, error) {
	k, ok := want.Raw.(*raw)
	if !ok || k.route != route {
		return nil, fmt.Errorf("%w: its Raw value was not read from %s", ErrInvalid, displayARN(route))
	}
	actions := forResending(k.actions)
	if want.Response != "" {
		if was := stateOf(route, k.actions); was.Response != want.Response {
			return nil, fmt.Errorf("%w: %s did not respond with %q", ErrInvalid, displayARN(route), want.Response)
		}
		return actions, nil
	}
	if err := check(want, LimitsOf(route)); err != nil {
		return nil, err
	}
	i := routing(actions)
	if i < 0 {
		return nil, fmt.Errorf("%w: %s has no action to replace", ErrInvalid, displayARN(route))
	}
	was := actions[i]
	actions[i] = forward(want, was)
	if IsNetwork(route) {
		actions[i].ForwardConfig.TargetGroupStickinessConfig = networkStickiness(was.ForwardConfig)
	}
	return actions, nil
}

// check returns ErrInvalid for what the API cannot express or is known to refuse.
func check(want traffic.State, limits traffic.Limits) error {
	if n := len(want.Weights); n == 0 || n > limits.Groups {
		return fmt.Errorf("%w: %d target groups, 1 to %d are allowed", ErrInvalid, n, limits.Groups)
	}
	for _, group := range want.Groups() {
		if n := want.Weights[group]; n < 0 || n > limits.Weight {
			return fmt.Errorf("%w: %s has weight %d, 0 to %d is allowed", ErrInvalid, displayARN(group), n, limits.Weight)
		}
		if _, err := ParseGroup(group); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if limits.MaxSticky == 0 && want.Stickiness != 0 {
		return fmt.Errorf("%w: stickiness of %s, a Network Load Balancer has no duration of it", ErrInvalid, want.Stickiness)
	}
	if want.Stickiness < 0 || want.Stickiness > maxSticky || want.Stickiness%time.Second != 0 {
		return fmt.Errorf("%w: stickiness of %s, whole seconds up to 7 days are allowed", ErrInvalid, want.Stickiness)
	}
	return nil
}

// forward replaces a routing action and keeps its order.
func forward(want traffic.State, was types.Action) types.Action {
	config := &types.ForwardActionConfig{TargetGroupStickinessConfig: stickiness(want.Stickiness, was.ForwardConfig)}
	for _, group := range slices.Sorted(maps.Keys(want.Weights)) {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{
			TargetGroupArn: new(group),
			Weight:         new(int32(want.Weights[group])),
		})
	}
	return types.Action{Type: types.ActionTypeEnumForward, Order: was.Order, ForwardConfig: config}
}

// stickiness keeps a disabled stickiness as it was read, because another Terraform plan may
// compare its duration.
func stickiness(want time.Duration, was *types.ForwardActionConfig) *types.TargetGroupStickinessConfig {
	if want > 0 {
		return &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(want / time.Second))}
	}
	if was != nil && was.TargetGroupStickinessConfig != nil && stickyOf(was) == 0 {
		return was.TargetGroupStickinessConfig
	}
	return &types.TargetGroupStickinessConfig{Enabled: new(false)}
}

// networkStickiness is what a listener of a Network Load Balancer is sent: stickiness as it was
// read, without a duration, which the API refuses.
func networkStickiness(was *types.ForwardActionConfig) *types.TargetGroupStickinessConfig {
	if was == nil || was.TargetGroupStickinessConfig == nil {
		return nil
	}
	return &types.TargetGroupStickinessConfig{Enabled: was.TargetGroupStickinessConfig.Enabled}
}

// isSticky reports whether group stickiness is on, with or without a duration.
func isSticky(actions []types.Action) bool {
	return slices.ContainsFunc(actions, func(a types.Action) bool {
		c := a.ForwardConfig
		return c != nil && c.TargetGroupStickinessConfig != nil && aws.ToBool(c.TargetGroupStickinessConfig.Enabled)
	})
}

// forResending copies actions so that they can be sent again. The API returns no
// client secret, and accepts an authenticate-oidc action without one only with
// UseExistingClientSecret.
func forResending(actions []types.Action) []types.Action {
	list := slices.Clone(actions)
	for i, a := range list {
		if a.AuthenticateOidcConfig != nil {
			oidc := *a.AuthenticateOidcConfig
			oidc.ClientSecret, oidc.UseExistingClientSecret = nil, new(true)
			list[i].AuthenticateOidcConfig = &oidc
		}
	}
	return list
}
