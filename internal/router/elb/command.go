package elb

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
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
	quoted, err := awscall.Argument(actions)
	if err != nil {
		return "", err
	}
	if a.Kind == Rule {
		return fmt.Sprintf("aws elbv2 modify-rule --region %s --rule-arn %s --actions %s", a.Region, route, quoted), nil
	}
	return fmt.Sprintf("aws elbv2 modify-listener --region %s --listener-arn %s --default-actions %s", a.Region, route, quoted), nil
}
