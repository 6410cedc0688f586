package lambda

import (
	"errors"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Errors besides those of traffic.Router.
var (
	// ErrChanged says that somebody else changed the alias between the read and the write of Write, which
	// changed nothing.
	ErrChanged = errors.New("the alias was changed at the same time")
	// ErrLatest says that an alias sends requests to $LATEST, which is not published.
	ErrLatest = errors.New("the alias has the unpublished version $LATEST")
	// ErrConcurrency says that an alias has provisioned concurrency; see GroupError.
	ErrConcurrency = errors.New("the alias has provisioned concurrency, so that it can have only one version")
	// ErrRole and ErrDeadLetter say that two versions cannot share an alias; see GroupError.
	ErrRole       = errors.New("its execution role differs")
	ErrDeadLetter = errors.New("its dead-letter queue differs")
	// ErrInvalid says that a traffic.State cannot be written to the route.
	ErrInvalid = errors.New("invalid route state")
)

// The IAM actions that a Router needs.
const (
	getAlias       = "lambda:GetAlias"
	getFunction    = "lambda:GetFunctionConfiguration"
	getConcurrency = "lambda:GetProvisionedConcurrencyConfig"
	listAliases    = "lambda:ListAliases"
	updateAlias    = "lambda:UpdateAlias"
)

// Permissions returns the IAM actions that a Router may call, sorted.
func Permissions() []string {
	return []string{getAlias, getFunction, getConcurrency, listAliases, updateAlias}
}

// CallError is a failed API call. errors.Is matches the corresponding error of traffic, and
// errors.As what the SDK returned.
type CallError struct {
	Action string // the IAM action, such as "lambda:UpdateAlias" or "sts:AssumeRole"
	ARN    string // the resource of the call
	Code   string // the API's error code, such as "AccessDeniedException"; empty without an answer
	Err    error
}

// Error implements error. It contains the API's message and nothing of the request.
func (e *CallError) Error() string {
	text := e.Action
	if e.ARN != "" {
		text += " of " + Label(e.ARN)
	}
	return text + ": " + awscall.Reason(e.Err)
}

// Unwrap returns the corresponding error of traffic and the cause.
func (e *CallError) Unwrap() []error {
	if meaning := e.meaning(); meaning != nil {
		return []error{meaning, e.Err}
	}
	return []error{e.Err}
}

// Refused reports whether the API answered that the request itself is wrong, so that the same request is
// refused again. It is not where another change is in progress.
func (e *CallError) Refused() bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](e.Err)
	return awscall.IsRefusal(e.Err) && e.meaning() == nil && (!ok || answer.HTTPStatusCode() != http.StatusConflict)
}

// callError wraps an error with its call. It returns nil for nil.
func callError(action, arn string, err error) error {
	if err == nil {
		return nil
	}
	failed := &CallError{Action: action, ARN: arn, Code: awscall.Code(err), Err: err}
	if other, is := awscall.OtherService(err, lambda.ServiceID); is {
		failed.Action, failed.ARN = other, ""
	}
	return failed
}

func (e *CallError) meaning() error {
	switch meaning := awscall.Meaning(e.Err); {
	case meaning != nil:
		return meaning
	case isNotFound(e.Err) && e.ARN != "":
		return &traffic.MissingError{ID: e.ARN}
	case isNotFound(e.Err):
		return traffic.ErrNotFound
	case isStale(e.Err):
		return ErrChanged
	}
	return nil
}

// isNotFound reports whether the service itself said that something does not exist.
func isNotFound(err error) bool {
	_, missing := errors.AsType[*types.ResourceNotFoundException](err)
	return missing
}

// isStale reports whether an update had a RevisionId that is not the latest.
func isStale(err error) bool {
	_, stale := errors.AsType[*types.PreconditionFailedException](err)
	return stale
}

// incomplete is the error for an answer that leaves out what was asked for. Only the service's
// own error says that something does not exist.
func incomplete(action, arn string) error {
	return &CallError{Action: action, ARN: arn, Err: traffic.ErrIncomplete}
}

// GroupError is a problem with a version or an alias that CheckGroups finds.
type GroupError struct {
	Group string // ARN of the version; empty with ErrConcurrency
	Other string // ARN of the version that differs, or of the alias
	Err   error
}

// Error implements error.
func (e *GroupError) Error() string {
	switch {
	case e.Group == "":
		return Label(e.Other) + ": " + e.Err.Error()
	case errors.Is(e.Err, ErrOtherFunction):
		return Label(e.Group) + ": " + e.Err.Error() + " than that of the " + Label(e.Other)
	}
	return Label(e.Group) + ": " + e.Err.Error() + " from that of " + Label(e.Other)
}

// Unwrap returns the sentinel.
func (e *GroupError) Unwrap() error { return e.Err }
