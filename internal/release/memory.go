package release

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// memoryVersion is the version of Memory's JSON. Raise it with every change that an older
// reader would misread, and read the older versions.
const memoryVersion = 2

// ErrMemoryVersion reports a Memory that a newer version wrote.
var ErrMemoryVersion = errors.New("written by a newer version of the provider")

// Memory is what a switch remembers beside its State. Observe and Finish write it, and
// plans depend on it. It is stored as JSON, with a version.
type Memory struct {
	// ReadAt is the time of the last refresh, which is the clock of a plan. It is set
	// only while there is a previous version, because only the rollback window depends
	// on time.
	ReadAt *time.Time             `json:"read_at,omitempty"`
	Routes map[string]RouteMemory `json:"routes,omitempty"` // by id
	// Labels name routes that do not exist any more, by id.
	Labels map[string]string `json:"labels,omitempty"`
	// Adopted is what an import found, until the first apply: it is the stable state,
	// whatever names the configuration uses.
	Adopted  map[string]RouteMemory `json:"adopted,omitempty"`
	Previous *IdentityMemory        `json:"previous,omitempty"`
	Rejected *IdentityMemory        `json:"rejected,omitempty"`
	Attempt  *AttemptMemory         `json:"attempt,omitempty"`
	// Records are the records that the last refresh found on the routes. An apply does not
	// depend on them being there still: a missing one proves nothing.
	Records []RecordMemory `json:"records,omitempty"`
	// Ended are shifts whose records mean nothing any more, although they may still be on
	// the routes.
	Ended []string `json:"ended,omitempty"`
	// OtherRoutes send traffic to an environment's group and are not routes of the
	// switch. The schedule warns about them.
	OtherRoutes []OtherRoute `json:"others,omitempty"`
	// Managed are routes that something else manages too, of which the schedule warns.
	Managed []ManagedRoute `json:"managed,omitempty"`
	// SlowStart is the slow start of the groups that were idle at the last refresh. A
	// missing group has none, or it is unknown.
	SlowStart map[string]time.Duration `json:"slow_start,omitempty"`
	// IdleUnhealthy are the groups that were attached at weight 0 at the last refresh and had
	// no healthy target.
	IdleUnhealthy []string `json:"idle_unhealthy,omitempty"`
}

// RecordMemory is a record of a shift that a refresh found.
type RecordMemory struct {
	traffic.Left
	// Abandoned reports that its owner had ended. False: it runs, or that is not known.
	Abandoned bool `json:"abandoned,omitempty"`
}

// RouteMemory is traffic.State without the router's own data.
type RouteMemory struct {
	Weights  map[string]int `json:"weights,omitempty"`
	Sticky   time.Duration  `json:"sticky,omitempty"`
	Response string         `json:"response,omitempty"`
	Fixed    bool           `json:"fixed_error,omitempty"`
	Label    string         `json:"label,omitempty"`
	Cached   time.Duration  `json:"cached,omitempty"`
}

// ManagedRoute is a route that something else manages too, and the warning about it.
type ManagedRoute struct {
	Route string `json:"route"`
	Text  string `json:"text"`
}

// OtherRoute is a route outside the switch.
type OtherRoute struct {
	Route  string   `json:"route,omitempty"` // its id; empty in the memory of earlier versions
	Text   string   `json:"text"`            // names it for people
	Groups []string `json:"groups"`
}

// IdentityMemory is an environment with its version at some time.
type IdentityMemory struct {
	Environment string            `json:"environment"`
	Version     string            `json:"version,omitempty"`
	Groups      map[string]string `json:"groups,omitempty"` // by entry point
	At          time.Time         `json:"at"`
	Reason      string            `json:"reason,omitempty"`
	// Retry identifies the value of retry with which it was rejected, where the apply did
	// not get to save it.
	Retry string `json:"retry,omitempty"`
}

// AttemptMemory is a failed Update, which leaves no trace in the State.
type AttemptMemory struct {
	Environments map[string]map[string]string `json:"environments,omitempty"` // groups by entry point
	// Stopped is the environment that gained traffic where a shift stopped part way. If
	// somebody moves the traffic back from there, its version counts as rejected.
	Stopped *IdentityMemory `json:"stopped,omitempty"`
	// Left is where the shift started and its goal, where it left traffic in between.
	Left *traffic.Left `json:"left,omitempty"`
	// Unrecorded reports that version 1 wrote it, which did not have Left.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// MarshalJSON adds the version.
func (m Memory) MarshalJSON() ([]byte, error) {
	type plain Memory
	return json.Marshal(struct {
		Version int `json:"version"`
		plain
	}{memoryVersion, plain(m)})
}

// UnmarshalJSON returns ErrMemoryVersion for a version that it does not know.
func (m *Memory) UnmarshalJSON(text []byte) error {
	type plain Memory
	var read struct {
		Version int `json:"version"`
		plain
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	if read.Version > memoryVersion {
		return fmt.Errorf("%w: version %d, this one reads up to %d", ErrMemoryVersion, read.Version, memoryVersion)
	}
	*m = Memory(read.plain)
	if read.Version < 2 && m.Attempt != nil {
		m.Attempt.Unrecorded = true
	}
	return nil
}

func rememberRoute(s traffic.State) RouteMemory {
	return RouteMemory{Weights: s.Weights, Sticky: s.Stickiness, Response: s.Response, Fixed: s.FixedError, Label: s.Label, Cached: s.Cached}
}

func rememberRoutes(found map[string]traffic.State) map[string]RouteMemory {
	routes := map[string]RouteMemory{}
	for id, state := range found {
		routes[id] = rememberRoute(state)
	}
	return routes
}

// keepLabels keeps the labels of routes that were remembered before and are not any more.
func (m *Memory) keepLabels(before map[string]RouteMemory, routes []traffic.Route) {
	labels := map[string]string{}
	for _, route := range routes {
		if _, exists := m.Routes[route.ID]; exists {
			continue
		}
		if label := cmp.Or(before[route.ID].Label, m.Labels[route.ID]); label != "" {
			labels[route.ID] = label
		}
	}
	m.Labels = nil
	if len(labels) > 0 {
		m.Labels = labels
	}
}

// Label names a route as it was last read, also where it does not exist any more; empty: it
// never was.
func (m Memory) Label(route string) string { return cmp.Or(m.Routes[route].Label, m.Labels[route]) }

// State returns what the route did when it was last read.
func (m RouteMemory) State() traffic.State {
	return traffic.State{Weights: m.Weights, Stickiness: m.Sticky, Response: m.Response, FixedError: m.Fixed, Label: m.Label, Cached: m.Cached}
}

// slowStart returns the longest slow start of an environment's groups.
func (m Memory) slowStart(e Environment) time.Duration {
	longest := time.Duration(0)
	for _, group := range e.Groups {
		longest = max(longest, m.SlowStart[group])
	}
	return longest
}

// idleUnhealthy reports whether a group of an environment is in IdleUnhealthy.
func (m Memory) idleUnhealthy(e Environment) bool { return slices.ContainsFunc(m.IdleUnhealthy, e.has) }
