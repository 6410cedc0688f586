package cloudwatch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxRuleParts = 500
	maxChildren  = 100
)

type compositeAlarmSettings struct {
	AlarmRule                        string
	ActionsSuppressor                *string `json:",omitempty"`
	ActionsSuppressorWaitPeriod      *int    `json:",omitempty"`
	ActionsSuppressorExtensionPeriod *int    `json:",omitempty"`
}

type putCompositeAlarmInput struct {
	alarmSettings
	compositeAlarmSettings
}

// putCompositeAlarm stores a new or changed alarm and evaluates it immediately.
func putCompositeAlarm(c *call, in putCompositeAlarmInput) error {
	if err := in.check(); err != nil {
		return err
	}
	if in.AlarmRule == "" {
		return wire.MissingParameter("alarmRule")
	}
	if len(in.AlarmRule) > 10240 {
		return tooLong("alarmRule", 10240)
	}
	rule, err := parseRule(in.AlarmRule)
	if err != nil {
		return wire.ValidationError("AlarmRule is not valid: %v.", err)
	}
	children := rule.children()
	if len(children) > maxChildren {
		return wire.ValidationError("AlarmRule must not name more than %d alarms: it names %d.", maxChildren, len(children))
	}
	for _, name := range children {
		if c.alarms[alarmKey{c.region, name}] == nil && name != in.AlarmName {
			return wire.ValidationError("Could not save the composite alarm as alarm %s in the alarm rule does not exist.", name)
		}
	}
	_, known := c.alarms[alarmKey{c.region, in.AlarmName}]
	a := &alarm{kind: compositeAlarm, common: in.alarmSettings, composite: &in.compositeAlarmSettings, rule: rule}
	if err := c.save(a); err != nil {
		return err
	}
	done := map[bool]string{false: "created", true: "updated"}[known]
	state := c.ruleState(a)
	c.setState(a, transition{state: state, reason: a.status.AlarmArn + " was " + done + " and its alarm rule evaluates to " + state, data: c.triggers(a, children), at: c.now})
	return nil
}

// propagate evaluates the composite alarms that depend on an alarm whose state has changed. setState continues
// with their parents. As with AWS, evaluation stops where a rule leads back to an alarm in the chain.
func (cw *Service) propagate(child *alarm, at time.Time) {
	for _, parent := range cw.parents(child) {
		state := cw.ruleState(parent)
		if state == parent.status.StateValue || slices.Contains(cw.chain, parent.key) {
			continue
		}
		reason := child.status.AlarmArn + " transitioned to " + child.status.StateValue + " at " + at.UTC().Format("Monday 02 January, 2006 15:04:05 UTC")
		cw.setState(parent, transition{state: state, reason: reason, data: cw.triggers(parent, []string{child.key.name}), at: at})
	}
}

func (cw *Service) ruleState(a *alarm) string {
	if a.rule.evaluate(func(name string) string { return cw.stateOf(a.key.region, name) }) {
		return stateAlarm
	}
	return stateOK
}

func (cw *Service) stateOf(region, name string) string {
	if a := cw.alarms[alarmKey{region, name}]; a != nil {
		return a.status.StateValue
	}
	return ""
}

// triggers returns the alarms that decided, in the form of StateReasonData.
func (cw *Service) triggers(a *alarm, names []string) *string {
	type triggerState struct {
		Value     string `json:"value"`
		Timestamp string `json:"timestamp"`
	}
	type trigger struct {
		ARN   string       `json:"arn"`
		State triggerState `json:"state"`
	}
	out := []trigger{}
	for _, name := range names {
		if child := cw.alarms[alarmKey{a.key.region, name}]; child != nil {
			out = append(out, trigger{child.status.AlarmArn, triggerState{child.status.StateValue, child.status.StateUpdatedTimestamp.Format(reasonTime)}})
		}
	}
	text, err := json.Marshal(map[string][]trigger{"triggeringAlarms": out})
	if err != nil {
		return nil // cannot happen: strings only
	}
	return new(string(text))
}

// rulePart is a node of a rule: a test of an alarm's state, a constant, or an operator with its operands.
type rulePart struct {
	op    string // AND, OR, NOT, TRUE, FALSE, "" for a test
	parts []rulePart
	state string
	alarm string // name
}

func (r rulePart) evaluate(stateOf func(name string) string) bool {
	part := func(p rulePart) bool { return p.evaluate(stateOf) }
	switch r.op {
	case "AND":
		return !slices.ContainsFunc(r.parts, func(p rulePart) bool { return !part(p) })
	case "OR":
		return slices.ContainsFunc(r.parts, part)
	case "NOT":
		return !part(r.parts[0])
	case "TRUE", "FALSE":
		return r.op == "TRUE"
	}
	return stateOf(r.alarm) == r.state
}

// children returns the names of the alarms in a rule, in the order of their first occurrence.
func (r rulePart) children() []string {
	var out []string
	if r.alarm != "" {
		out = append(out, r.alarm)
	}
	for _, p := range r.parts {
		for _, name := range p.children() {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// ruleParser parses the tokens of a rule from left to right. A test of a state is one token.
type ruleParser struct{ tokens []string }

func parseRule(text string) (rulePart, error) {
	token := regexp.MustCompile(`^(?i:((ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*("[^"]+"|[^()"]+?)\s*\))|(AND|OR|NOT|TRUE|FALSE)\b|[()])`)
	p := &ruleParser{}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		next := token.FindString(rest)
		if next == "" {
			return rulePart{}, fmt.Errorf("%q is not expected", rest)
		}
		p.tokens = append(p.tokens, next)
		rest = rest[len(next):]
	}
	if len(p.tokens) > maxRuleParts {
		return rulePart{}, fmt.Errorf("it has %d elements, and %d are allowed", len(p.tokens), maxRuleParts)
	}
	out, err := p.operator("OR", func() (rulePart, error) { return p.operator("AND", p.operand) })
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q is not expected", p.tokens[0])
	}
	return out, err
}

func (p *ruleParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return strings.ToUpper(p.tokens[0])
}

// operator parses operands that are joined by an operator.
func (p *ruleParser) operator(word string, part func() (rulePart, error)) (rulePart, error) {
	first, err := part()
	out := rulePart{op: word, parts: []rulePart{first}}
	for err == nil && p.peek() == word {
		p.tokens = p.tokens[1:]
		var next rulePart
		next, err = part()
		out.parts = append(out.parts, next)
	}
	if len(out.parts) == 1 {
		return first, err
	}
	return out, err
}

func (p *ruleParser) operand() (rulePart, error) {
	word := p.peek()
	if word == "" {
		return rulePart{}, fmt.Errorf("it ends too early")
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	switch word {
	case "TRUE", "FALSE":
		return rulePart{op: word}, nil
	case "NOT":
		inner, err := p.operand()
		return rulePart{op: "NOT", parts: []rulePart{inner}}, err
	case "(":
		inner, err := p.operator("OR", func() (rulePart, error) { return p.operator("AND", p.operand) })
		if err == nil && p.peek() != ")" {
			err = fmt.Errorf("a closing parenthesis is missing")
		}
		if err == nil {
			p.tokens = p.tokens[1:]
		}
		return inner, err
	case ")", "AND", "OR":
		return rulePart{}, fmt.Errorf("%q is not expected", token)
	}
	state, name, _ := strings.Cut(strings.TrimSuffix(token, ")"), "(")
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if _, after, isARN := strings.Cut(name, ":alarm:"); isARN {
		name = after
	}
	return rulePart{state: strings.ToUpper(strings.TrimSpace(state)), alarm: name}, nil
}
