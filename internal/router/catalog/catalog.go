// Package catalog has one Kind for each router: how its routes and groups are named and checked, and what a
// route can express. The provider and the command add what they need of their own.
package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Kind is one router. A new one is a file with a Kind and one line in All. Fields are required unless they
// say otherwise.
type Kind struct {
	// Block is the block of a switch with the routes, and Backends the argument of an environment with its
	// groups.
	Block, Backends string
	// Sets is the argument of an environment with those groups that are sets of labels. As a value of Backends, such
	// a set is its text, see Labels. Empty: no group is one.
	Sets string
	// Backend is what a group is called, such as "target group".
	Backend string
	// Unrecorded says that the routes have no place for the record of a shift; empty: they have.
	Unrecorded string
	// Limits is what a route can express.
	Limits traffic.Limits
	// limitsOf is what routes can express that shift together. Nil: Limits.
	limitsOf func(routes []string) traffic.Limits

	// Owns reports whether an id is one of a route or group of this router, also of a wrong kind.
	Owns func(id string) bool
	// CheckRoute and CheckGroup return what is wrong with an id.
	CheckRoute, CheckGroup func(id string) error
	// compose returns the group that a value of Backends means behind the routes of an entry point. Nil: the
	// value is the group. Where it is set, a State has no groups at weight 0.
	compose func(routes []string, value string) (string, error)
	// value is the inverse of compose.
	value func(group string) string
	// Label names a route or group for people, without its account and region. GroupName is the name of a
	// group alone.
	Label, GroupName func(id string) string
	// Place is where a route or group is; all empty where it is in no such place.
	Place func(id string) Place
	// Regionless reports that no route or group is in a region.
	Regionless bool

	// Connections reports whether a route forwards connections and not requests: a change of its weights
	// leaves open ones where they are.
	Connections func(route string) bool
	// Batch returns what routes have in common that one call changes, such as a hosted zone. Nil: each takes
	// a call of its own.
	Batch func(route string) string
	// Aliases reports that groups are records, which may be aliases of load balancers.
	Aliases bool
}

// Place is where a route or group is.
type Place struct{ Partition, Account, Region string }

// Apart says in what two places differ, such as "region eu-west-1 instead of eu-central-1"; empty: they do not.
func (p Place) Apart(from Place) string {
	switch {
	case p.Partition != from.Partition:
		return fmt.Sprintf("partition %s instead of %s", p.Partition, from.Partition)
	case p.Account != from.Account:
		return fmt.Sprintf("account %s instead of %s", p.Account, from.Account)
	case p.Region != from.Region:
		return fmt.Sprintf("region %s instead of %s", p.Region, from.Region)
	}
	return ""
}

// All returns all routers.
func All() []Kind { return []Kind{LoadBalancer(), Route53(), Lambda(), Kubernetes()} }

// For returns the router with what the routes of one switch can express.
func (k Kind) For(routes []string) Kind {
	if k.limitsOf != nil {
		k.Limits = k.limitsOf(routes)
	}
	return k
}

// Arguments are the arguments of an environment with its groups.
func (k Kind) Arguments() []string {
	if k.Sets == "" {
		return []string{k.Backends}
	}
	return []string{k.Backends, k.Sets}
}

// Argument is the argument of an environment that has a value.
func (k Kind) Argument(value string) string {
	if k.Sets != "" && strings.Contains(value, "=") {
		return k.Sets
	}
	return k.Backends
}

// Labels is a set of labels as the text "app=web,color=blue", sorted by name.
func Labels(set map[string]string) string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		labels = append(labels, name+"="+set[name])
	}
	return strings.Join(labels, ",")
}

// SetOf is the inverse of Labels.
func SetOf(labels string) map[string]string {
	set := map[string]string{}
	for label := range strings.SplitSeq(labels, ",") {
		name, value, _ := strings.Cut(label, "=")
		set[name] = value
	}
	return set
}

// Owned reports whether an id is one of a route or group of a router.
func Owned(id string) bool {
	return slices.ContainsFunc(All(), func(k Kind) bool { return k.Owns(id) })
}

// Composes reports whether a value of Backends is only a part of the id of a group, so that nothing is known
// of it without the routes of a switch.
func (k Kind) Composes() bool { return k.compose != nil }

// Group returns the group that a value of Backends means behind the routes of an entry point.
func (k Kind) Group(routes []string, value string) (string, error) {
	if k.compose == nil {
		return value, k.CheckGroup(value)
	}
	return k.compose(routes, value)
}

// Value returns the value of Backends that means a group.
func (k Kind) Value(group string) string {
	if k.compose == nil {
		return group
	}
	return k.value(group)
}

// Region is the region of a route or group; empty: none.
func (k Kind) Region(id string) string { return k.Place(id).Region }

// checked is a check of an id by a function that parses it.
func checked[T any](parse func(id string) (T, error)) func(id string) error {
	return func(id string) error {
		_, err := parse(id)
		return err
	}
}

// parses is an Owns by a function that parses any id of the router.
func parses[T any](parse func(id string) (T, error)) func(id string) bool {
	return func(id string) bool {
		_, err := parse(id)
		return err == nil
	}
}

// never is a Connections of a router of requests.
func never(string) bool { return false }
