package elb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Errors besides those of traffic.Router.
var (
	// ErrDefaultRule says that a rule is the default rule of its listener, which can be changed only
	// through the listener: use ARN.Listener of the rule.
	ErrDefaultRule = errors.New("the default rule of its listener, which can be changed only through the listener")
	// ErrOtherBalancer says that a group belongs to another load balancer than the routes; see
	// GroupError.
	ErrOtherBalancer = errors.New("the target group belongs to another load balancer")
	// ErrProtocol says that the load balancer of the routes cannot forward to the
	// group because of its protocol; see GroupError.
	ErrProtocol = errors.New("cannot forward to its protocol")
	// ErrInvalid says that a traffic.State cannot be written to the route.
	ErrInvalid = errors.New("invalid route state")
)

// CodeInvalidConfiguration is the API's code for an action that contradicts
// something else, such as target stickiness without group stickiness.
const CodeInvalidConfiguration = "InvalidConfigurationRequest"

// The IAM actions that a Router needs.
const (
	describeListeners    = "elasticloadbalancing:DescribeListeners"
	describeRules        = "elasticloadbalancing:DescribeRules"
	describeTargetGroups = "elasticloadbalancing:DescribeTargetGroups"
	describeAttributes   = "elasticloadbalancing:DescribeTargetGroupAttributes"
	describeTargetHealth = "elasticloadbalancing:DescribeTargetHealth"
	modifyListener       = "elasticloadbalancing:ModifyListener"
	modifyRule           = "elasticloadbalancing:ModifyRule"
	addTags              = "elasticloadbalancing:AddTags"
	removeTags           = "elasticloadbalancing:RemoveTags"
	describeTags         = "elasticloadbalancing:DescribeTags"
)

// Permissions returns the IAM actions that a Router may call, sorted.
func Permissions() []string {
	return []string{
		addTags, describeListeners, describeRules, describeTags, describeAttributes, describeTargetGroups, describeTargetHealth, modifyListener, modifyRule, removeTags,
	}
}

// CallError is a failed API call. errors.Is matches the corresponding error of traffic, and
// errors.As what the SDK returned.
type CallError struct {
	Action string // the IAM action, such as "elasticloadbalancing:ModifyListener" or "sts:AssumeRole"
	ARN    string // the resource of the call; empty where there were several
	Code   string // the API's error code, such as "AccessDenied"; empty without an answer
	Err    error
}

// Error implements error. It contains the API's message and nothing of the request.
func (e *CallError) Error() string {
	text := e.Action
	if e.ARN != "" {
		text += " of " + displayARN(e.ARN)
	}
	return text + ": " + reason(e.Err)
}

// reason is the message of an SDK error without its context.
func reason(err error) string {
	if short, ok := errors.AsType[*canceledCall](err); ok {
		return short.Error()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err.Error()
}

// Unwrap returns the corresponding error of traffic and the cause.
func (e *CallError) Unwrap() []error {
	if meaning := e.meaning(); meaning != nil {
		return []error{meaning, e.Err}
	}
	return []error{e.Err}
}

// Refused reports whether the API answered that the request itself is wrong, so
// that the same request is refused again.
func (e *CallError) Refused() bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](e.Err)
	return ok && answer.HTTPStatusCode() >= 400 && answer.HTTPStatusCode() < 500 && e.meaning() == nil
}

// callError wraps an error with its call. It returns nil for nil.
func callError(action, arn string, err error) error {
	if err == nil {
		return nil
	}
	failed := &CallError{Action: action, ARN: arn, Err: err}
	if inner := innermost(err); inner != nil && inner.ServiceID != elbv2.ServiceID {
		failed.Action, failed.ARN = strings.ToLower(inner.ServiceID)+":"+inner.OperationName, ""
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		failed.Code = api.ErrorCode()
	}
	return failed
}

// innermost is the call that failed. Where getting credentials needs a call, such as
// sts:AssumeRole, its error is wrapped in that of the call to ELB.
func innermost(err error) *smithy.OperationError {
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return nil
	}
	if inner := innermost(op.Err); inner != nil {
		return inner
	}
	return op
}

var (
	deniedCodes = []string{"UnauthorizedOperation", "NotAuthorized", "UnauthorizedAccess"}
	// Codes for expired and for invalid credentials: both need new ones.
	expiredCodes = []string{
		"RequestExpired", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException",
		"InvalidToken", "TokenRefreshRequired", "InvalidIdentityToken", "InvalidIdentityTokenException",
	}
)

func (e *CallError) meaning() error {
	throttled := slices.ContainsFunc(retry.DefaultThrottles, func(is retry.IsErrorThrottle) bool {
		return is.IsErrorThrottle(e.Err).Bool()
	})
	_, sso := errors.AsType[*ssocreds.InvalidTokenError](e.Err)
	switch {
	case throttled || strings.HasPrefix(e.Code, "Throttling"):
		return traffic.ErrThrottled
	case strings.HasPrefix(e.Code, "AccessDenied") || slices.Contains(deniedCodes, e.Code):
		return traffic.ErrDenied
	case strings.HasPrefix(e.Code, "ExpiredToken") || slices.Contains(expiredCodes, e.Code) || sso:
		return traffic.ErrExpired
	case isNotFound(e.Err) && e.ARN != "":
		return &traffic.MissingError{ID: e.ARN}
	case isNotFound(e.Err):
		return traffic.ErrNotFound
	}
	if _, other := errors.AsType[*types.TargetGroupAssociationLimitException](e.Err); other {
		return ErrOtherBalancer
	}
	if _, unreadable := errors.AsType[*smithy.DeserializationError](e.Err); unreadable {
		return traffic.ErrIncomplete
	}
	return nil
}

// isNotFound reports whether the service itself said that something does not exist.
func isNotFound(err error) bool {
	_, listener := errors.AsType[*types.ListenerNotFoundException](err)
	_, rule := errors.AsType[*types.RuleNotFoundException](err)
	_, group := errors.AsType[*types.TargetGroupNotFoundException](err)
	_, balancer := errors.AsType[*types.LoadBalancerNotFoundException](err)
	return listener || rule || group || balancer
}
