package traffic

import (
	"maps"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Owners says which environment each group of an entry point belongs to. A group has
// exactly one owner per entry point: an environment that is configured comes before one
// that is leaving, and otherwise the first by name. So a group that a configured and a
// leaving environment share (one of several groups of an environment was replaced) is
// counted once. The zero Owners has no environments.
type Owners struct {
	names     map[location]string // owner by group
	groups    map[string]map[string]string
	unmanaged func(group string) string
}

// location is a group behind an entry point.
type location struct{ entry, group string }

// NewOwners returns the owners of groups. Both maps are the group of each environment by
// entry point; leaving environments are no longer configured. Unmanaged returns the name
// of a group without an owner, which must be unique within a route; nil: its id.
func NewOwners(configured, leaving map[string]map[string]string, unmanaged func(group string) string) Owners {
	o := Owners{names: map[location]string{}, groups: map[string]map[string]string{}, unmanaged: unmanaged}
	for _, environments := range []map[string]map[string]string{configured, leaving} {
		for _, name := range slices.Sorted(maps.Keys(environments)) {
			o.groups[name] = environments[name]
			for entry, group := range environments[name] {
				if at := (location{entry, group}); group != "" && o.names[at] == "" {
					o.names[at] = name
				}
			}
		}
	}
	return o
}

// Owner returns the environment that a group of the entry point belongs to, or the name
// of the unmanaged group.
func (o Owners) Owner(entry, group string) string {
	switch name := o.names[location{entry, group}]; {
	case name != "":
		return name
	case o.unmanaged != nil:
		return o.unmanaged(group)
	}
	return group
}

// Group returns the group that the environment owns behind the entry point, or the
// observed unmanaged group of that name. It is empty where there is none.
func (o Owners) Group(entry, name string, observed State) string {
	if groups, ok := o.groups[name]; ok {
		if group := groups[entry]; o.names[location{entry, group}] == name {
			return group
		}
		return ""
	}
	for _, group := range observed.Groups() {
		if o.Owner(entry, group) == name {
			return group
		}
	}
	return ""
}

// Shared reports whether the group of the environment behind the entry point belongs to
// another environment, so that it has none of its own there.
func (o Owners) Shared(entry, name string) bool {
	group := o.groups[name][entry]
	return group != "" && o.names[location{entry, group}] != name
}

// Has reports whether the name is that of an environment.
func (o Owners) Has(name string) bool {
	_, ok := o.groups[name]
	return ok
}

// Environments returns the group of each environment by entry point, as configured:
// also those that another environment owns.
func (o Owners) Environments() map[string]map[string]string { return o.groups }

// Resolve gives the shares of an environment to the owner of its group behind the entry
// point. Shares of one owner add up.
func (o Owners) Resolve(entry string, w shift.Weights) shift.Weights {
	if w == nil {
		return nil
	}
	resolved := shift.Weights{}
	for name, share := range w {
		if group := o.groups[name][entry]; group != "" {
			name = o.Owner(entry, group)
		}
		resolved[name] += share
	}
	return resolved
}

// Weights returns the weights of a state by owner. It is nil where the state does not
// forward.
func (o Owners) Weights(entry string, s State) shift.Weights {
	raw := map[string]int{}
	for group, n := range s.Weights {
		raw[o.Owner(entry, group)] += n
	}
	return shift.FromRaw(raw)
}
