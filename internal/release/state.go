// Package release decides what a change of a switch does, and what is remembered of it
// from one apply to the next. Desired is what the configuration wants, Prior what earlier
// applies left. Plan decides without calls; Apply.Finish turns the result of the engine
// into what is true now; Observe does the same for what a refresh reads.
//
// It knows no Terraform types: null and unknown values end where Desired and State are
// decoded. Nothing in it makes a call.
package release

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// State is the recorded state of a switch. Weights have an entry for every environment,
// also for those at 0.
type State struct {
	Routes       []traffic.Route        // by entry point
	Environments map[string]Environment // nil: just imported
	Weights      shift.Weights          // mean of the routes when last read
	Schedule     string                 // of the last apply; empty: the next plan shows one
	Stable       Stable
	Live         Identity
	Previous     Identity
	Rejected     *shift.Rejection
	LastShift    *LastShift
	Retry        string
}

// Stable is what the last completed shift left. Its Weights are nil where there was none.
type Stable struct {
	Weights  shift.Weights
	Versions map[string]string // of the environments that had one
}

// Identity is an environment with its version. The zero Identity is none.
type Identity struct{ Environment, Version string }

// LastShift is how the last shift ended.
type LastShift struct {
	Outcome           Outcome
	Reason            string // empty where it completed
	From, To          shift.Weights
	Started, Finished time.Time
	Report            string // the path of its page; empty: there is none
}

// Environment is one copy of production.
type Environment struct {
	Groups         map[string]string // by entry point, as far as they are known
	GroupsUnknown  bool
	Version        string // empty: none
	VersionUnknown bool
	// Inline reports that it is listed in the switch itself, so that Terraform does not
	// order its removal after the shift.
	Inline        bool
	InlineUnknown bool
}

// groupsID identifies the groups as a whole; empty while they are unknown.
func (e Environment) groupsID() string {
	if e.GroupsUnknown {
		return ""
	}
	return groupsID(e.Groups)
}

func (e Environment) has(group string) bool {
	return slices.Contains(slices.Collect(maps.Values(e.Groups)), group)
}

// groupsID returns equal text for equal groups by entry point.
func groupsID(groups map[string]string) string {
	var parts []string
	for _, entry := range slices.Sorted(maps.Keys(groups)) {
		parts = append(parts, entry+"="+groups[entry])
	}
	return strings.Join(parts, ",")
}

// sameGroups reports whether the groups are equal for every entry point that both have,
// and there is at least one.
func sameGroups(a, b map[string]string) bool {
	common := 0
	for entry, group := range a {
		other, ok := b[entry]
		if ok && other != group {
			return false
		}
		if ok {
			common++
		}
	}
	return common > 0
}

// groupsOf returns the groups of each environment by entry point.
func groupsOf(environments map[string]Environment) map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, e := range environments {
		all[name] = e.Groups
	}
	return all
}

// withNames returns weights with an entry for each of the names.
func withNames(w shift.Weights, names []string) shift.Weights {
	all := shift.Weights{}
	for _, name := range append(w.Names(), names...) {
		all[name] = w[name]
	}
	return all
}
