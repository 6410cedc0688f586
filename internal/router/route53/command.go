package route53

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Command returns the command of the AWS command line that writes a state to a route, for somebody
// who moves the traffic without Terraform. It overwrites the record sets with those of want.Raw and the
// desired weights. It returns the errors of Write from before the call.
func Command(route string, want traffic.State) (string, error) {
	parsed, err := ParseRoute(route)
	if err != nil {
		return "", err
	}
	k, weights, err := target(parsed, want)
	if err != nil {
		return "", err
	}
	w := &write{route: parsed, raw: k, weights: weights}
	batch, err := awscall.Argument(map[string]any{"Changes": w.upserts()})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("aws route53 change-resource-record-sets --hosted-zone-id %s --change-batch %s", parsed.Zone, batch), nil
}
