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
	// Throttle rejects the call with ThrottlingException, "Rate exceeded", or the code that the service has for that.
	Throttle Kind = "Throttle"
	// ServerError rejects the call with a 500, InternalFailure.
	ServerError Kind = "ServerError"
	// DropConnection closes the connection without executing the call.
	DropConnection Kind = "DropConnection"
	// DropAnswer executes the call and closes the connection without a response.
	DropAnswer Kind = "DropAnswer"
	// LostWrite reports success for a write without executing it. It does not match reads.
	LostWrite Kind = "LostWrite"
	// StaleRead serves a read from the state before the latest write. DescribeTags shows the tags of each
	// resource from before their latest change, whatever else was written since, and other calls ignore writes of
	// tags. Target health and metrics are always current.
	StaleRead Kind = "StaleRead"
	// LateTags serves DescribeTags with the tags as they were Delay ago: each change of tags appears that much later.
	// With Times and a long Delay, it hides all changes from a number of calls. The tags with which a resource
	// was created are always shown. Other calls are not affected.
	LateTags Kind = "LateTags"
	// SlowRead delays a read by Delay.
	SlowRead Kind = "SlowRead"
	// Slow delays any call by Delay before it is executed.
	Slow Kind = "Slow"
	// LateExecution executes a write after Delay, even if the client no longer waits for the response by then: it takes
	// effect after a later read did not show it. It does not match reads.
	LateExecution Kind = "LateExecution"
	// LateSync executes a write, which Describe calls show immediately, and applies it to the data plane after Delay.
	// In Route 53 the change stays PENDING for that much longer. It has no effect on CloudWatch calls.
	LateSync Kind = "LateSync"
	// AccessDenied rejects the call with a 403 that names the IAM action.
	AccessDenied Kind = "AccessDenied"
	// ExpiredToken rejects the call with a 403, as for expired credentials.
	ExpiredToken Kind = "ExpiredToken"
	// EmptyBody executes the call and responds with HTTP 200 and no body, whatever the result. The SDKs take that for
	// a success without content.
	EmptyBody Kind = "EmptyBody"
	// HTMLBody executes the call and responds with HTTP 200 and a page, as a proxy or a captive portal does.
	HTMLBody Kind = "HTMLBody"
	// CutAnswer executes the call and closes the connection in the middle of the response.
	CutAnswer Kind = "CutAnswer"
	// EmptyList responds to a read with the elements of a successful response, but without anything in its lists.
	// An error stays an error. It does not match writes.
	EmptyList Kind = "EmptyList"
	// PriorRequest rejects ChangeResourceRecordSets with PriorRequestNotComplete, as while Route 53 processes another
	// change of the zone.
	PriorRequest Kind = "PriorRequest"
)

func kinds() []Kind {
	return []Kind{Throttle, ServerError, DropConnection, DropAnswer, LostWrite, StaleRead, LateTags, SlowRead, Slow, LateExecution, LateSync, AccessDenied, ExpiredToken, EmptyBody, HTMLBody, CutAnswer, EmptyList, PriorRequest}
}

// Fault is a kind of misbehavior and the calls that it affects.
type Fault struct {
	// Action is the API action to match, "" for any.
	Action string
	// Kind is the misbehavior.
	Kind Kind
	// ARN is a substring that a parameter of the call must contain, "" for any call. Of the resources in a
	// DescribeTags call, StaleRead and LateTags affect only those whose ARN contains it.
	ARN string
	// Skip is the number of matching calls that are not affected before the fault begins.
	Skip int
	// Times is the number of calls to affect, 0 for all until the fault is removed.
	Times int
	// Delay applies to LateTags, SlowRead, Slow, LateExecution and LateSync.
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

const (
	// tagsAction is the only action that LateTags affects.
	tagsAction = "DescribeTags"
	// recordsAction is the only action that PriorRequest affects.
	recordsAction = "ChangeResourceRecordSets"
)

// reads reports whether an action returns what others wrote.
func reads(action string) bool {
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List")
}

// check returns an error for a fault that could not have the intended effect, whatever the actions of the API are.
func (f *Fault) check() error {
	switch {
	case f.Delay < 0 || f.Times < 0 || f.Skip < 0:
		return fmt.Errorf("fault %s: delay, times and skip must not be negative", f.Kind)
	case f.Kind == LateTags && f.Delay == 0:
		return fmt.Errorf("fault %s: delay must be positive", f.Kind)
	case f.Action == "":
		return nil
	case f.Kind == LateTags && f.Action != tagsAction:
		return fmt.Errorf("fault %s: it affects %s only, not %s", f.Kind, tagsAction, f.Action)
	case f.Kind == PriorRequest && f.Action != recordsAction:
		return fmt.Errorf("fault %s: it affects %s only, not %s", f.Kind, recordsAction, f.Action)
	case (f.Kind == StaleRead || f.Kind == SlowRead || f.Kind == EmptyList) && !reads(f.Action):
		return fmt.Errorf("fault %s: it affects reads only, and %s is a write", f.Kind, f.Action)
	case (f.Kind == LostWrite || f.Kind == LateExecution || f.Kind == LateSync) && reads(f.Action):
		return fmt.Errorf("fault %s: it affects writes only, and %s is a read", f.Kind, f.Action)
	}
	return nil
}

// matches reports whether a call matches the fault.
func (f *Fault) matches(action string, params url.Values, write bool) bool {
	if f.Action != "" && f.Action != action {
		return false
	}
	switch f.Kind {
	case LostWrite, LateExecution, LateSync:
		if !write {
			return false
		}
	case StaleRead, SlowRead, EmptyList:
		if !reads(action) {
			return false
		}
	case LateTags:
		if action != tagsAction {
			return false
		}
	case PriorRequest:
		if action != recordsAction {
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
