package elb

import (
	"errors"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
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
	return text + ": " + awscall.Reason(e.Err)
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
func (e *CallError) Refused() bool { return awscall.IsRefusal(e.Err) && e.meaning() == nil }

// callError wraps an error with its call. It returns nil for nil.
func callError(action, arn string, err error) error {
	if err == nil {
		return nil
	}
	failed := &CallError{Action: action, ARN: arn, Code: awscall.Code(err), Err: err}
	if other, is := awscall.OtherService(err, elbv2.ServiceID); is {
		failed.Action, failed.ARN = other, ""
	}
	return failed
}

func (e *CallError) meaning() error {
	_, other := errors.AsType[*types.TargetGroupAssociationLimitException](e.Err)
	switch meaning := awscall.Meaning(e.Err); {
	case meaning != nil:
		return meaning
	case isNotFound(e.Err) && e.ARN != "":
		return &traffic.MissingError{ID: e.ARN}
	case isNotFound(e.Err):
		return traffic.ErrNotFound
	case other:
		return ErrOtherBalancer
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
