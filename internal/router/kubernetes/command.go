package kubernetes

import (
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Command returns the command of kubectl that does what Write would do, for somebody who moves the traffic
// without Terraform. Its write has no resourceVersion. It changes nothing where another rule, by its name or by the
// requests that it is for, is in the place of the route's by now. It returns the errors of Write from before the first request.
func Command(id string, want traffic.State) (string, error) {
	route, err := ParseRoute(id)
	if err != nil {
		return "", err
	}
	w := writing{route: route}
	var ok bool
	if w.known, ok = want.Raw.(*raw); !ok || w.known == nil || w.known.Route != id {
		return "", fmt.Errorf("%w: it was not read from this route", ErrInvalid)
	}
	if want.Response == "" {
		if w.weights, err = sharesIn(route, want, w.known); err != nil {
			return "", err
		}
	}
	patch, err := w.operations()
	if err != nil {
		return "", err
	}
	quoted := strings.ReplaceAll(string(patch), "'", `'\''`)
	return fmt.Sprintf("kubectl patch %s %s --namespace %s --type json --patch '%s'", route.Kind.info().name(), route.Name, route.Namespace, quoted), nil
}
