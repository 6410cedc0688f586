package export

import (
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Receivers limit a request, often to 4 MiB, and a trace. Sizes are those of the encoding in
// Protocol Buffers, estimated upward.
const (
	maxRequest = 3 << 20
	// maxEvents limits the events of a span. A gate that is evaluated for a day has more.
	maxEvents = 512 << 10
)

const measurement = "measurement"

// group is an event that stands alone, or an evaluation with its measurements.
type group struct {
	events []event
	size   int
	// edge is the first and the last of its kind, or what cannot be left out.
	edge bool
	// change differs from the one before it or after it.
	change bool
}

// thin leaves out events until the others are within maxEvents, and returns how many it left out.
// Only repeated evaluations and health are left out, evenly over the time, and those that differ
// from the one before or after only where the others do not suffice.
func (s *span) thin() int {
	groups := grouped(s.events)
	if total(groups, func(group) bool { return true }) <= maxEvents {
		return 0
	}
	stays := func(g group) bool { return g.edge || g.change }
	if total(groups, stays) > maxEvents {
		stays = func(g group) bool { return g.edge }
	}
	all, fixed := total(groups, func(group) bool { return true }), total(groups, stays)
	share := float64(max(0, maxEvents-fixed)) / float64(all-fixed+1)
	var events []event
	due := 0.0
	for _, g := range groups {
		if !stays(g) {
			if due += share; due < 1 {
				continue
			}
			due--
		}
		events = append(events, g.events...)
	}
	omitted := len(s.events) - len(events)
	s.events = events
	return omitted
}

func total(groups []group, counts func(group) bool) int {
	n := 0
	for _, g := range groups {
		if counts(g) {
			n += g.size
		}
	}
	return n
}

// grouped returns events as groups.
func grouped(events []event) []group {
	var all []group
	for _, e := range events {
		if e.name != measurement || len(all) == 0 {
			all = append(all, group{})
		}
		g := &all[len(all)-1]
		g.events, g.size = append(g.events, e), g.size+e.size()
	}
	last := map[string]int{} // the position of the last one of a kind
	for i := range all {
		e := all[i].events[0]
		before, again := last[e.name]
		switch {
		case e.name != string(rollout.GateEvaluated) && e.name != string(rollout.HealthRead):
			all[i].edge = true
			continue
		case !again:
			all[i].edge = true
		case all[before].events[0].state() != e.state():
			all[before].change, all[i].change = true, true
		}
		last[e.name] = i
	}
	for _, i := range last {
		all[i].edge = true
	}
	return all
}

// state is what is compared with the event before it: the verdict of a gate, the health.
func (e event) state() string {
	key := bluegreen("gate.verdict")
	if e.name == string(rollout.HealthRead) {
		key = bluegreen("detail")
	}
	for _, a := range e.attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

const (
	eventBase     = 24  // an event without its name and attributes
	attributeBase = 12  // an attribute without its key and value
	numberSize    = 10  // a number
	spanBase      = 160 // a span without texts, attributes and events
)

func (e event) size() int { return eventBase + len(e.name) + attributesSize(e.attributes) }

func attributesSize(all []attribute.KeyValue) int {
	n := 0
	for _, a := range all {
		n += attributeBase + len(a.Key) + numberSize + len(a.Value.String()) // of a list as JSON, whose quotes and commas are as long as its encoding
	}
	return n
}

func spanSize(s sdktrace.ReadOnlySpan) int {
	n := spanBase + len(s.Name()) + len(s.Status().Description) + attributesSize(s.Attributes())
	for _, e := range s.Events() {
		n += eventBase + len(e.Name) + attributesSize(e.Attributes)
	}
	return n
}

// requests divides spans, in order, into what one request has.
func requests(spans []sdktrace.ReadOnlySpan) [][]sdktrace.ReadOnlySpan {
	var all [][]sdktrace.ReadOnlySpan
	size := 0
	for _, s := range spans {
		n := spanSize(s)
		if len(all) == 0 || size+n > maxRequest || len(all[len(all)-1]) == batch {
			all, size = append(all, nil), 0
		}
		size += n
		last := len(all) - 1
		all[last] = append(all[last], s)
	}
	return all
}
