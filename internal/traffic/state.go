package traffic

import (
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// State is the forwarding behavior of one route.
type State struct {
	// Weights by group id, including groups at weight 0. Nil where the route does not
	// forward. A single group has weight 1 where the router reports none.
	Weights map[string]int
	// Stickiness is the duration of group stickiness; 0 is off.
	Stickiness time.Duration
	// Response describes a route that does not forward, such as "fixed response 503"
	// or "redirect 301". Empty where it forwards.
	Response string
	// FixedError reports whether the response is a fixed 5xx, which a Create may
	// replace.
	FixedError bool
	// Label names the route for people, such as "listener :443" or "rule 10 (host
	// app.example.com)"; empty where the router has no such name. It is not compared.
	Label string
	// Cached is how long clients may keep an answer of before a write, such as the TTL of a DNS
	// record; 0: not at all. It is not compared.
	Cached time.Duration
	// Fresh reports that the router knows that a read is not older than the last write of this
	// process that the API accepted: what it shows besides that write was changed since. False
	// where it may be older. It is not compared.
	Fresh bool `json:"-"`
	// Raw is the state in the router's own form, from which Write preserves the rest
	// of the route. A state with a Response is written from Raw only.
	Raw any
}

// Equal reports whether two states are the same to a load balancer: the same groups,
// also at weight 0, the same shares to a tenth of a percent, stickiness and response.
func (s State) Equal(other State) bool {
	if s.Response != other.Response || s.Stickiness != other.Stickiness || len(s.Weights) != len(other.Weights) {
		return false
	}
	for group := range s.Weights {
		if _, attached := other.Weights[group]; !attached {
			return false
		}
	}
	return shift.FromRaw(s.Weights).Equal(shift.FromRaw(other.Weights))
}

// EqualTraffic reports whether both send the same shares to the same groups. It ignores
// groups at weight 0 and stickiness.
func (s State) EqualTraffic(other State) bool {
	return s.trafficOnly().Equal(other.trafficOnly())
}

// IsReset reports whether the state is what another resource leaves that manages the route: one
// group alone, without stickiness. hashicorp/aws writes that where ignore_changes is missing. Between
// two environments, a shift, rollback or command of this provider leaves the others attached at weight
// 0, or the stickiness on. Only detach_idle ends with one group, which a record says before.
func (s State) IsReset() bool { return len(s.Weights) == 1 && s.Stickiness == 0 }

func (s State) trafficOnly() State {
	only := State{Response: s.Response}
	for group, n := range s.Weights {
		if n > 0 {
			if only.Weights == nil {
				only.Weights = map[string]int{}
			}
			only.Weights[group] = n
		}
	}
	return only
}

// Groups returns the attached groups, sorted.
func (s State) Groups() []string { return slices.Sorted(maps.Keys(s.Weights)) }

// Backend is a group of an environment behind an entry point.
type Backend struct {
	Entry       string
	Environment string
	Version     string // of the environment; empty: none
	Group       string
	Routes      []string // ids of routes that the group belongs to
}
