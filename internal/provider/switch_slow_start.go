package provider

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// observeSlowStart reads the slow start duration of the target groups of idle environments, with one call per
// group: the schedule warns of holds that are shorter. It is not read where there are no holds. Missing
// permission is not an error.
func (s *observation) observeSlowStart(ctx context.Context, router *elb.Router) {
	s.memory.SlowStart = nil
	strategy := (&reader{}).attributes(s.model.Strategy)
	if steps, ok := strategy["steps"].(types.List); !ok || len(steps.Elements()) == 0 {
		return
	}
	now, environments := s.weights(), s.model.stateEnvironments()
	var idle []string
	for _, name := range slices.Sorted(maps.Keys(environments)) {
		if now[name] == 0 {
			idle = append(idle, slices.Sorted(maps.Values(environments[name].groups))...)
		}
	}
	found, err := router.SlowStarts(ctx, idle)
	if err != nil {
		tflog.Warn(ctx, "slow_start_not_read", map[string]any{"error": err.Error()})
	}
	if len(found) > 0 {
		s.memory.SlowStart = found
	}
}

// slowStart is the longest of an environment's target groups.
func (m memory) slowStart(e desiredEnvironment) time.Duration {
	longest := time.Duration(0)
	for _, group := range e.groups {
		longest = max(longest, m.SlowStart[group])
	}
	return longest
}
