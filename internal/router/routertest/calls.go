package routertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Op is a method of traffic.Router or traffic.Recorder.
type Op string

// The operations.
const (
	Read   Op = "read"
	Write  Op = "write"
	Health Op = "health"

	Records Op = "records"
	Put     Op = "put"
	Remove  Op = "remove"

	Requests       Op = "requests"
	Ask            Op = "ask"
	RemoveRequests Op = "remove_requests"
)

// Call is a call that was made, successful or not.
type Call struct {
	At       time.Duration // when it returned, since NewMemory
	Op       Op
	Rollback bool           // made with RollbackClient
	Routes   []string       // of Read and Write
	Groups   []string       // of Health
	Want     traffic.State  // of Write, without Raw
	Record   traffic.Record // of Put; of Remove only the id
	Err      error          // returned to the caller
}

// String formats the call for a trace: "write web: blue 95, green 5".
func (c Call) String() string {
	text := fmt.Sprintf("%s %s", c.Op, strings.Join(append(slices.Clone(c.Routes), c.Groups...), " "))
	if c.Op == Write {
		text += ": " + stateText(c.Want)
	}
	if c.Op == Put {
		text += ": " + recordText(c.Record)
	}
	if c.Rollback {
		text = "rollback " + text
	}
	if c.Err != nil {
		text += " -> " + c.Err.Error()
	}
	return text
}

// recordText formats what changes of a record.
func recordText(r traffic.Record) string {
	text := fmt.Sprintf("%s %d, reached %s", r.Phase, r.Renewal, r.Reached)
	if r.Reason != "" {
		text += ", " + r.Reason
	}
	return text
}

// stateText formats a state: the raw weights, sorted by group.
func stateText(s traffic.State) string {
	if s.Response != "" {
		return s.Response
	}
	var parts []string
	for _, name := range s.Groups() {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.Weights[name]))
	}
	if s.Stickiness > 0 {
		parts = append(parts, "sticky "+s.Stickiness.String())
	}
	return strings.Join(parts, ", ")
}

// recorder records the calls of a Memory.
type recorder struct {
	mu    sync.Mutex
	start time.Time
	calls []Call
	watch func(Call)
}

// Watch sets a function that runs after every call, in the goroutine of the caller. It may
// use every method of Memory.
func (m *recorder) Watch(watch func(Call)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = watch
}

// Calls returns all calls so far, in the order in which they returned.
func (m *recorder) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Count returns how many calls of op were made, including failed ones.
func (m *recorder) Count(op Op) int {
	n := 0
	for _, c := range m.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Writes returns the states that were written to a route, including failed writes, such
// as "blue 95, green 5".
func (m *recorder) Writes(route string) []string {
	var texts []string
	for _, c := range m.Calls() {
		if c.Op == Write && c.Routes[0] == route {
			texts = append(texts, stateText(c.Want))
		}
	}
	return texts
}

func (m *recorder) record(c Call, err error) {
	m.mu.Lock()
	c.At, c.Err = time.Since(m.start), err
	c.Want = copyState(c.Want)
	c.Want.Raw = nil
	m.calls = append(m.calls, c)
	watch := m.watch
	m.mu.Unlock()
	if watch != nil {
		watch(c)
	}
}
