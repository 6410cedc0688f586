package elbv2

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	forwardType  = "forward"
	redirectType = "redirect"
	fixedType    = "fixed-response"
	oidcType     = "authenticate-oidc"
	cognitoType  = "authenticate-cognito"
	jwtType      = "jwt-validation"

	maxGroupsPerAction = 5
)

// action is an action of a listener or rule in the form of Describe calls. Secrets are unexported and never encoded.
type action struct {
	Type                      string
	AuthenticateOidcConfig    *oidcConfig     `xml:",omitempty"`
	AuthenticateCognitoConfig *cognitoConfig  `xml:",omitempty"`
	JwtValidationConfig       *jwtConfig      `xml:",omitempty"`
	Order                     *int            `xml:",omitempty"`
	TargetGroupArn            string          `xml:",omitempty"`
	RedirectConfig            *redirectConfig `xml:",omitempty"`
	FixedResponseConfig       *fixedConfig    `xml:",omitempty"`
	ForwardConfig             *forwardConfig  `xml:",omitempty"`
}

type forwardConfig struct {
	TargetGroups                wire.List[groupTuple]
	TargetGroupStickinessConfig stickiness
}

type groupTuple struct {
	TargetGroupArn string
	Weight         *int `xml:",omitempty"`
}

// share returns the weight for the data plane. A single target group without a weight gets all requests.
func (g groupTuple) share() int {
	if g.Weight == nil {
		return 1
	}
	return *g.Weight
}

// Weights returns the weights of the forward action of a listener or rule, by target group; nil where it does not exist
// or does not forward. A target group that is alone has at least 1.
func (s *Service) Weights(arn string) map[string]int {
	now := s.current.Load()
	if l := now.listeners[arn]; l != nil {
		arn = l.defaultRule
	}
	r := now.rules[arn]
	if r == nil {
		return nil
	}
	for _, a := range r.actions {
		if a.ForwardConfig == nil {
			continue
		}
		out := map[string]int{}
		for _, g := range a.ForwardConfig.TargetGroups.Members {
			out[g.TargetGroupArn] = g.share()
		}
		if len(out) == 1 {
			for group, n := range out {
				out[group] = max(n, 1)
			}
		}
		return out
	}
	return nil
}

type stickiness struct {
	Enabled         bool
	DurationSeconds *int `xml:",omitempty"`
}

type redirectConfig struct {
	Protocol   string
	Port       string
	Host       string
	Path       string
	Query      string
	StatusCode string
}

type fixedConfig struct {
	MessageBody *string `xml:",omitempty"`
	StatusCode  string
	ContentType *string `xml:",omitempty"`
}

// groupsOf returns the ARNs of all target groups in a list of actions.
func groupsOf(actions []action) []string {
	var out []string
	for _, a := range actions {
		if a.ForwardConfig == nil {
			continue
		}
		for _, g := range a.ForwardConfig.TargetGroups.Members {
			out = append(out, g.TargetGroupArn)
		}
	}
	return out
}

// actionReader parses the actions of one listener or rule and validates them against the state.
type actionReader struct {
	state          *state
	balancer       *balancer
	protocol       string   // of the listener
	replaced       []action // the replaced actions, which hold the existing client secrets
	omitLoneWeight bool
}

