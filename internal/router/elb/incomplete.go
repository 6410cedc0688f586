package elb

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// incomplete is the error for an answer that leaves out what was asked for. Only the service's
// own error says that something does not exist.
func incomplete(action, arn string) error {
	return &CallError{Action: action, ARN: arn, Err: traffic.ErrIncomplete}
}

// retryRoutes is awscall.RetryIncomplete for several routes: it reads only those again that are missing.
func retryRoutes(
	ctx context.Context, routes []string, read func([]string) (map[string]traffic.State, map[string]error),
) (map[string]traffic.State, map[string]error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	states, failed := read(routes)
	maps.Copy(found, states) // which is nil where the call failed
	maps.Copy(errs, failed)
	for _, pause := range awscall.IncompletePauses() {
		missing := slices.DeleteFunc(slices.Clone(routes), func(route string) bool { return !errors.Is(errs[route], traffic.ErrIncomplete) })
		if len(missing) == 0 || !awscall.WaitFor(ctx, pause) {
			break
		}
		for _, route := range missing {
			delete(errs, route)
		}
		states, failed = read(missing)
		maps.Copy(found, states)
		maps.Copy(errs, failed)
	}
	return found, errs
}
