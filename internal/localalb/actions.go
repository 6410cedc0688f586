package localalb

import (
	"cmp"
	"slices"
	"strings"
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

// action is an action of a listener or rule, kept as Describe calls show it. Secrets have no XML name.
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
	TargetGroups                list[groupTuple]
	TargetGroupStickinessConfig stickiness
}

type groupTuple struct {
	TargetGroupArn string
	Weight         *int `xml:",omitempty"`
}

// share is the weight that the data plane uses. A lone group without a weight takes everything.
func (g groupTuple) share() int {
	if g.Weight == nil {
		return 1
	}
	return *g.Weight
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

// groupsOf is every group that a list of actions names.
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

// actionReader reads a list of actions for one listener and checks it against all that the state holds.
type actionReader struct {
	state    *state
	balancer *balancer
	protocol string   // of the listener
	before   []action // what the list replaces: the source of secrets that are kept
	bareLone bool
}

// read decodes and checks a whole list: a list that is given replaces the old one entirely.
func (ar actionReader) read(elements []params) ([]action, error) {
	var out []action
	for _, p := range elements {
		a, err := ar.one(p)
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

func (ar actionReader) one(p params) (action, error) {
	if err := p.need("Type"); err != nil {
		return action{}, err
	}
	kind, err := p.oneOf("Type", forwardType, oidcType, cognitoType, redirectType, fixedType, jwtType)
	if err != nil {
		return action{}, err
	}
	order, err := p.number("Order", 1, 50000)
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
	return a, err
}

// checkOrder holds the list to one routing action, which must be the last one, and to orders that differ.
func (ar actionReader) checkOrder(actions []action) error {
	if len(actions) == 0 {
		return invalid("An action must be specified")
	}
	if len(actions) > 1 {
		seen := map[int]bool{}
		for _, a := range actions {
			if a.Order == nil {
				return invalid("An action order must be specified for each action when there is more than one action")
			}
			if seen[*a.Order] {
				return invalid("Action order '%d' is used by more than one action", *a.Order)
			}
			seen[*a.Order] = true
		}
	}
	slices.SortStableFunc(actions, func(a, b action) int { return cmp.Compare(orderOf(a), orderOf(b)) })
	routing, gates := 0, 0
	for _, a := range actions {
		if isRouting(a) {
			routing++
			continue
		}
		gates++
	}
	if routing != 1 {
		return refuse("InvalidLoadBalancerAction", "You must specify exactly one action of type 'forward', 'redirect' or 'fixed-response'")
	}
	if gates > 1 {
		return refuse("TooManyActions", "You can specify at most one authentication action")
	}
	if !isRouting(actions[len(actions)-1]) {
		return refuse("InvalidLoadBalancerAction", "The last action must be of type 'forward', 'redirect' or 'fixed-response'")
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

// forward reads both ways of writing a forward action and keeps the one that Describe calls show.
func (ar actionReader) forward(p params, a *action) error {
	lone := p.text("TargetGroupArn")
	cfg, given := p.inside("ForwardConfig")
	var tuples []groupTuple
	if given {
		var err error
		if tuples, err = readTuples(cfg); err != nil {
			return err
		}
	}
	switch {
	case lone == "" && len(tuples) == 0:
		return invalid("A target group ARN must be specified")
	case len(tuples) == 0:
		tuples = []groupTuple{{TargetGroupArn: lone}}
	case lone != "" && (len(tuples) > 1 || tuples[0].TargetGroupArn != lone):
		return refuse("InvalidLoadBalancerAction", "If you specify both ForwardConfig and TargetGroupArn, ForwardConfig must name that one target group alone")
	}
	sticky, err := readStickiness(cfg)
	if err != nil {
		return err
	}
	if len(tuples) == 1 {
		a.TargetGroupArn = tuples[0].TargetGroupArn
		ar.loneWeight(&tuples[0])
	}
	// AWS promises no order: the ids in the ARNs give one that is stable and is not the order sent.
	slices.SortFunc(tuples, func(x, y groupTuple) int { return cmp.Compare(lastPart(x.TargetGroupArn), lastPart(y.TargetGroupArn)) })
	a.ForwardConfig = &forwardConfig{TargetGroups: list[groupTuple]{tuples}, TargetGroupStickinessConfig: sticky}
	return nil
}

// loneWeight shows the weight of a lone group as this server was told to.
func (ar actionReader) loneWeight(g *groupTuple) {
	if ar.bareLone && g.share() != 0 {
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

func readTuples(cfg params) ([]groupTuple, error) {
	elements := cfg.structs("TargetGroups")
	if len(elements) == 0 {
		return nil, invalid("At least one target group must be specified in ForwardConfig")
	}
	if len(elements) > maxGroupsPerAction {
		return nil, refuse("TooManyTargetGroups", "You cannot specify more than '%d' target groups in a single action", maxGroupsPerAction)
	}
	var out []groupTuple
	for _, p := range elements {
		if err := p.need("TargetGroupArn"); err != nil {
			return nil, err
		}
		arn := p.text("TargetGroupArn")
		if slices.ContainsFunc(out, func(g groupTuple) bool { return g.TargetGroupArn == arn }) {
			return nil, refuse("InvalidLoadBalancerAction", "Target group '%s' is specified more than once", arn)
		}
		weight, err := p.number("Weight", 0, 999)
		if err != nil || (weight == nil && len(elements) > 1) {
			return nil, invalid("The weight for each target group must be between 0 and 999, inclusive")
		}
		out = append(out, groupTuple{TargetGroupArn: arn, Weight: weight})
	}
	return out, nil
}

func readStickiness(cfg params) (stickiness, error) {
	p, given := cfg.inside("TargetGroupStickinessConfig")
	if !given {
		return stickiness{}, nil
	}
	enabled, err := p.flag("Enabled")
	if err != nil {
		return stickiness{}, err
	}
	duration, err := p.number("DurationSeconds", 1, 604800)
	if err != nil {
		return stickiness{}, invalid("Target group stickiness duration must be between 1 and 604800 seconds, inclusive")
	}
	s := stickiness{Enabled: enabled != nil && *enabled, DurationSeconds: duration}
	if s.Enabled && duration == nil {
		return stickiness{}, invalid("Target group stickiness duration must be specified when target group stickiness is enabled")
	}
	return s, nil
}
