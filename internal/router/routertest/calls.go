package routertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Op is one of the calls of a rollout.Router.
type Op string

// The calls.
const (
	Read   Op = "read"
	Write  Op = "write"
	Health Op = "health"
)

// Call is a call that was made, whatever came of it.
type Call struct {
	At       time.Duration // since NewMemory, when it returned
	Op       Op
	Rollback bool               // by the second client
	Routes   []string           // of Read and Write
	Groups   []string           // of Health
	Want     rollout.RouteState // of Write, without Keep
	Err      error              // what it returned
}

// String words the call for a trace: "write web: blue 95, green 5".
func (c Call) String() string {
	text := fmt.Sprintf("%s %s", c.Op, strings.Join(append(slices.Clone(c.Routes), c.Groups...), " "))
	if c.Op == Write {
		text += ": " + stateText(c.Want)
	}
	if c.Rollback {
		text = "home " + text
	}
	if c.Err != nil {
		text += " -> " + c.Err.Error()
	}
	return text
}

// stateText words a setting: the raw weights, sorted by group.
func stateText(s rollout.RouteState) string {
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

// Watch calls a function after every call, from the goroutine that made it. It
// may use every method of Memory.
func (m *Memory) Watch(watch func(Call)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = watch
}

// Calls returns every call so far in the order in which they returned.
func (m *Memory) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Count is how many calls of a kind were made, failed ones included.
func (m *Memory) Count(op Op) int {
	n := 0
	for _, c := range m.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Writes returns what a route was told, failed calls included, as
// "blue 95, green 5".
func (m *Memory) Writes(route string) []string {
	var texts []string
	for _, c := range m.Calls() {
		if c.Op == Write && c.Routes[0] == route {
			texts = append(texts, stateText(c.Want))
		}
	}
	return texts
}

func (m *Memory) record(c Call, err error) {
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
