package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// The words for calls of AWS that failed, and for faults of the provider's own.

// callDetail words an error of a call, by what it amounts to.
func callDetail(err error) errorDetail {
	var call *elb.CallError
	var group *elb.GroupError
	named := errors.As(err, &call)
	facts := causeFact(err)
	switch {
	case errors.Is(err, rollout.ErrDenied) && named:
		return errorDetail{
			cause:  fmt.Sprintf("AWS denied access: the credentials lack the IAM action %s.", call.Action),
			action: "Allow it to them, and apply again.",
			facts:  append([]fact{{"IAM action", call.Action}}, facts...),
		}
	case errors.Is(err, rollout.ErrExpired):
		return errorDetail{cause: "AWS took the credentials for expired or unknown.", action: "Get new credentials, and apply again.", facts: facts}
	case errors.Is(err, rollout.ErrThrottled):
		return errorDetail{
			cause:  "AWS throttled the calls for longer than they were tried again.",
			action: "Apply again later. More tries are allowed by aws.max_attempts of the provider.",
			facts:  facts,
		}
	case errors.Is(err, rollout.ErrNotFound) && named:
		return errorDetail{
			cause:  fmt.Sprintf("There is no %s.", displayARN(call.ARN)),
			action: "Check its ARN, region and account included, or take it out of the switch.",
			facts:  append([]fact{{"ARN", call.ARN}}, facts...),
		}
	case errors.As(err, &group):
		return errorDetail{
			cause:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to one only.", displayARN(group.Group)),
			action: "Take a target group that belongs to none or to the load balancer of the routes.",
			facts:  []fact{{"Target group", group.Group}, {"Its load balancer", group.Balancer}, {"The routes'", group.Routes}},
		}
	case errors.Is(err, elb.ErrDefaultRule):
		return errorDetail{cause: "A route is the default rule of its listener.", action: "Give the ARN of the listener instead.", facts: facts}
	}
	return ownDetail(err, facts)
}

// ownDetail words the errors of the provider's own making, and the rest.
func ownDetail(err error, facts []fact) errorDetail {
	switch {
	case errors.Is(err, context.Canceled):
		return errorDetail{cause: "Terraform was interrupted.", action: "Run it again to go on."}
	case errors.Is(err, errAccount):
		return errorDetail{cause: "The credentials are for an account that may not be changed.", action: "Use other credentials, or add the account to aws.allowed_account_ids of the provider.", facts: facts}
	case errors.Is(err, errSettingsUnknown):
		return errorDetail{cause: "The provider's configuration rests on values that are known only after an apply.", action: "Give the provider values that are known, or apply what they come from first.", facts: facts}
	}
	return errorDetail{cause: "A call of AWS failed.", action: "Apply again; if it comes again, the cause says why.", facts: facts}
}

// unreadableRoutes words routes that the data source could not read.
func unreadableRoutes(routes []desiredRoute, err error) diag.Diagnostic {
	t := callDetail(err)
	t.traffic = "Where the traffic is now could not be read."
	if errors.Is(err, rollout.ErrNotFound) {
		t.action = "Check its ARN, region and account included, or take it out of routes."
	}
	return t.diagnostic("Unable to read traffic of " + entryNames(routes))
}

// causeFact is the error from below, if any.
func causeFact(err error) []fact {
	if err == nil {
		return nil
	}
	return []fact{{"Cause", err.Error()}}
}

func unreadableMemory(err error) diag.Diagnostic {
	return errorDetail{
		cause:  "What the switch remembers from earlier runs cannot be read or written.",
		action: "Remove the switch from the state and import it again; that moves no traffic.",
		facts:  causeFact(err),
	}.diagnostic("Unable to read private state of switch")
}

func wrongProviderData(data any) diag.Diagnostic {
	return errorDetail{cause: "The provider handed over something unexpected.", action: "Please report this to the provider's developers.",
		facts: []fact{{"Type", fmt.Sprintf("%T", data)}}}.diagnostic("Unable to configure switch")
}

func unexpected(err error) diag.Diagnostic {
	return errorDetail{cause: "Something unexpected is wrong.", action: "Please report this to the provider's developers.", facts: causeFact(err)}.diagnostic("Unable to plan switch")
}
