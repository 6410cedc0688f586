package elb

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// condition is a condition of a rule. Equal conditions are equal values.
type condition struct {
	field string // ELB's name, such as "path-pattern"
	value string // what it matches
}

// testFields are the conditions of test rules. Cookies are matched as a header.
var testFields = []string{"http-header", "query-string", "source-ip"}

func (c condition) isForTests() bool { return slices.Contains(testFields, c.field) }

func conditionsOf(all []types.RuleCondition) []condition {
	var found []condition
	for _, c := range all {
		found = append(found, condition{aws.ToString(c.Field), conditionValue(c)})
	}
	return found
}

// ruleLabel names a rule by its priority and by the hosts and paths that it matches.
func ruleLabel(rule types.Rule) string {
	label := "rule " + aws.ToString(rule.Priority)
	var matches []string
	for _, c := range rule.Conditions {
		name, known := map[string]string{"host-header": "host", "path-pattern": "path"}[aws.ToString(c.Field)]
		if _, values, _ := strings.Cut(conditionValue(c), "\n"); known {
			matches = append(matches, name+" "+strings.ReplaceAll(values, "\n", ", "))
		}
	}
	if matches != nil {
		label += " (" + strings.Join(matches, "; ") + ")"
	}
	return label
}

// conditionValue returns what a condition matches, in whichever form the API returned it.
func conditionValue(c types.RuleCondition) string {
	values := slices.Clone(c.Values)
	head := ""
	switch {
	case c.HostHeaderConfig != nil:
		values = append(values, c.HostHeaderConfig.Values...)
		values = append(values, c.HostHeaderConfig.RegexValues...)
	case c.PathPatternConfig != nil:
		values = append(values, c.PathPatternConfig.Values...)
		values = append(values, c.PathPatternConfig.RegexValues...)
	case c.HttpHeaderConfig != nil:
		head = strings.ToLower(aws.ToString(c.HttpHeaderConfig.HttpHeaderName))
		values = append(values, c.HttpHeaderConfig.Values...)
		values = append(values, c.HttpHeaderConfig.RegexValues...)
	case c.HttpRequestMethodConfig != nil:
		values = append(values, c.HttpRequestMethodConfig.Values...)
	case c.SourceIpConfig != nil:
		values = append(values, c.SourceIpConfig.Values...)
	case c.QueryStringConfig != nil:
		for _, pair := range c.QueryStringConfig.Values {
			values = append(values, aws.ToString(pair.Key)+"="+aws.ToString(pair.Value))
		}
	}
	slices.Sort(values)
	return head + "\n" + strings.Join(slices.Compact(values), "\n")
}
