package elbv2

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const maxRules = 100

type ruleShape struct {
	RuleArn    string
	Priority   string
	Conditions wire.List[condition]
	Actions    wire.List[action]
	IsDefault  bool
}

type rulesResult struct {
	Rules      wire.List[ruleShape]
	NextMarker string `xml:",omitempty"`
}

func showRule(r *rule) ruleShape {
	out := ruleShape{RuleArn: r.arn, Priority: strconv.Itoa(r.priority), Conditions: wire.List[condition]{Members: r.conditions}, Actions: wire.List[action]{Members: r.actions}, IsDefault: r.isDefault()}
	if r.isDefault() {
		out.Priority = "default"
	}
	return out
}

func newRulesResult(rules ...*rule) rulesResult {
	return rulesResult{Rules: wire.List[ruleShape]{Members: mapTo(rules, showRule)}}
}

// ruleARN returns an ARN for a new rule of a listener.
func ruleARN(l *listener) string {
	return strings.Replace(l.arn, ":listener/", ":listener-rule/", 1) + "/" + newID()
}

func createRule(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	if err := c.Require("Priority", "Conditions", "Actions"); err != nil {
		return nil, err
	}
	if c.state.balancers[l.balancer].kind == network {
		return nil, wire.BadRequest("InvalidConfigurationRequest", "Rules of network load balancers are not simulated here")
	}
	r := &rule{arn: ruleARN(l), listener: l.arn, region: c.region}
	if err := c.readPriority(r); err != nil {
		return nil, err
	}
	if c.Has("Transforms") {
		return nil, transformsError()
	}
	if r.conditions, err = readConditions(c.Structs("Conditions")); err != nil {
		return nil, err
	}
	b := c.state.balancers[l.balancer]
	reader := actionReader{state: c.state, balancer: b, protocol: l.protocol, omitLoneWeight: c.service.opts.OmitLoneWeight}
	if r.actions, err = reader.read(c.Structs("Actions")); err != nil {
		return nil, err
	}
	r.created = groupsOf(r.actions)
	if err := c.countRules(b); err != nil {
		return nil, err
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	r.seq = c.state.nextSeq()
	c.state.rules[r.arn] = r
	c.setTags(r.arn, tags)
	return newRulesResult(r), nil
}

func transformsError() error {
	return wire.BadRequest("InvalidConfigurationRequest", "Rule transforms are not simulated here")
}

func (c *call) readPriority(r *rule) error {
	priority, err := c.Number("Priority", 1, 50000)
	if err != nil {
		return err
	}
	r.priority = *priority
	for _, o := range c.state.rulesOf(r.listener) {
		if o.priority == r.priority {
			return wire.BadRequest("PriorityInUse", "Priority '%d' is currently in use", r.priority)
		}
	}
	return nil
}

func (c *call) countRules(b *balancer) error {
	n := 0
	for _, r := range c.state.rules {
		if !r.isDefault() && c.state.balancerOf(r) == b {
			n++
		}
	}
	if n >= maxRules {
		return wire.BadRequest("TooManyRules", "You've reached the limit on the number of rules per load balancer: '%d'", maxRules)
	}
	return nil
}

// rule returns the rule with this ARN.
func (c *call) rule(arn string) (*rule, error) {
	if !strings.HasPrefix(resourceOf(arn), "listener-rule/") {
		return nil, wire.ValidationError("'%s' is not a valid listener rule ARN", arn)
	}
	r := c.state.rules[arn]
	if r == nil || r.region != c.region {
		return nil, wire.BadRequest("RuleNotFound", "One or more rules not found")
	}
	return r, nil
}

// modifyRule replaces the conditions, the actions or both, each list as a whole.
func modifyRule(c *call) (any, error) {
	if err := c.Require("RuleArn"); err != nil {
		return nil, err
	}
	r, err := c.rule(c.Text("RuleArn"))
	if err != nil {
		return nil, err
	}
	if r.isDefault() {
		return nil, wire.BadRequest("OperationNotPermitted", "Default rule '%s' cannot be modified", r.arn)
	}
	if c.Has("Transforms") {
		return nil, transformsError()
	}
	if !c.Has("Conditions") && !c.Has("Actions") && !c.Has("ResetTransforms") {
		return nil, wire.ValidationError("Either conditions or actions must be specified")
	}
	changed := *r
	if c.Has("Conditions") {
		if changed.conditions, err = readConditions(c.Structs("Conditions")); err != nil {
			return nil, err
		}
	}
	if c.Has("Actions") {
		l := c.state.listeners[r.listener]
		reader := actionReader{state: c.state, balancer: c.state.balancers[l.balancer], protocol: l.protocol, replaced: r.actions, omitLoneWeight: c.service.opts.OmitLoneWeight}
		if changed.actions, err = reader.read(c.Structs("Actions")); err != nil {
			return nil, err
		}
	}
	c.state.rules[r.arn] = &changed
	return newRulesResult(&changed), nil
}

func describeRules(c *call) (any, error) {
	arns := c.List("RuleArns")
	if c.Has("ListenerArn") == (len(arns) > 0) {
		return nil, wire.ValidationError("You must specify either listener rule ARNs or a listener ARN")
	}
	if err := checkDescribeCount(len(arns), "listener rules"); err != nil {
		return nil, err
	}
	var matched []*rule
	if len(arns) == 0 {
		l, err := c.listener()
		if err != nil {
			return nil, err
		}
		matched = c.state.rulesOf(l.arn)
	}
	for i, arn := range arns {
		r, err := c.rule(arn)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(arns[:i], arn) {
			matched = append(matched, r)
		}
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	out := newRulesResult(page...)
	out.NextMarker = next
	return out, nil
}

func deleteRule(c *call) (any, error) {
	if err := c.Require("RuleArn"); err != nil {
		return nil, err
	}
	r, err := c.rule(c.Text("RuleArn"))
	if err != nil {
		return nil, err
	}
	if r.isDefault() {
		return nil, wire.BadRequest("OperationNotPermitted", "Default rule '%s' cannot be deleted", r.arn)
	}
	delete(c.state.rules, r.arn)
	delete(c.state.tags, r.arn)
	return wire.Empty{}, nil
}

// setRulePriorities changes all the priorities or none, which allows two rules to swap theirs.
func setRulePriorities(c *call) (any, error) {
	elements := c.Structs("RulePriorities")
	if len(elements) == 0 {
		return nil, wire.ValidationError("At least one rule priority must be specified")
	}
	var moved []*rule
	for _, p := range elements {
		if err := p.Require("RuleArn", "Priority"); err != nil {
			return nil, err
		}
		r, err := c.rule(p.Text("RuleArn"))
		if err != nil {
			return nil, err
		}
		if r.isDefault() {
			return nil, wire.BadRequest("OperationNotPermitted", "The priority of default rule '%s' cannot be changed", r.arn)
		}
		priority, err := p.Number("Priority", 1, 50000)
		if err != nil {
			return nil, err
		}
		changed := *r
		changed.priority = *priority
		c.state.rules[r.arn] = &changed
		moved = append(moved, &changed)
	}
	for _, r := range moved {
		for _, o := range c.state.rulesOf(r.listener) {
			if o.arn != r.arn && o.priority == r.priority {
				return nil, wire.BadRequest("PriorityInUse", "Priority '%d' is currently in use", r.priority)
			}
		}
	}
	return newRulesResult(moved...), nil
}
