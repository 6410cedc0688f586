package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Errors besides those of traffic.Router.
var (
	// ErrInvalid says that a traffic.State cannot be written to the route.
	ErrInvalid = errors.New("invalid route state")
	// ErrChanged says that somebody else changed the weights between a read and the write that rests on it, so
	// that nothing was written; see ChangedError.
	ErrChanged = errors.New("changed by somebody else")
	// ErrBusy says that the object changed again and again while it was written, though not its weights.
	ErrBusy = errors.New("the object changes too often")
	// ErrNoRule says that an object has no rule of that name or index.
	ErrNoRule = errors.New("no such rule")
	// ErrAmbiguous says that an object has several rules, and the route names none of them.
	ErrAmbiguous = errors.New("the object has several rules")
	// ErrSameName says that several rules of an object have the name of a route, or one has it and another has it as
	// its index.
	ErrSameName = errors.New("several rules have this name")
	// ErrNotInstalled says that the cluster serves no version of an API that is known here.
	ErrNotInstalled = errors.New("the cluster does not have this API")
	// ErrNoDestinationPort says that a destination of a VirtualService has no port, so that its Service is known
	// but not the backend.
	ErrNoDestinationPort = errors.New("a destination has no port.number")
	// ErrNoPort says that a Service has no such port.
	ErrNoPort = errors.New("no such port")
	// ErrNoGrant says that a route may not send traffic to a Service of another namespace: there is no ReferenceGrant.
	ErrNoGrant = errors.New("no ReferenceGrant allows it")
	// ErrNoParents says that a route is attached to no Gateway.
	ErrNoParents = errors.New("the route has no parents")
	// ErrTooManyRefs says that a rule has no room for another backend. Those without a share stay at weight 0 until
	// somebody removes them.
	ErrTooManyRefs = errors.New("too many backendRefs")
	// ErrNotAccepted says that no Gateway accepted a route, or that its references are not resolved.
	ErrNotAccepted = errors.New("the route is not accepted")
)

// RuleError is a rule that an object does not have, or one of several that is not named.
type RuleError struct {
	Route string
	Rules []string // that the object has, by name or index
	Same  []int    // the indexes of ErrSameName
	Err   error
}

// Error implements error.
func (e *RuleError) Error() string {
	if errors.Is(e.Err, ErrSameName) {
		return fmt.Sprintf("%s: %s: those with the indexes %s", Label(e.Route), e.Err, e.SameText())
	}
	return fmt.Sprintf("%s: %s; it has %s", Label(e.Route), e.Err, orNone(e.Rules))
}

// SameText lists the indexes of ErrSameName.
func (e *RuleError) SameText() string {
	var all []string
	for _, i := range e.Same {
		all = append(all, strconv.Itoa(i))
	}
	return strings.Join(all, ", ")
}

func orNone(rules []string) string {
	if len(rules) == 0 {
		return "no rules"
	}
	return "the rules " + strings.Join(rules, ", ")
}

// Unwrap returns the sentinel; for ErrNoRule also the MissingError of the route.
func (e *RuleError) Unwrap() []error {
	if errors.Is(e.Err, ErrNoRule) {
		return []error{e.Err, &traffic.MissingError{ID: e.Route}}
	}
	return []error{e.Err}
}

// ChangedError is a route whose weights somebody else changed before a write, which changed nothing.
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
func (*ChangedError) Unwrap() error { return ErrChanged }

// GroupError is a problem with a group, or with a route, that CheckGroups finds.
type GroupError struct {
	Group  string // empty: the problem is with the route
	Route  string
	Detail string // what the cluster says
	Err    error
}

// Error implements error.
func (e *GroupError) Error() string {
	text := Label(e.Route)
	if e.Group != "" {
		text = Label(e.Group)
		if e.Route != "" {
			text += " of " + Label(e.Route)
		}
	}
	text += ": " + e.Err.Error()
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	return text
}

