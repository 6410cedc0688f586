package traffic

import (
	"fmt"
	"slices"
	"strings"
)

// Health is the health of the targets of a group, as the load balancer reports it.
type Health struct {
	Targets []Target
}

// Target is one target of a group.
type Target struct {
	ID     string // unique within the group, such as "i-0abc:8080" or "10.0.0.7:80"
	State  TargetState
	Reason string // the load balancer's reason code, empty when healthy
	// Function reports whether the target is a function, which scales on its own: the number
	// of targets says nothing about capacity.
	Function bool
}

// TargetState is the state of a target, independent of the router.
type TargetState string

// The states of a target.
const (
	Healthy   TargetState = "healthy"
	Unhealthy TargetState = "unhealthy" // its health checks fail or cannot run
	Initial   TargetState = "initial"   // registered, not yet checked
	Draining  TargetState = "draining"  // deregistering; ignored
	Unused    TargetState = "unused"    // not checked: group not in use, or zone not enabled
	Unchecked TargetState = "unchecked" // health checks are disabled: counts as healthy
	Unknown   TargetState = "unknown"   // the load balancer could not determine it: not healthy, and no evidence
)

// Count returns how many targets are in the state.
func (h Health) Count(state TargetState) int {
	n := 0
	for _, t := range h.Targets {
		if t.State == state {
			n++
		}
	}
	return n
}

// Serving returns how many targets are healthy or unchecked.
func (h Health) Serving() int { return h.Count(Healthy) + h.Count(Unchecked) }

// CountsCapacity reports whether the number of targets is a measure of capacity. It is not where
// a target is a function, or where health checks are disabled.
func (h Health) CountsCapacity() bool {
	return !slices.ContainsFunc(h.Targets, func(t Target) bool { return t.Function || t.State == Unchecked })
}

// String returns a summary such as "2 of 3 targets healthy (1 unhealthy: Target.Timeout)".
func (h Health) String() string {
	text := fmt.Sprintf("%d of %d targets healthy", h.Serving(), len(h.Targets))
	count := map[string]int{}
	for _, t := range h.Targets {
		if t.State == Healthy || t.State == Unchecked {
			continue
		}
		state := string(t.State)
		if t.Reason != "" {
			state += ": " + t.Reason
		}
		count[state]++
	}
	if len(count) == 0 {
		return text
	}
	var others []string
	for state, n := range count {
		others = append(others, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(others)
	return text + " (" + strings.Join(others, ", ") + ")"
}
