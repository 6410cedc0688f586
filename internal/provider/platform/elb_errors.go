package platform

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// elbDetail words a failed call of Elastic Load Balancing.
func elbDetail(err error) (input.Detail, bool) {
	call, named := errors.AsType[*elb.CallError](err)
	facts := input.CauseFact(err)
	switch {
	case errors.Is(err, traffic.ErrDenied) && named:
		return input.Detail{
			Cause:  fmt.Sprintf("AWS denied access: the credentials do not allow the IAM action %s.", call.Action),
			Action: "Allow the action in the IAM policy of the credentials, then apply again.",
			Facts:  append([]input.Fact{{"IAM action", call.Action}}, facts...),
		}, true
	case errors.Is(err, traffic.ErrExpired):
		return input.Detail{Cause: "The AWS credentials are expired or invalid.", Action: "Renew the credentials, then apply again.", Facts: facts}, true
	case errors.Is(err, traffic.ErrThrottled):
		return input.Detail{
			Cause:  "AWS throttled the calls until the retries or the time for them were used up.",
			Action: "Apply again later, or raise aws.max_attempts of the provider.",
			Facts:  facts,
		}, true
	case errors.Is(err, traffic.ErrNotFound) && named:
		return input.Detail{
			Cause:  fmt.Sprintf("The %s does not exist.", elbLabel(call.ARN)),
			Action: "Check the ARN, including its region and account, or remove it from the switch.",
			Facts:  append([]input.Fact{{"ARN", call.ARN}}, facts...),
		}, true
	case errors.Is(err, traffic.ErrIncomplete) && named:
		return input.Detail{
			Cause: fmt.Sprintf("AWS answered %s, but left out what was asked about the %s. That does not mean that it is gone.", call.Action, elbLabel(call.ARN)),
			Action: "Run Terraform again. If it fails again, check what answers between Terraform and AWS (a proxy, or an endpoint of the provider's aws block), " +
				"and the AWS Health Dashboard.",
			Facts: facts,
		}, true
	case errors.Is(err, elb.ErrDefaultRule):
		return input.Detail{Cause: "A route is the default rule of its listener.", Action: "Use the ARN of the listener instead.", Facts: facts}, true
	}
	if d, ok := elbGroupDetail(err); ok {
		return d, true
	}
	if named {
		return elbRefusedDetail(call, facts), true
	}
	return input.Detail{}, false
}

// elbGroupDetail is about a target group that the routes cannot forward to.
func elbGroupDetail(err error) (input.Detail, bool) {
	group, ok := errors.AsType[*elb.GroupError](err)
	if !ok {
		return input.Detail{}, false
	}
	if errors.Is(err, elb.ErrProtocol) {
		protocols := "HTTP or HTTPS"
		if group.Type == elb.Network {
			protocols = "TCP, TLS, UDP or TCP_UDP"
		}
		protocol := cmp.Or(group.Protocol, "none (Lambda)")
		return input.Detail{
			Cause:  fmt.Sprintf("The %s has protocol %s. %s forwards only to target groups with protocol %s.", elbLabel(group.Group), protocol, aBalancer(group.Type), protocols),
			Action: fmt.Sprintf("Use a target group with protocol %s. A target group's protocol cannot be changed: create a new one.", protocols),
			Facts:  []input.Fact{{"Target group", group.Group}, {"Protocol", protocol}},
		}, true
	}
	return input.Detail{
		Cause:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to only one.", elbLabel(group.Group)),
		Action: "Use a target group that belongs to the load balancer of the routes or to none.",
		Facts:  []input.Fact{{"Target group", group.Group}, {"Load balancer of the target group", group.Balancer}, {"Load balancer of the routes", group.Routes}},
	}, true
}

// aBalancer begins a sentence with a type of load balancer.
func aBalancer(kind elb.BalancerType) string {
	if kind == elb.Application {
		return "An " + string(kind)
	}
	return "A " + string(kind)
}

// elbRefusedDetail is about a call that AWS answered with an error of its own. A refused
// request is refused again, so applying again is no remedy for it.
func elbRefusedDetail(call *elb.CallError, facts []input.Fact) input.Detail {
	switch {
	case call.Code == elb.CodeInvalidConfiguration:
		return input.Detail{
			Cause: "AWS refused the configuration of the route, and refuses it again until it is changed.",
			Action: "Fix what the cause names. Target stickiness on several target groups needs group stickiness: set load_balancer.stickiness, such as \"1h\", " +
				"or turn off stickiness.enabled on the target groups.",
			Facts: facts,
		}
	case call.Refused():
		return input.Detail{
			Cause:  "AWS refused the request, and refuses it again until its cause is fixed.",
			Action: "Fix what the cause names, then apply again.",
			Facts:  facts,
		}
	}
	return input.Detail{
		Cause:  fmt.Sprintf("AWS did not answer %s, or answered with a server error, until the retries or the time for them were used up.", call.Action),
		Action: "Run Terraform again. If it fails again, check the network from where Terraform runs to AWS, and the AWS Health Dashboard.",
		Facts:  facts,
	}
}
