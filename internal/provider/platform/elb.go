package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// loadBalancer is the platform of Application and Network Load Balancers.
func loadBalancer() Entry {
	return Entry{
		Kind:         catalog.LoadBalancer(),
		BackendsText: "Map of entry point to the ARN of its target group, with one for each entry point",
		Schema:       loadBalancerBlock,
		ValueFault:   elbGroupFault,
		groupFault:   func(error) string { return "" }, // a value is a group
		Words: Words{
			API: amazon, Renewed: amazonRole, Service: "The load balancer", Route: "listener or rule",
			Manager:    hashicorpAWS,
			Ignore:     "lifecycle { ignore_changes = [default_action] } (a rule: [action])",
			NotHealthy: "Find out why the targets are not healthy: check the application, the health check of the target group, and security groups. Then apply again.",
			TooFew:     "Register enough targets in the target group%s, check that they pass their first health checks, then apply again.",
			Check:      amazonARN, CheckBackend: amazonARN, Network: amazonNetwork,
			Record: RecordWords{
				Refused: "Make room for 6 more of the 50 tags of each listener and rule, and allow tag keys that begin with bluegreen: in tag policies.",
				Denied:  "Allow the IAM actions elasticloadbalancing:AddTags, RemoveTags and DescribeTags on the listeners and rules, then apply again.",
				Lost:    "find out what removes the tags bluegreen:shift/… of the listeners and rules.",
				Remove:  "tags bluegreen:shift/…",
			},
		},
		RouteText:  "the ARN of a listener or listener rule",
		NoRequests: elbNoRequests,
		RouteFault: elbRouteFault,
		GroupFault: elbGroupFault,
		Detaches:   func(route string) bool { _, err := elb.ParseRoute(route); return err == nil },
		Unread:     func(route string) bool { a, err := elb.ParseRoute(route); return err == nil && a.Kind == elb.Rule },
		ReadFault:  elbReadFault,
		Detail:     elbDetail,
		Command:    elb.Command,
		restore:    elb.Restore,
		LimitText:  fmt.Sprintf("%d target groups in one action, the maximum of Elastic Load Balancing", elb.Limits().Groups),
		IdleText:   "attached to no listener or rule, so Elastic Load Balancing does not check its health",
		Connect:    connectELB,
	}
}

// elbNoRequests is about listeners that forward connections.
func elbNoRequests(routes []string) string {
	if slices.ContainsFunc(routes, func(route string) bool { return !elb.IsNetwork(route) }) {
		return ""
	}
	return "All routes are listeners of Network Load Balancers, which publish no response codes or response times. " +
		"Use cloudwatch_metric with namespace AWS/NetworkELB and HealthyHostCount of the target group or TCP_Target_Reset_Count of the load balancer, or a gate on the application's own metrics."
}

func loadBalancerBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "The listeners and rules of load balancers to shift. Exactly one of `load_balancer`, `route53`, `lambda` and `kubernetes` is required.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"routes": schema.MapAttribute{
				ElementType: types.ListType{ElemType: types.StringType},
				Required:    true,
				MarkdownDescription: "Map of entry point (a name that you choose, such as `web`, without commas and `=`) to the ARNs of the listeners (default action) and listener rules of Application Load Balancers, or listeners of Network Load Balancers, that serve it. " +
					"All routes shift in lock-step, and no other switch of the configuration may have one of them. Each must forward to target groups; a fixed 5xx response is replaced when the route is added.",
			},
			"stickiness": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long a client stays with its target group (group stickiness). Duration from `1s` to `168h`, or `0s` to turn stickiness off. Not for Network Load Balancers. Default: unchanged. " +
					"With stickiness, the old target group is detached after each shift; see [Sticky sessions and draining](../guides/sticky-sessions-and-draining.md).",
			},
		}},
	}
}

func elbRouteFault(id string) string {
	_, err := elb.ParseRoute(id)
	a, _ := elb.Parse(id)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, elb.ErrWrongKind):
		return fmt.Sprintf("It is the ARN of a %s. Use the ARN of a listener or a listener rule.", a.Kind)
	case errors.Is(err, elb.ErrNotRoutable) && a.Type == elb.Network:
		return "It is a rule of a Network Load Balancer. Use the listener of the Network Load Balancer, or a listener or a listener rule of an Application Load Balancer."
	case errors.Is(err, elb.ErrNotRoutable):
		return fmt.Sprintf("It belongs to a %s. Use a listener or a listener rule of an Application Load Balancer, or a listener of a Network Load Balancer.", a.Type)
	}
	return "It is not the ARN of a listener or a listener rule. " + arnHint(id, "aws_lb_listener or aws_lb_listener_rule")
}

func elbGroupFault(id string) string {
	_, err := elb.ParseGroup(id)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, elb.ErrWrongKind):
		a, _ := elb.Parse(id)
		return fmt.Sprintf("It is the ARN of a %s. Use the ARN of a target group.", a.Kind)
	}
	return "It is not the ARN of a target group. " + arnHint(id, "aws_lb_target_group")
}

// arnHint says what is wrong with an ARN that does not parse: white space, such as the
// newline at the end of a file, is not visible in a message. Resources are those of
// hashicorp/aws that have such an ARN.
func arnHint(text, resources string) string {
	if trimmed := strings.TrimSpace(text); trimmed != text {
		if _, err := elb.Parse(trimmed); err == nil {
			return spaceFault(text)
		}
	}
	return "Use the arn attribute of " + resources + "."
}

// elbReadFault is about the default rule of a listener, which its ARN does not show.
func elbReadFault(at path.Path, route string, err error) diag.Diagnostic {
	if !errors.Is(err, elb.ErrDefaultRule) {
		return nil
	}
	facts := []input.Fact{{"Route", route}}
	if a, err := elb.ParseRoute(route); err == nil {
		if listener, ok := a.Listener(); ok {
			facts = append(facts, input.Fact{"Listener", listener.String()})
		}
	}
	return input.Misuse(at, "It is the default rule of its listener. Use the ARN of the listener instead.", facts...)
}

// connectELB opens clients. The ARN sets the region for STS where nothing else does.
func connectELB(ctx context.Context, session *Session, id string) (*Clients, error) {
	config, err := session.AWS.open(ctx, catalog.LoadBalancer().Region(id))
	if err != nil {
		return nil, err
	}
	settings := session.AWS.Settings
	forward, rollback := elb.NewRouters(config, elb.Options{MaxAttempts: settings.MaxAttempts, Endpoint: settings.Endpoints["elbv2"]})
	return session.AWS.clients(config, id, Clients{Forward: forward, Rollback: rollback, Recorder: elb.NewRecorder(forward), Reader: elb.NewReader(forward), Groups: forward}), nil
}
