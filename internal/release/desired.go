package release

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Desired is what a configuration wants, as far as it is known.
type Desired struct {
	Routes       []traffic.Route // by entry point, then in the configured order
	Environments map[string]Environment
	Weights      shift.Weights  // nil: unknown, or the traffic is left as it is
	Sticky       *time.Duration // group stickiness, 0 is off; nil: unchanged
	Strategy     shift.Strategy // without gates; see Gates
	Health       rollout.HealthSettings
	Retry        string // another value allows a rejected version again; empty: none

	// RollbackTimeout is how long a rollback is retried.
	RollbackTimeout time.Duration
	StopOnFailure   bool
	StopOnInterrupt bool
	// WarnOnSourceUnhealthy is rollout.Spec's.
	WarnOnSourceUnhealthy bool

	// Gates returns the settings of the gates, sorted by name, where the given
	// environments gain traffic. Nil: there are no gates.
	Gates func(gaining []string) []shift.GateSettings

	// Unknown reports that the schedule depends on unknown values. Groups and versions
	// of environments are tracked separately, because not all of them matter.
	Unknown bool
}

// Platform is what the router of the routes determines.
type Platform struct {
	Limits traffic.Limits
	// NoRecord reports that shifts leave no record beside the routes: the router has no
	// place for it, or the configuration says so.
	NoRecord bool
	// Backend is what a group is called, such as "target group".
	Backend string
	// Aliases reports that groups are records, which may be aliases of load balancers: their health
	// beside the targets with traffic is read for a warning.
	Aliases bool
	// Managed is what to do if another resource manages a route; empty: nothing is known.
	Managed string
	// GroupName names a group that belongs to no environment; nil: its id.
	GroupName func(group string) string
	// Batch returns what routes have in common that one call changes, such as a hosted zone. Nil: each
	// takes a call of its own.
	Batch func(route string) string
	// Connections reports whether a route forwards connections and not requests: a change of its
	// weights leaves open ones where they are. Nil: no route does.
	Connections func(route string) bool
}

// owners returns the owners of groups. Leaving environments are no longer configured. An
// unmanaged group whose name an environment has gets a suffix.
func (p Platform) owners(configured, leaving map[string]map[string]string) traffic.Owners {
	return traffic.NewOwners(configured, leaving, func(group string) string {
		name := group
		if p.GroupName != nil {
			name = p.GroupName(group)
		}
		if configured[name] != nil || leaving[name] != nil {
			name += " (" + cmp.Or(p.Backend, "target group") + ")"
		}
		return name
	})
}

// Owners returns the owners of the groups of configured environments.
func (p Platform) Owners(environments map[string]Environment) traffic.Owners {
	return p.owners(groupsOf(environments), nil)
}

// Names returns the names of the environments, sorted.
func (w Desired) Names() []string { return slices.Sorted(maps.Keys(w.Environments)) }

// VersionOf returns the version of an environment; empty where it has none.
func (w Desired) VersionOf(name string) string { return w.Environments[name].Version }

// versions returns the versions of the environments that have one.
func (w Desired) versions() map[string]string {
	versions := map[string]string{}
	for name, e := range w.Environments {
		if e.Version != "" {
			versions[name] = e.Version
		}
	}
	return versions
}

// stable is what a completed shift to the desired weights leaves.
func (w Desired) stable() Stable {
	return Stable{Weights: withNames(w.Weights, w.Names()), Versions: w.versions()}
}

// WithNames returns weights with an entry for every desired environment.
func (w Desired) WithNames(weights shift.Weights) shift.Weights { return withNames(weights, w.Names()) }
