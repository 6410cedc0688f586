package route53

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Errors besides those of traffic.Router.
var (
	// ErrNotWeighted says that a record has another routing policy than weighted; see NotWeightedError.
	ErrNotWeighted = errors.New("the record is not weighted")
	// ErrInvalid says that a traffic.State cannot be written to the route.
	ErrInvalid = errors.New("invalid route state")
	// ErrChanged says that somebody else changed the record sets of a route between a read and the
	// write that rests on it, so that nothing was written; see ChangedError.
	ErrChanged = errors.New("changed by somebody else")
	// ErrBatch says that a route was not written because another one of the same batch could not be;
	// see BatchError.
	ErrBatch = errors.New("not written, because a batch changes all its routes or none")
	// ErrOtherName says that a group belongs to another name or zone than the routes; see GroupError.
	ErrOtherName = errors.New("the record sets belong to another name")
	// ErrNoRecordSet says that a group has no record set of the type of a route; see GroupError.
	ErrNoRecordSet = errors.New("no record set of this type")
)

// The IAM actions that a Router needs.
const (
	listRecords       = "route53:ListResourceRecordSets"
	changeRecords     = "route53:ChangeResourceRecordSets"
	getChange         = "route53:GetChange"
	getHealthCheck    = "route53:GetHealthCheck"
	getCheckStatus    = "route53:GetHealthCheckStatus"
	codeInvalidChange = "InvalidChangeBatch"
)

// Permissions returns the IAM actions that a Router may call, sorted. A policy can restrict
// ChangeResourceRecordSets to hosted zones by ARN, and to record sets by the condition keys
// route53:ChangeResourceRecordSetsNormalizedRecordNames, …RecordTypes and …Actions (CREATE, DELETE
// and UPSERT).
func Permissions() []string {
	return []string{changeRecords, getChange, getHealthCheck, getCheckStatus, listRecords}
}

// NotWeightedError is a route whose record sets have another routing policy.
type NotWeightedError struct {
	Route  string
	Policy string // such as "simple", "latency" or "failover"
}

// Error implements error.
func (e *NotWeightedError) Error() string {
	return fmt.Sprintf("%s has the routing policy %q: use a record with weighted routing, with a record set for each environment", Label(e.Route), e.Policy)
}

// Unwrap returns ErrNotWeighted.
func (e *NotWeightedError) Unwrap() error { return ErrNotWeighted }

// ChangedError is a route that somebody else changed before a write, which changed nothing.
type ChangedError struct {
	Route   string
	Weights map[string]int // found instead, by group
}

// Error implements error.
func (e *ChangedError) Error() string {
	var parts []string
	for _, group := range slices.Sorted(maps.Keys(e.Weights)) {
		parts = append(parts, fmt.Sprintf("%s %d", Label(group), e.Weights[group]))
	}
	return fmt.Sprintf("%s was %s and has the weights %s", Label(e.Route), ErrChanged, strings.Join(parts, ", "))
}

// Unwrap returns ErrChanged.
func (e *ChangedError) Unwrap() error { return ErrChanged }

// BatchError is a route that was not written because of another one.
type BatchError struct{ Cause error } // of the other route; not wrapped, as it is about that one

// Error implements error.
func (e *BatchError) Error() string { return fmt.Sprintf("%s: %s", ErrBatch, e.Cause) }

// Unwrap returns ErrBatch.
func (*BatchError) Unwrap() error { return ErrBatch }

// GroupError is a problem with a group.
type GroupError struct {
	Group string
	Route string // that it does not match
	Err   error
}

// Error implements error.
func (e *GroupError) Error() string {
	return fmt.Sprintf("%s of %s: %s", Label(e.Group), Label(e.Route), e.Err)
}

// Unwrap returns the sentinel.
func (e *GroupError) Unwrap() error { return e.Err }

// CallError is a failed API call. errors.Is matches the corresponding error of traffic, and
// errors.As what the SDK returned.
type CallError struct {
	Action string // the IAM action, such as "route53:ListResourceRecordSets" or "sts:AssumeRole"
	ID     string // the route, group, zone or health check of the call; empty where there were several
	Code   string // the API's error code, such as "AccessDenied"; empty without an answer
	Err    error
}

// Error implements error. It contains the API's message and nothing of the request.
func (e *CallError) Error() string {
	text := e.Action
	if e.ID != "" {
		text += " of " + Label(e.ID)
	}
	return text + ": " + e.reason()
}

// reason is the message of the API. That of an InvalidChangeBatch is a list.
func (e *CallError) reason() string {
	if batch, ok := errors.AsType[*types.InvalidChangeBatch](e.Err); ok && len(batch.Messages) > 0 {
		return e.Code + ": " + strings.Join(batch.Messages, "; ")
	}
	if errors.Is(e.Err, errRate) {
		return errRate.Error()
	}
	return awscall.Reason(e.Err)
}

// Unwrap returns the corresponding error of traffic and the cause.
func (e *CallError) Unwrap() []error {
	if meaning := e.meaning(); meaning != nil {
		return []error{meaning, e.Err}
	}
	return []error{e.Err}
}

// Refused reports whether the API answered that the request itself is wrong, so that the same
// request is refused again.
func (e *CallError) Refused() bool {
	return (awscall.IsRefusal(e.Err) || e.Code == codeInvalidChange) && e.meaning() == nil
}

func (e *CallError) meaning() error {
	switch meaning := awscall.Meaning(e.Err); {
	case meaning != nil:
		return meaning
	case errors.Is(e.Err, errRate):
		return traffic.ErrThrottled
	case isNotFound(e.Err) && e.ID != "":
		return &traffic.MissingError{ID: e.ID}
	case isNotFound(e.Err):
		return traffic.ErrNotFound
	}
	return nil
}

// callError wraps an error with its call. It returns nil for nil, and an error that is wrapped
// already as it is.
func callError(action, id string, err error) error {
	if _, named := errors.AsType[*CallError](err); err == nil || named {
		return err
	}
	failed := &CallError{Action: action, ID: id, Code: awscall.Code(err), Err: err}
	if other, is := awscall.OtherService(err, route53api.ServiceID); is {
		failed.Action, failed.ID = other, ""
	}
	return failed
}

// missing is the error for a route or group that a complete answer does not contain.
func missing(id string) error {
	return &CallError{Action: listRecords, ID: id, Err: &traffic.MissingError{ID: id}}
}

// incomplete is the error for an answer that leaves out what was asked for.
func incomplete(action, id string) error {
	return &CallError{Action: action, ID: id, Err: traffic.ErrIncomplete}
}

// isNotFound reports whether the service itself said that a zone does not exist.
func isNotFound(err error) bool {
	_, zone := errors.AsType[*types.NoSuchHostedZone](err)
	return zone
}
