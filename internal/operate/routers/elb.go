package routers

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// loadBalancers are listeners and rules.
func loadBalancers() Entry {
	const form = "the ARN of a listener or a listener rule of an Application Load Balancer, or of a listener of a Network Load Balancer"
	return Entry{
		Kind:        catalog.LoadBalancer(),
		Name:        "load balancers",
		BackendForm: "the ARN of a target group",
		RouteForm:   form,
		IsGroupID:   isARN,
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
