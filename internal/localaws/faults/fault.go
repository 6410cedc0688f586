package faults

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of misbehavior. Each simulates something that AWS or the network really does.
type Kind string

const (
	// Throttle rejects the call with ThrottlingException, "Rate exceeded".
	Throttle Kind = "Throttle"
	// ServerError rejects the call with a 500, InternalFailure.
	ServerError Kind = "ServerError"
	// DropConnection closes the connection without executing the call.
	DropConnection Kind = "DropConnection"
	// DropAnswer executes the call and closes the connection without a response.
	DropAnswer Kind = "DropAnswer"
	// LostWrite reports success for a write without executing it. It does not match reads.
	LostWrite Kind = "LostWrite"
	// StaleRead serves a Describe call from the state before the latest write. Target health and metrics are
	// always current.
	StaleRead Kind = "StaleRead"
	// SlowRead delays a Describe call or GetMetricData by Delay.
	SlowRead Kind = "SlowRead"
	// Slow delays any call by Delay before it is executed.
	Slow Kind = "Slow"
	// LateSync executes a write, which Describe calls show immediately, and applies it to the data plane after Delay.
	// It has no effect on CloudWatch calls.
	LateSync Kind = "LateSync"
	// AccessDenied rejects the call with a 403 that names the IAM action.
	AccessDenied Kind = "AccessDenied"
	// ExpiredToken rejects the call with a 403, as for expired credentials.
	ExpiredToken Kind = "ExpiredToken"
)

func kinds() []Kind {
	return []Kind{Throttle, ServerError, DropConnection, DropAnswer, LostWrite, StaleRead, SlowRead, Slow, LateSync, AccessDenied, ExpiredToken}
}

// Fault is a kind of misbehavior and the calls that it affects.
type Fault struct {
	// Action is the API action to match, "" for any.
	Action string
	// Kind is the misbehavior.
	Kind Kind
	// ARN is a substring that a parameter of the call must contain, "" for any call.
	ARN string
	// Skip is the number of matching calls that are not affected before the fault begins.
	Skip int
	// Times is the number of calls to affect, 0 for all until the fault is removed.
	Times int
	// Delay applies to SlowRead, Slow and LateSync.
	Delay time.Duration
}

// Active is an injected fault in the form of the management port.
type Active struct {
	ID       int    `json:"id,omitempty"`
	Action   string `json:"action,omitempty"`
	Kind     Kind   `json:"kind"`
	ARN      string `json:"arn,omitempty"`
	Skip     int    `json:"skip,omitempty"`
	Times    int    `json:"times,omitempty"`
	Delay    string `json:"delay,omitempty"`
	Affected int    `json:"affected"` // the number of calls so far
}

// UnmarshalJSON decodes the form of the management port: lower-case names, and a delay such as "200ms".
func (f *Fault) UnmarshalJSON(data []byte) error {
	var a Active
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("reading a fault: %w", err)
	}
	*f = Fault{Action: a.Action, Kind: a.Kind, ARN: a.ARN, Skip: a.Skip, Times: a.Times}
	if a.Delay != "" {
		delay, err := time.ParseDuration(a.Delay)
		if err != nil {
			return fmt.Errorf("reading the delay of a fault: %w", err)
		}
		f.Delay = delay
	}
	return nil
}

// matches reports whether a call matches the fault.
func (f *Fault) matches(action string, params url.Values, write bool) bool {
	if f.Action != "" && f.Action != action {
		return false
	}
	read := strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get")
	switch f.Kind {
	case LostWrite, LateSync:
		if !write {
			return false
		}
	case StaleRead, SlowRead:
		if !read {
			return false
		}
	default: // any call
	}
	if f.ARN == "" {
		return true
	}
	for _, values := range params {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, f.ARN) }) {
			return true
		}
	}
	return false
}
