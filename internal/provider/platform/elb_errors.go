package platform

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// elbDetail words a failed call of Elastic Load Balancing.
func elbDetail(err error) (input.Detail, bool) {
	call, named := errors.AsType[*elb.CallError](err)
	facts, failed := input.CauseFact(err), awsCall{kind: "ARN", check: amazonARN}
	if named {
		failed.action, failed.id, failed.name, failed.refused = call.Action, call.ARN, Label(call.ARN), call.Refused()
	}
	if d, ok := failed.denial(err); ok {
		return d, true
	}
	if errors.Is(err, elb.ErrDefaultRule) {
		return input.Detail{Cause: "A route is the default rule of its listener.", Action: "Use the ARN of the listener instead.", Facts: facts}, true
	}
	if d, ok := elbGroupDetail(err); ok {
		return d, true
	}
	if named {
		return elbRefusedDetail(call.Code, failed, err), true
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
			Cause:  fmt.Sprintf("The %s has protocol %s. %s forwards only to target groups with protocol %s.", Label(group.Group), protocol, aBalancer(group.Type), protocols),
			Action: fmt.Sprintf("Use a target group with protocol %s. A target group's protocol cannot be changed: create a new one.", protocols),
			Facts:  []input.Fact{{"Target group", group.Group}, {"Protocol", protocol}},
		}, true
	}
	return input.Detail{
		Cause:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to only one.", Label(group.Group)),
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

// elbRefusedDetail is about a call that AWS answered with an error of its own.
func elbRefusedDetail(code string, failed awsCall, err error) input.Detail {
	if code == elb.CodeInvalidConfiguration {
		return input.Detail{
			Cause: "AWS refused the configuration of the route, and refuses it again until it is changed.",
			Action: "Fix what the cause names. Target stickiness on several target groups needs group stickiness: set load_balancer.stickiness, such as \"1h\", " +
				"or turn off stickiness.enabled on the target groups.",
			Facts: input.CauseFact(err),
		}
	}
	return failed.failure(err)
}
