package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts for failed AWS calls and for faults of the provider itself.

// callDetail is the cause of a failed call and what to do about it.
func callDetail(err error) errorDetail {
	var call *elb.CallError
	named := errors.As(err, &call)
	facts := causeFact(err)
	switch {
	case errors.Is(err, traffic.ErrDenied) && named:
		return errorDetail{
			cause:  fmt.Sprintf("AWS denied access: the credentials do not allow the IAM action %s.", call.Action),
			action: "Allow the action in the IAM policy of the credentials, then apply again.",
			facts:  append([]fact{{"IAM action", call.Action}}, facts...),
		}
	case errors.Is(err, traffic.ErrExpired):
		return errorDetail{cause: "The AWS credentials are expired or invalid.", action: "Renew the credentials, then apply again.", facts: facts}
	case errors.Is(err, traffic.ErrThrottled):
		return errorDetail{
			cause:  "AWS throttled the calls until all retries were used.",
			action: "Apply again later, or raise aws.max_attempts of the provider.",
			facts:  facts,
		}
	case errors.Is(err, traffic.ErrNotFound) && named:
		return errorDetail{
			cause:  fmt.Sprintf("The %s does not exist.", displayARN(call.ARN)),
			action: "Check the ARN, including its region and account, or remove it from the switch.",
			facts:  append([]fact{{"ARN", call.ARN}}, facts...),
		}
	case errors.Is(err, elb.ErrDefaultRule):
		return errorDetail{cause: "A route is the default rule of its listener.", action: "Use the ARN of the listener instead.", facts: facts}
	}
	if d, ok := groupDetail(err); ok {
		return d
	}
	if named {
		return refusedDetail(call, facts)
	}
	return ownDetail(err, facts)
}

// groupDetail is about a target group that the routes cannot forward to.
func groupDetail(err error) (errorDetail, bool) {
	group, ok := errors.AsType[*elb.GroupError](err)
	if !ok {
		return errorDetail{}, false
	}
	if errors.Is(err, elb.ErrProtocol) {
		return errorDetail{
			cause:  fmt.Sprintf("The %s has protocol %s. An Application Load Balancer forwards only to target groups with protocol HTTP or HTTPS.", displayARN(group.Group), group.Protocol),
			action: "Use a target group with protocol HTTP or HTTPS. A target group's protocol cannot be changed: create a new one.",
			facts:  []fact{{"Target group", group.Group}, {"Protocol", group.Protocol}},
		}, true
	}
	return errorDetail{
		cause:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to only one.", displayARN(group.Group)),
		action: "Use a target group that belongs to the load balancer of the routes or to none.",
		facts:  []fact{{"Target group", group.Group}, {"Load balancer of the target group", group.Balancer}, {"Load balancer of the routes", group.Routes}},
	}, true
}

// refusedDetail is about a call that AWS answered with an error of its own. A
// refused request is refused again, so applying again is no remedy for it.
func refusedDetail(call *elb.CallError, facts []fact) errorDetail {
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

// ownDetail is about errors of the provider itself, and all others.
func ownDetail(err error, facts []fact) errorDetail {
	switch {
	case errors.Is(err, context.Canceled):
		return errorDetail{cause: "Terraform was interrupted.", action: "Run it again."}
	case errors.Is(err, errAccount):
		return errorDetail{
			cause:  "The credentials belong to an AWS account that is not in allowed_account_ids.",
			action: "Use credentials of an allowed account, or add the account to aws.allowed_account_ids of the provider.",
			facts:  facts,
		}
	case errors.Is(err, errSettingsUnknown):
		return errorDetail{
			cause:  "The provider configuration depends on values that are known only after apply.",
			action: "Configure the provider with known values, or apply the resources that they come from first (terraform apply -target).",
			facts:  facts,
		}
	}
	return errorDetail{cause: "A call to AWS failed.", action: "Fix what the cause names, then apply again.", facts: facts}
}

// unreadableRoutes reports routes that the data source could not read.
func unreadableRoutes(routes []traffic.Route, err error) diag.Diagnostic {
	d := callDetail(err)
	d.traffic = "could not be read."
	if errors.Is(err, traffic.ErrNotFound) {
		d.action = "Check the ARN, including its region and account, or remove it from routes."
	}
	return d.diagnostic("Cannot read the traffic of " + entryNames(routes))
}

// causeFact is the underlying error, if any.
func causeFact(err error) []fact {
	if err == nil {
		return nil
	}
	return []fact{{"Cause", err.Error()}}
}

func unreadableMemory(err error) diag.Diagnostic {
	if errors.Is(err, release.ErrMemoryVersion) {
		return errorDetail{
			cause:  "The private state of the switch was written by a newer version of the provider.",
			action: "Use that version of the provider, or a newer one.",
			facts:  causeFact(err),
		}.diagnostic("Cannot read the private state of the switch")
	}
	return errorDetail{
		cause:  "The private state of the switch is not valid.",
		action: "Remove the switch from the state (terraform state rm) and import it again. This moves no traffic; rejected and previous versions are forgotten.",
		facts:  causeFact(err),
	}.diagnostic("Cannot read the private state of the switch")
}

func wrongProviderData(data any) diag.Diagnostic {
	return reportToDevelopers("Cannot configure the switch", fact{"Type", fmt.Sprintf("%T", data)})
}

func unexpected(err error) diag.Diagnostic {
	return reportToDevelopers("Cannot plan the switch", causeFact(err)...)
}

// reportToDevelopers is for what only a fault of the provider can cause.
func reportToDevelopers(summary string, facts ...fact) diag.Diagnostic {
	return errorDetail{
		cause:  "This is a bug in the provider.",
		action: "Report it to the provider developers with the lines below and the configuration of the resource.",
		facts:  facts,
	}.diagnostic(summary)
}
