package gate

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// OnNoData is what missing data counts as: a status, by default Inconclusive.
type OnNoData rollout.Status

// check validates the argument.
func (o OnNoData) check(argument string) []*ArgumentError {
	switch rollout.Status(o) {
	case "", rollout.Pass, rollout.Fail, rollout.Inconclusive:
		return nil
	}
	return []*ArgumentError{invalid(argument, "%q is not inconclusive, pass or fail", string(o))}
}

// verdict is the verdict without data. It names the argument where that decides.
func (o OnNoData) verdict(argument, detail string) rollout.Verdict {
	switch status := rollout.Status(o); status {
	case rollout.Pass, rollout.Fail:
		return rollout.Verdict{Status: status, Detail: fmt.Sprintf("%s (%s = %q)", detail, argument, status)}
	default:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: detail}
	}
}
