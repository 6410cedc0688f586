package elb

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// narrowFields are the conditions that test rules have. Cookies are matched as a header.
var narrowFields = []string{"http-header", "query-string", "source-ip"}

// isNarrow reports whether a rule matches headers, cookies, query strings or source addresses.
func isNarrow(all []types.RuleCondition) bool {
	return slices.ContainsFunc(all, func(c types.RuleCondition) bool { return slices.Contains(narrowFields, aws.ToString(c.Field)) })
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
