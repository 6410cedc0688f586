package localalb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind is a kind of misbehavior. Each simulates something that AWS or the network really does.
type FaultKind string

const (
	// Throttle rejects the call with ThrottlingException, "Rate exceeded".
	Throttle FaultKind = "Throttle"
	// ServerError rejects the call with a 500, InternalFailure.
	ServerError FaultKind = "ServerError"
	// DropConnection closes the connection without executing the call.
	DropConnection FaultKind = "DropConnection"
	// DropAnswer executes the call and closes the connection without a response.
	DropAnswer FaultKind = "DropAnswer"
	// LostWrite reports success for a write without executing it. It does not match reads.
	LostWrite FaultKind = "LostWrite"
	// StaleRead serves a Describe call from the state before the latest write. Target health and metrics are
	// always current.
	StaleRead FaultKind = "StaleRead"
	// SlowRead delays a Describe call or GetMetricData by Delay.
	SlowRead FaultKind = "SlowRead"
	// Slow delays any call by Delay before it is executed.
	Slow FaultKind = "Slow"
	// LateSync executes a write, which Describe calls show immediately, and applies it to the data plane after Delay.
	// It has no effect on CloudWatch calls.
	LateSync FaultKind = "LateSync"
	// AccessDenied rejects the call with a 403 that names the IAM action.
	AccessDenied FaultKind = "AccessDenied"
	// ExpiredToken rejects the call with a 403, as for expired credentials.
	ExpiredToken FaultKind = "ExpiredToken"
)

func faultKinds() []FaultKind {
	return []FaultKind{Throttle, ServerError, DropConnection, DropAnswer, LostWrite, StaleRead, SlowRead, Slow, LateSync, AccessDenied, ExpiredToken}
}

// Fault is a kind of misbehavior and the calls that it affects.
type Fault struct {
	// Action is the API action to match, "" for any.
	Action string
	// Kind is the misbehavior.
	Kind FaultKind
	// ARN is a substring that a parameter of the call must contain, "" for any call.
	ARN string
	// Skip is the number of matching calls that are not affected before the fault begins.
	Skip int
	// Times is the number of calls to affect, 0 for all until the fault is removed.
	Times int
	// Delay applies to SlowRead, Slow and LateSync.
	Delay time.Duration
}

type faultJSON struct {
	ID       int       `json:"id,omitempty"`
	Action   string    `json:"action,omitempty"`
	Kind     FaultKind `json:"kind"`
	ARN      string    `json:"arn,omitempty"`
	Skip     int       `json:"skip,omitempty"`
	Times    int       `json:"times,omitempty"`
	Delay    string    `json:"delay,omitempty"`
	Affected int       `json:"affected"`
}

// UnmarshalJSON decodes the form of the management port: lower-case names, and a delay such as "200ms".
func (f *Fault) UnmarshalJSON(data []byte) error {
	var j faultJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("reading a fault: %w", err)
	}
	*f = Fault{Action: j.Action, Kind: j.Kind, ARN: j.ARN, Skip: j.Skip, Times: j.Times}
	if j.Delay != "" {
		delay, err := time.ParseDuration(j.Delay)
		if err != nil {
			return fmt.Errorf("reading the delay of a fault: %w", err)
		}
		f.Delay = delay
	}
	return f.check()
}

func (f *Fault) check() error {
	if !slices.Contains(faultKinds(), f.Kind) {
		return fmt.Errorf("unknown fault kind %q: known kinds are %v", f.Kind, faultKinds())
	}
	if f.Delay < 0 || f.Times < 0 || f.Skip < 0 {
		return fmt.Errorf("fault %s: delay, times and skip must not be negative", f.Kind)
	}
	return nil
}

// matches reports whether a call matches the fault.
func (f *Fault) matches(call Call, write bool) bool {
	if f.Action != "" && f.Action != call.Action {
		return false
	}
	read := strings.HasPrefix(call.Action, "Describe") || strings.HasPrefix(call.Action, "Get")
	switch f.Kind {
	case LostWrite, LateSync:
		if !write {
			return false
		}
	case StaleRead, SlowRead:
		if !read {
			return false
		}
	}
	if f.ARN == "" {
		return true
	}
	for _, values := range call.Params {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, f.ARN) }) {
			return true
		}
	}
	return false
}

// faults holds the injected faults. When several match a call, their delays add up, and the oldest of the others wins.
type faults struct {
	mu     sync.Mutex
	active []*injected
	lastID int
}

type injected struct {
	Fault
	id, matched, affected int
}

func (fs *faults) add(f Fault) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.lastID++
	fs.active = append(fs.active, &injected{Fault: f, id: fs.lastID})
	return fs.lastID
}

// remove deletes a fault, or all faults for id 0. It reports whether there was any.
func (fs *faults) remove(id int) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.active)
	fs.active = slices.DeleteFunc(fs.active, func(f *injected) bool { return id == 0 || f.id == id })
	return len(fs.active) < before
}

func (fs *faults) list() []faultJSON {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := []faultJSON{}
	for _, f := range fs.active {
		j := faultJSON{ID: f.id, Action: f.Action, Kind: f.Kind, ARN: f.ARN, Skip: f.Skip, Times: f.Times, Affected: f.affected}
		if f.Delay > 0 {
			j.Delay = f.Delay.String()
		}
		out = append(out, j)
	}
	return out
}

// effects are the combined effects of the faults on one call.
type effects struct {
	callDelay time.Duration // before the call is executed
	syncDelay time.Duration // before the data plane applies the write
	stale     bool
	kind      FaultKind // the fault that replaces the response, "" for none
}

// match returns the effects of all faults that match a call, and counts the call against them.
func (fs *faults) match(call Call, write bool) effects {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var e effects
	for _, f := range fs.active {
		if !f.matches(call, write) {
			continue
		}
		f.matched++
		if f.matched <= f.Skip {
			continue
		}
		f.affected++
		e.add(f.Fault)
	}
	fs.active = slices.DeleteFunc(fs.active, func(f *injected) bool { return f.Times > 0 && f.affected >= f.Times })
	return e
}

func (e *effects) add(f Fault) {
	switch f.Kind {
	case Slow, SlowRead:
		e.callDelay += f.Delay
	case LateSync:
		e.syncDelay += f.Delay
	case StaleRead:
		e.stale = true
	default:
		if e.kind == "" {
			e.kind = f.Kind
		}
	}
}

// failure returns the error response of a fault, nil for the kinds that have none.
func (e effects) failure(c Call, account string) *apiError {
	switch e.kind {
	case Throttle:
		code := "ThrottlingException"
		if c.Service == serviceCloudWatch {
			code = "Throttling"
		}
		return &apiError{status: 400, code: code, message: "Rate exceeded"}
	case ServerError:
		return &apiError{status: 500, code: "InternalFailure", message: "The request processing has failed because of an unknown error, exception or failure."}
	case AccessDenied:
		return &apiError{status: 403, code: "AccessDenied", message: fmt.Sprintf(
			"User: arn:aws:iam::%s:user/local is not authorized to perform: %s:%s because no identity-based policy allows the %s:%s action",
			account, c.Service, c.Action, c.Service, c.Action)}
	case ExpiredToken:
		return &apiError{status: 403, code: "ExpiredToken", message: "The security token included in the request is expired"}
	}
	return nil
}
