package elb

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Command returns the command of the AWS command line that does what Write would do, for
// somebody who moves the traffic without Terraform. It returns the errors of Write from
// before the call.
func Command(route string, want traffic.State) (string, error) {
	a, err := ParseRoute(route)
	if err != nil {
		return "", err
	}
	actions, err := actionsFor(route, want)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(actions)
	if err != nil {
		return "", err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return "", err
	}
	if text, err = json.Marshal(withoutEmpty(plain)); err != nil {
		return "", err
	}
	quoted := "'" + strings.ReplaceAll(string(text), "'", `'\''`) + "'"
	if a.Kind == Rule {
		return fmt.Sprintf("aws elbv2 modify-rule --region %s --rule-arn %s --actions %s", a.Region, route, quoted), nil
	}
	return fmt.Sprintf("aws elbv2 modify-listener --region %s --listener-arn %s --default-actions %s", a.Region, route, quoted), nil
}

// withoutEmpty removes members that are not set: the command line refuses null.
func withoutEmpty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, x any) bool { return x == nil || x == "" })
		for key, x := range v {
			v[key] = withoutEmpty(x)
		}
	case []any:
		for i, x := range v {
			v[i] = withoutEmpty(x)
		}
	}
	return value
}
