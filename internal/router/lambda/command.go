package lambda

import (
	"encoding/json"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Command returns the command of the AWS command line that does what Write would do, for somebody who moves
// the traffic without Terraform. Its write has no RevisionId. It returns the errors of Write
// from before the call.
func Command(route string, want traffic.State) (string, error) {
	a, err := ParseRoute(route)
	if err != nil {
		return "", err
	}
	shares, err := a.shares(want)
	if err != nil {
		return "", err
	}
	known, ok := want.Raw.(*raw)
	if !ok || known == nil || known.route != route {
		return "", fmt.Errorf("%w: it was not read from this route", ErrInvalid)
	}
	next := known.routing.next(shares)
	config, err := json.Marshal(struct{ AdditionalVersionWeights map[string]float64 }{next.config().AdditionalVersionWeights})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("aws lambda update-alias --region %s --function-name %s --name %s --function-version %s --routing-config '%s'",
		a.Region, a.Of(), a.Qualifier, next.Version, config), nil
}
