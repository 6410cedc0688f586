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

// callStory words an error of a call, by what it amounts to.
func callStory(err error) story {
	var call *elb.CallError
	var group *elb.GroupError
	named := errors.As(err, &call)
	facts := causeFact(err)
	switch {
	case errors.Is(err, rollout.ErrDenied) && named:
		return story{
			seen:  fmt.Sprintf("AWS denied access: the credentials lack the IAM action %s.", call.Action),
			next:  "Allow it to them, and apply again.",
			facts: append([]fact{{"IAM action", call.Action}}, facts...),
		}
	case errors.Is(err, rollout.ErrExpired):
		return story{seen: "AWS took the credentials for expired or unknown.", next: "Get new credentials, and apply again.", facts: facts}
	case errors.Is(err, rollout.ErrThrottled):
		return story{
			seen:  "AWS throttled the calls for longer than they were tried again.",
			next:  "Apply again later. More tries are allowed by aws.max_attempts of the provider.",
			facts: facts,
		}
	case errors.Is(err, rollout.ErrNotFound) && named:
		return story{
			seen:  fmt.Sprintf("There is no %s.", display(call.ARN)),
			next:  "Check its ARN, region and account included, or take it out of the switch.",
			facts: append([]fact{{"ARN", call.ARN}}, facts...),
		}
	case errors.As(err, &group):
		return story{
			seen:  fmt.Sprintf("The %s belongs to another load balancer, and a target group can belong to one only.", display(group.Group)),
			next:  "Take a target group that belongs to none or to the load balancer of the routes.",
			facts: []fact{{"Target group", group.Group}, {"Its load balancer", group.Has}, {"The routes'", group.Routes}},
		}
	case errors.Is(err, elb.ErrDefaultRule):
		return story{seen: "A route is the default rule of its listener.", next: "Give the ARN of the listener instead.", facts: facts}
	}
	return ownStory(err, facts)
}

// ownStory words the errors of the provider's own making, and the rest.
func ownStory(err error, facts []fact) story {
	switch {
	case errors.Is(err, context.Canceled):
		return story{seen: "Terraform was interrupted.", next: "Run it again to go on."}
	case errors.Is(err, errAccount):
		return story{seen: "The credentials are for an account that may not be changed.", next: "Use other credentials, or add the account to aws.allowed_account_ids of the provider.", facts: facts}
	case errors.Is(err, errSettingsWait):
		return story{seen: "The provider's configuration rests on values that are known only after an apply.", next: "Give the provider values that are known, or apply what they come from first.", facts: facts}
	}
	return story{seen: "A call of AWS failed.", next: "Apply again; if it comes again, the cause says why.", facts: facts}
}

// unreadableRoutes words routes that the data source could not read.
func unreadableRoutes(routes []wantedRoute, err error) diag.Diagnostic {
	t := callStory(err)
	t.now = "Where the traffic is now could not be read."
	if errors.Is(err, rollout.ErrNotFound) {
		t.next = "Check its ARN, region and account included, or take it out of routes."
	}
	return t.diagnostic("Unable to read traffic of " + entryWords(routes))
}

// causeFact is the error from below, if any.
func causeFact(err error) []fact {
	if err == nil {
		return nil
	}
	return []fact{{"Cause", err.Error()}}
}

func unreadableMemory(err error) diag.Diagnostic {
	return story{
		seen:  "What the switch remembers from earlier runs cannot be read or written.",
		next:  "Remove the switch from the state and import it again; that moves no traffic.",
		facts: causeFact(err),
	}.diagnostic("Unable to read private state of switch")
}

func wrongProviderData(data any) diag.Diagnostic {
	return story{seen: "The provider handed over something unexpected.", next: "Please report this to the provider's developers.",
		facts: []fact{{"Type", fmt.Sprintf("%T", data)}}}.diagnostic("Unable to configure switch")
}

func unexpected(err error) diag.Diagnostic {
	return story{seen: "Something unexpected is wrong.", next: "Please report this to the provider's developers.", facts: causeFact(err)}.diagnostic("Unable to plan switch")
}
