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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Errors of what was found or asked for, beside those of rollout.Router.
var (
	// ErrDefaultRule says that a rule is its listener's default rule, which is
	// changed by the listener: ARN.Listener of the rule is what to give instead.
	ErrDefaultRule = errors.New("the default rule of its listener; the listener stands for it")
	// ErrOtherBalancer says that a group belongs to another load balancer than
	// the routes that are to forward to it; see GroupError.
	ErrOtherBalancer = errors.New("the target group belongs to another load balancer")
	// ErrProtocol says that an Application Load Balancer cannot forward to the
	// group because of its protocol; see GroupError.
	ErrProtocol = errors.New("the target group has a protocol that an Application Load Balancer cannot forward to")
	// ErrInvalid says that a Setting cannot be written to the route.
	ErrInvalid = errors.New("invalid setting")
)

// CodeInvalidConfiguration is the API's code for an action that contradicts
// something else, such as target stickiness without group stickiness.
const CodeInvalidConfiguration = "InvalidConfigurationRequest"

// The permissions that a Router needs, all of them.
const (
	describeListeners    = "elasticloadbalancing:DescribeListeners"
	describeRules        = "elasticloadbalancing:DescribeRules"
	describeTargetGroups = "elasticloadbalancing:DescribeTargetGroups"
	describeAttributes   = "elasticloadbalancing:DescribeTargetGroupAttributes"
	describeTargetHealth = "elasticloadbalancing:DescribeTargetHealth"
	modifyListener       = "elasticloadbalancing:ModifyListener"
	modifyRule           = "elasticloadbalancing:ModifyRule"
)

// Permissions returns the IAM actions that a Router may call, sorted.
func Permissions() []string {
	return []string{
		describeListeners, describeRules, describeAttributes, describeTargetGroups, describeTargetHealth, modifyListener, modifyRule,
	}
}

// CallError is a call to the API that failed. errors.Is finds the error of
// rollout that it amounts to, and errors.As what the SDK returned.
type CallError struct {
	Action string // the IAM action, such as "elasticloadbalancing:ModifyListener" or "sts:AssumeRole"
	ARN    string // what the call was about; empty where it was about several
	Code   string // the API's own code, such as "AccessDenied"; empty where there was no answer
	Err    error
}

// Error implements error. It holds what the API said of the call, and nothing
// that was sent.
func (e *CallError) Error() string {
	text := e.Action
	if e.ARN != "" {
		text += " of " + display(e.ARN)
	}
	return text + ": " + reason(e.Err)
}

// reason is the part of an SDK's error that says why.
func reason(err error) string {
	if short, ok := errors.AsType[*cutShort](err); ok {
		return short.Error()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err.Error()
}

// Unwrap gives both what the error amounts to and its cause.
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

// callError says of which call an error is. It returns nil for nil.
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

// innermost is the call that really failed: where getting the credentials needs
// one, such as sts:AssumeRole, its error comes within that of the call to ELB.
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
	// What is said of credentials that are good no more, and of those that never
	// were: the way on is the same, to get new ones.
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
		return rollout.ErrThrottled
	case strings.HasPrefix(e.Code, "AccessDenied") || slices.Contains(deniedCodes, e.Code):
		return rollout.ErrDenied
	case strings.HasPrefix(e.Code, "ExpiredToken") || slices.Contains(expiredCodes, e.Code) || sso:
		return rollout.ErrExpired
	case isNotFound(e.Err):
		return rollout.ErrNotFound
	}
	if _, other := errors.AsType[*types.TargetGroupAssociationLimitException](e.Err); other {
		return ErrOtherBalancer
	}
	return nil
}

func isNotFound(err error) bool {
	if errors.Is(err, rollout.ErrNotFound) {
		return true
	}
	_, listener := errors.AsType[*types.ListenerNotFoundException](err)
	_, rule := errors.AsType[*types.RuleNotFoundException](err)
	_, group := errors.AsType[*types.TargetGroupNotFoundException](err)
	_, balancer := errors.AsType[*types.LoadBalancerNotFoundException](err)
	return listener || rule || group || balancer
}

// missing is the error of something that an answer leaves out.
func missing(action, arn string) error {
	return &CallError{Action: action, ARN: arn, Err: rollout.ErrNotFound}
}
