package routers

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// loadBalancers are listeners and rules.
func loadBalancers() Entry {
	const form = "the ARN of a listener or a listener rule of an Application Load Balancer, or of a listener of a Network Load Balancer"
	return Entry{
		Name:        "load balancers",
		Block:       "load_balancer",
		Backends:    "target_groups",
		Backend:     "target group",
		BackendForm: "the ARN of a target group",
		RouteForm:   form,
		Limits:      elb.Limits(),
		owns:        func(id string) bool { _, err := elb.Parse(id); return err == nil },
		RouteFault:  func(id string) error { _, err := elb.ParseRoute(id); return err },
		IsGroupID:   isARN,
		GroupFault:  func(id string) error { _, err := elb.ParseGroup(id); return err },
		Label:       func(id string) string { return displayed(id, elb.ARN.Display) },
		GroupName:   elbGroupName,
		account:     func(id string) string { a, _ := elb.Parse(id); return a.Account },
		region:      func(id string) string { a, _ := elb.Parse(id); return a.Region },
		missing:     "Check the ARN, including its region and account.",
		advice: func(err error) string {
			switch {
			case errors.Is(err, elb.ErrDefaultRule):
				return "Use the ARN of the listener instead of that of its default rule."
			case errors.Is(err, elb.ErrMalformed) || errors.Is(err, elb.ErrWrongKind) || errors.Is(err, elb.ErrNotRoutable):
				return "Use " + form + "."
			}
			return ""
		},
		resource: func(err error) string {
			if call, is := errors.AsType[*elb.CallError](err); is {
				return call.ARN
			}
			return ""
		},
		Connect: func(config aws.Config) Clients {
			forward, rollback := elb.NewRouters(config, elb.Options{})
			recorder := elb.NewRecorder(forward)
			return Clients{Router: forward, Rollback: rollback, Recorder: recorder, Beside: recorder.Beside}
		},
	}
}

func isARN(text string) bool { return strings.HasPrefix(text, "arn:") }

// displayed names an ARN for people. It returns any other text as it is.
func displayed(id string, display func(elb.ARN) string) string {
	a, err := elb.Parse(id)
	if err != nil {
		return id
	}
	return display(a)
}

// elbGroupName is the name of a target group.
func elbGroupName(id string) string {
	a, err := elb.ParseGroup(id)
	if err != nil {
		return id
	}
	return a.Name
}