// read parses and validates a complete list of actions, which replaces the previous list.
func (ar actionReader) read(elements []wire.Params) ([]action, error) {
	var out []action
	for _, p := range elements {
		a, err := ar.readAction(p)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	if err := ar.checkOrder(out); err != nil {
		return nil, err
	}
	if err := ar.checkGroups(out); err != nil {
		return nil, err
	}
	return out, nil
}

func (ar actionReader) readAction(p wire.Params) (action, error) {
	if err := p.Require("Type"); err != nil {
		return action{}, err
	}
	kind, err := p.OneOf("Type", forwardType, oidcType, cognitoType, redirectType, fixedType, jwtType)
	if err != nil {
		return action{}, err
	}
	order, err := p.Number("Order", 1, 50000)
	if err != nil {
		return action{}, err
	}
	a := action{Type: kind, Order: order}
	switch kind {
	case forwardType:
		err = ar.forward(p, &a)
	case redirectType:
		a.RedirectConfig, err = readRedirect(p, ar.protocol)
	case fixedType:
		a.FixedResponseConfig, err = readFixed(p)
	default:
		err = ar.authenticate(p, &a)
	}
	if err != nil {
		return a, err
	}
	return a, ar.checkNetworkAction(a)
}

// checkOrder requires exactly one routing action, in the last position, and distinct orders.
func (ar actionReader) checkOrder(actions []action) error {
	if len(actions) == 0 {
		return wire.ValidationError("An action must be specified")
	}
	if len(actions) > 1 {
		seen := map[int]bool{}
		for _, a := range actions {
			if a.Order == nil {
				return wire.ValidationError("An action order must be specified for each action when there is more than one action")
			}
			if seen[*a.Order] {
				return wire.ValidationError("Action order '%d' is used by more than one action", *a.Order)
			}
			seen[*a.Order] = true
		}
	}
	slices.SortStableFunc(actions, func(a, b action) int { return cmp.Compare(orderOf(a), orderOf(b)) })
	routing, auths := 0, 0
	for _, a := range actions {
		if isRouting(a) {
			routing++
			continue
		}
		auths++
	}
	if routing != 1 {
		return wire.BadRequest("InvalidLoadBalancerAction", "You must specify exactly one action of type 'forward', 'redirect' or 'fixed-response'")
	}
	if auths > 1 {
		return wire.BadRequest("TooManyActions", "You can specify at most one authentication action")
	}
	if !isRouting(actions[len(actions)-1]) {
		return wire.BadRequest("InvalidLoadBalancerAction", "The last action must be of type 'forward', 'redirect' or 'fixed-response'")
	}
	return nil
}

func isRouting(a action) bool {
	return a.Type == forwardType || a.Type == redirectType || a.Type == fixedType
}

func orderOf(a action) int {
	if a.Order == nil {
		return 0
	}
	return *a.Order
}

// forward parses both forms of a forward action and stores the form of Describe calls.
func (ar actionReader) forward(p wire.Params, a *action) error {
	lone := p.Text("TargetGroupArn")
	cfg, given := p.Structure("ForwardConfig")
	var tuples []groupTuple
	if given {
		var err error
		if tuples, err = readTuples(cfg); err != nil {
			return err
		}
	}
	switch {
	case lone == "" && len(tuples) == 0:
		return wire.ValidationError("A target group ARN must be specified")
	case len(tuples) == 0:
		tuples = []groupTuple{{TargetGroupArn: lone}}
	case lone != "" && (len(tuples) > 1 || tuples[0].TargetGroupArn != lone):
		return wire.BadRequest("InvalidLoadBalancerAction", "If you specify both ForwardConfig and TargetGroupArn, ForwardConfig must name that one target group alone")
	}
	sticky, err := readStickiness(cfg)
	if err != nil {
		return err
	}
	if len(tuples) == 1 {
		a.TargetGroupArn = tuples[0].TargetGroupArn
		ar.loneWeight(&tuples[0])
	}
	// AWS guarantees no order. Sort by the ID in the ARN: stable, and different from the order sent.
	slices.SortFunc(tuples, func(x, y groupTuple) int { return cmp.Compare(lastPart(x.TargetGroupArn), lastPart(y.TargetGroupArn)) })
	a.ForwardConfig = &forwardConfig{TargetGroups: wire.List[groupTuple]{Members: tuples}, TargetGroupStickinessConfig: sticky}
	return nil
}

// loneWeight sets or removes the weight of a single target group, as Options.OmitLoneWeight requires.
func (ar actionReader) loneWeight(g *groupTuple) {
	if ar.omitLoneWeight && g.share() != 0 {
		g.Weight = nil
		return
	}
	if g.Weight == nil {
		g.Weight = new(1)
	}
}

func lastPart(arn string) string {
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

func readTuples(cfg wire.Params) ([]groupTuple, error) {
	elements := cfg.Structs("TargetGroups")
	if len(elements) == 0 {
		return nil, wire.ValidationError("At least one target group must be specified in ForwardConfig")
	}
	if len(elements) > maxGroupsPerAction {
		return nil, wire.BadRequest("TooManyTargetGroups", "You cannot specify more than '%d' target groups in a single action", maxGroupsPerAction)
	}
	var out []groupTuple
	for _, p := range elements {
		if err := p.Require("TargetGroupArn"); err != nil {
			return nil, err
		}
		arn := p.Text("TargetGroupArn")
		if slices.ContainsFunc(out, func(g groupTuple) bool { return g.TargetGroupArn == arn }) {
			return nil, wire.BadRequest("InvalidLoadBalancerAction", "Target group '%s' is specified more than once", arn)
		}
		weight, err := p.Number("Weight", 0, 999)
		if err != nil || (weight == nil && len(elements) > 1) {
			return nil, wire.ValidationError("The weight for each target group must be between 0 and 999, inclusive")
		}
		out = append(out, groupTuple{TargetGroupArn: arn, Weight: weight})
	}
	return out, nil
}

func readStickiness(cfg wire.Params) (stickiness, error) {
	p, given := cfg.Structure("TargetGroupStickinessConfig")
	if !given {
		return stickiness{}, nil
	}
	enabled, err := p.Flag("Enabled")
	if err != nil {
		return stickiness{}, err
	}
	duration, err := p.Number("DurationSeconds", 1, 604800)
	if err != nil {
		return stickiness{}, wire.ValidationError("Target group stickiness duration must be between 1 and 604800 seconds, inclusive")
	}
	s := stickiness{Enabled: enabled != nil && *enabled, DurationSeconds: duration}
	if s.Enabled && duration == nil {
		return stickiness{}, wire.ValidationError("Target group stickiness duration must be specified when target group stickiness is enabled")
	}
	return s, nil
}
