package localalb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind is a way to misbehave. Each plays something that AWS, or the network before it, really does.
type FaultKind string

const (
	// Throttle answers ThrottlingException, "Rate exceeded", and carries nothing out.
	Throttle FaultKind = "Throttle"
	// ServerError answers a 500, InternalFailure, and carries nothing out.
	ServerError FaultKind = "ServerError"
	// DropConnection closes the connection without an answer and carries nothing out.
	DropConnection FaultKind = "DropConnection"
	// DropAnswer carries the call out and closes the connection without an answer.
	DropAnswer FaultKind = "DropAnswer"
	// LostWrite answers a write as done and does not do it. Reads are not touched.
	LostWrite FaultKind = "LostWrite"
	// StaleRead answers a Describe call from what stood before the latest write. Target health is always live,
	// and so are metrics.
	StaleRead FaultKind = "StaleRead"
	// SlowRead holds a Describe call, or GetMetricData, back for Delay.
	SlowRead FaultKind = "SlowRead"
	// Slow holds any call back for Delay before it is carried out.
	Slow FaultKind = "Slow"
	// LateSync carries a write out, which Describe calls show at once, and lets the data plane obey after Delay.
	// It changes nothing for CloudWatch, which has no data plane.
	LateSync FaultKind = "LateSync"
	// AccessDenied answers a 403 that names the IAM action, and carries nothing out.
	AccessDenied FaultKind = "AccessDenied"
	// ExpiredToken answers a 403 as for credentials that have ended, and carries nothing out.
	ExpiredToken FaultKind = "ExpiredToken"
)

func faultKinds() []FaultKind {
	return []FaultKind{Throttle, ServerError, DropConnection, DropAnswer, LostWrite, StaleRead, SlowRead, Slow, LateSync, AccessDenied, ExpiredToken}
}

// Fault is a misbehaviour and the calls that it meets.
type Fault struct {
	// Action is the API action that is met, "" for every one.
	Action string
	// Kind is what happens.
	Kind FaultKind
	// ARN is a text that one of the call's parameters must contain, "" for any call.
	ARN string
	// Skip is how many matching calls pass untouched before the fault begins.
	Skip int
	// Times is how many calls it meets; 0 means until it is removed.
	Times int
	// Delay is for SlowRead, Slow and LateSync.
	Delay time.Duration
}

type faultJSON struct {
	ID     int       `json:"id,omitempty"`
	Action string    `json:"action,omitempty"`
	Kind   FaultKind `json:"kind"`
	ARN    string    `json:"arn,omitempty"`
	Skip   int       `json:"skip,omitempty"`
	Times  int       `json:"times,omitempty"`
	Delay  string    `json:"delay,omitempty"`
	Met    int       `json:"met"`
}

// UnmarshalJSON reads the form that the management port takes: lower-case names, delay as "200ms".
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

// meets tells whether a call is one that the fault is for.
func (f *Fault) meets(call Call, write bool) bool {
	if f.Action != "" && f.Action != call.Action {
		return false
	}
	reading := strings.HasPrefix(call.Action, "Describe") || strings.HasPrefix(call.Action, "Get")
	switch f.Kind {
	case LostWrite, LateSync:
		if !write {
			return false
		}
	case StaleRead, SlowRead:
		if !reading {
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

// faults holds what was injected. Several may meet one call: delays add up, and of the others the oldest wins.
type faults struct {
	mu     sync.Mutex
	active []*injected
	lastID int
}

type injected struct {
	Fault
	id, seen, met int
}

func (fs *faults) add(f Fault) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.lastID++
	fs.active = append(fs.active, &injected{Fault: f, id: fs.lastID})
	return fs.lastID
}

// remove takes a fault out; id 0 takes out all of them.
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
		j := faultJSON{ID: f.id, Action: f.Action, Kind: f.Kind, ARN: f.ARN, Skip: f.Skip, Times: f.Times, Met: f.met}
		if f.Delay > 0 {
			j.Delay = f.Delay.String()
		}
		out = append(out, j)
	}
	return out
}

// effects is what the faults do to one call.
type effects struct {
	wait  time.Duration // before it is carried out
	late  time.Duration // before the data plane obeys
	stale bool
	kind  FaultKind // of what takes the answer's place, "" for nothing
}

// meet counts a call against every fault that it meets.
func (fs *faults) meet(call Call, write bool) effects {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var e effects
	for _, f := range fs.active {
		if !f.meets(call, write) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip {
			continue
		}
		f.met++
		e.take(f.Fault)
	}
	fs.active = slices.DeleteFunc(fs.active, func(f *injected) bool { return f.Times > 0 && f.met >= f.Times })
	return e
}

func (e *effects) take(f Fault) {
	switch f.Kind {
	case Slow, SlowRead:
		e.wait += f.Delay
	case LateSync:
		e.late += f.Delay
	case StaleRead:
		e.stale = true
	default:
		if e.kind == "" {
			e.kind = f.Kind
		}
	}
}

// failure is the error that a fault answers, nil for the kinds that answer none.
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
