package kubernetes

import "slices"

// raw is the Raw value of a traffic.State: what the part of the object was. It is never changed, so copies of a
// traffic.State may share it.
type raw struct {
	Route string         `json:"route"`
	Index int            `json:"index"`
	Match any            `json:"match,omitempty"` // of the rule: which requests it is for
	Refs  []any          `json:"refs,omitempty"`
	Field map[string]any `json:"selector,omitempty"`
}

// has reports whether the place had a backend.
func (k *raw) has(route Route, group string) bool {
	return slices.ContainsFunc(k.Refs, func(x any) bool {
		ref, _ := x.(map[string]any)
		return groupOf(route, ref) == group
	})
}

// weightsOf returns the weights of the backends that are a group.
func (k *raw) weightsOf(route Route, group string) (weights []int, sum int) {
	for _, x := range k.Refs {
		if ref, _ := x.(map[string]any); groupOf(route, ref) == group {
			n := weightOf(route, ref, len(k.Refs))
			weights, sum = append(weights, n), sum+n
		}
	}
	return weights, sum
}

// divided returns the weights of the backends that are a group now, which are to have a weight together: those that
// they had where they had that weight; otherwise the first one has it all.
func (k *raw) divided(known *raw, route Route, group string, weight int) []int {
	now, _ := k.weightsOf(route, group)
	if had, sum := known.weightsOf(route, group); sum == weight && len(had) == len(now) {
		return had
	}
	weights := make([]int, len(now))
	if len(now) > 0 {
		weights[0] = weight
	}
	return weights
}

// weights returns the weights of the groups that have some.
func (k *raw) weights(route Route) map[string]int {
	weights := map[string]int{}
	if route.Kind == Service {
		if len(k.Field) > 0 {
			weights[selectorGroup(route, k.Field)] = allTraffic
		}
		return weights
	}
	for _, x := range k.Refs {
		ref, _ := x.(map[string]any)
		if n := weightOf(route, ref, len(k.Refs)); n > 0 {
			weights[groupOf(route, ref)] += n
		}
	}
	return weights
}