// Unwrap returns the sentinel.
func (e *GroupError) Unwrap() error { return e.Err }

// CallError is a failed request. errors.Is matches the corresponding error of traffic, and errors.As what
// client-go returned.
type CallError struct {
	Verb      string // of RBAC, such as "update"
	Resource  string // with its API group, such as "httproutes.gateway.networking.k8s.io"
	Namespace string // empty: all of them
	ID        string // the route or group of the request; empty where there were several
	Err       error
}

// Error implements error. It contains the message of the API and nothing of the request.
func (e *CallError) Error() string {
	text := e.Verb + " " + e.Resource
	switch {
	case e.ID != "":
		text += " for " + Label(e.ID)
	case e.Namespace != "":
		text += " in namespace " + e.Namespace
	default:
		text += " in all namespaces"
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns the corresponding errors of traffic and the cause.
func (e *CallError) Unwrap() []error {
	var all []error
	if e.unanswered() {
		all = append(all, traffic.ErrUnanswered)
	}
	if meaning := e.meaning(); meaning != nil {
		all = append(all, meaning)
	}
	return append(all, e.Err)
}

// Refused reports whether the API answered that the request itself is wrong, so that the same request is
// refused again.
func (e *CallError) Refused() bool {
	return e.meaning() == nil && (apierrors.IsInvalid(e.Err) || apierrors.IsBadRequest(e.Err) || apierrors.IsMethodNotSupported(e.Err) || apierrors.IsRequestEntityTooLargeError(e.Err))
}

func (e *CallError) meaning() error {
	_, syntax := errors.AsType[*json.SyntaxError](e.Err)
	switch {
	case apierrors.IsForbidden(e.Err):
		return traffic.ErrDenied
	case apierrors.IsUnauthorized(e.Err):
		return traffic.ErrExpired
	case apierrors.IsTooManyRequests(e.Err):
		return traffic.ErrThrottled
	case isNotFound(e.Err) && e.ID != "":
		return &traffic.MissingError{ID: e.ID}
	case isNotFound(e.Err):
		return traffic.ErrNotFound
	case apierrors.IsConflict(e.Err):
		return ErrBusy
	case syntax || errors.Is(e.Err, errUnreadable):
		return traffic.ErrIncomplete
	}
	return nil
}

// unanswered reports whether a write has no answer, or one that does not show whether it was executed. It is also
// true where there was no connection: a server that is being replaced is there again a moment later.
func (e *CallError) unanswered() bool {
	if e.Verb != "update" && e.Verb != "patch" {
		return false
	}
	_, syntax := errors.AsType[*json.SyntaxError](e.Err)
	_, transport := errors.AsType[*url.Error](e.Err)
	return syntax || transport || mayPass(e.Err) || errors.Is(e.Err, errUnreadable)
}

// errUnreadable says that an answer is not an object of the API, such as the page of a proxy.
var errUnreadable = errors.New("the answer is not an object of the Kubernetes API")

// isNotFound reports whether the API itself said that an object does not exist.
func isNotFound(err error) bool {
	return apierrors.IsNotFound(err) && !isUnserved(err)
}

// isUnserved reports whether the API server does not know the resource in this version. It answers that with a
// text, which client-go turns into a Status with such a cause.
func isUnserved(err error) bool {
	status, is := errors.AsType[*apierrors.StatusError](err)
	if !is || !apierrors.IsNotFound(err) {
		return false
	}
	_, unexpected := apierrors.StatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
	details := status.ErrStatus.Details
	return unexpected || details == nil || details.Name == ""
}

// callError wraps an error with its request. It returns nil for nil, and an error that is wrapped already as it
// is. An error that the end of a context caused matches that context's error.
func callError(ctx context.Context, request CallError, err error) error {
	if _, named := errors.AsType[*CallError](err); err == nil || named {
		return err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	request.Err = err
	return &request
}
