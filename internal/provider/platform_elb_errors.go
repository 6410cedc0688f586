package provider

import (
	"errors"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// elbDetail words a failed call of Elastic Load Balancing.
func elbDetail(err error) (errorDetail, bool) {
	call, named := errors.AsType[*elb.CallError](err)
	facts := causeFact(err)
	switch {
	case errors.Is(err, traffic.ErrDenied) && named:
		return errorDetail{
			cause:  fmt.Sprintf("AWS denied access: the credentials do not allow the IAM action %s.", call.Action),
			action: "Allow the action in the IAM policy of the credentials, then apply again.",
			facts:  append([]fact{{"IAM action", call.Action}}, facts...),
		}, true
	case errors.Is(err, traffic.ErrExpired):
		return errorDetail{cause: "The AWS credentials are expired or invalid.", action: "Renew the credentials, then apply again.", facts: facts}, true
	case errors.Is(err, traffic.ErrThrottled):
		return errorDetail{
			cause:  "AWS throttled the calls until all retries were used.",
			action: "Apply again later, or raise aws.max_attempts of the provider.",
			facts:  facts,
		}, true
	case errors.Is(err, traffic.ErrNotFound) && named:
		return errorDetail{
			cause:  fmt.Sprintf("The %s does not exist.", elbLabel(call.ARN)),
			action: "Check the ARN, including its region and account, or remove it from the switch.",
			facts:  append([]fact{{"ARN", call.ARN}}, facts...),
		}, true
	case errors.Is(err, elb.ErrDefaultRule):
		return errorDetail{cause: "A route is the default rule of its listener.", action: "Use the ARN of the listener instead.", facts: facts}, true
	}
	if d, ok := elbGroupDetail(err); ok {
		return d, true
	}
	if named {
		return elbRefusedDetail(call, facts), true
	}
	return errorDetail{}, false
}

// elbGroupDetail is about a target group that the routes cannot forward to.
func elbGroupDetail(err error) (errorDetail, bool) {
	group, ok := errors.AsType[*elb.GroupError](err)
	if !ok {
		return errorDetail{}, false
	}
	if errors.Is(err, elb.ErrProtocol) {
		return errorDetail{
			cause:  fmt.Sprintf("The %s has protocol %s. An Application Load Balancer forwards only to target groups with protocol HTTP or HTTPS.", elbLabel(group.Group), group.Protocol),
			action: "Use a target group with protocol HTTP or HTTPS. A target group's protocol cannot be changed: create a new one.",
			facts:  []fact{{"Target group", group.Group}, {"Protocol", group.Protocol}},
		}, true
	}
	return errorDetail{
		cause:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to only one.", elbLabel(group.Group)),
		action: "Use a target group that belongs to the load balancer of the routes or to none.",
		facts:  []fact{{"Target group", group.Group}, {"Load balancer of the target group", group.Balancer}, {"Load balancer of the routes", group.Routes}},
	}, true
}

// elbRefusedDetail is about a call that AWS answered with an error of its own. A refused
// request is refused again, so applying again is no remedy for it.
func elbRefusedDetail(call *elb.CallError, facts []fact) errorDetail {
	switch {
	case call.Code == elb.CodeInvalidConfiguration:
		return errorDetail{
			cause: "AWS refused the configuration of the route, and refuses it again until it is changed.",
			action: "Fix what the cause names. Target stickiness on several target groups needs group stickiness: set load_balancer.stickiness, such as \"1h\", " +
				"or turn off stickiness.enabled on the target groups.",
			facts: facts,
		}
	case call.Refused():
		return errorDetail{
			cause:  "AWS refused the request, and refuses it again until its cause is fixed.",
			action: "Fix what the cause names, then apply again.",
			facts:  facts,
		}
	}
	return errorDetail{
		cause:  "AWS did not respond to the call, or answered with a server error, until all retries were used.",
		action: "Apply again. If it fails again, check the network from where Terraform runs to AWS, and the AWS Health Dashboard.",
		facts:  facts,
	}
}
