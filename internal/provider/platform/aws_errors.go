package platform

import (
	"errors"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// awsCall is a failed call of an AWS service.
type awsCall struct {
	action  string // the IAM action; empty: the error names no call
	id      string // of a route or group
	kind    string // what the id is, such as "ARN"
	check   string // what to check of an id that does not exist
	name    string // names the id in a sentence, such as "listener app/web/1"
	refused bool   // the service answered that the request itself is wrong
}

// denial words an error that says that the credentials, or the rate of calls, do not allow a call, or that
// something does not exist or was left out of an answer; false: another error.
func (c awsCall) denial(err error) (input.Detail, bool) {
	facts := input.CauseFact(err)
	switch {
	case errors.Is(err, traffic.ErrDenied) && c.action != "":
		return input.Detail{
			Cause:  fmt.Sprintf("AWS denied access: the credentials do not allow the IAM action %s.", c.action),
			Action: "Allow the action in the IAM policy of the credentials, then apply again.",
			Facts:  append([]input.Fact{{"IAM action", c.action}}, facts...),
		}, true
	case errors.Is(err, traffic.ErrExpired):
		return input.Detail{Cause: "The AWS credentials are expired or invalid.", Action: "Renew the credentials, then apply again.", Facts: facts}, true
	case errors.Is(err, traffic.ErrThrottled):
		return input.Detail{
			Cause:  "AWS throttled the calls until the retries or the time for them were used up.",
			Action: "Apply again later, or raise aws.max_attempts of the provider.",
			Facts:  facts,
		}, true
	case errors.Is(err, traffic.ErrNotFound) && c.id != "":
		return input.Detail{
			Cause:  fmt.Sprintf("The %s does not exist.", c.name),
			Action: fmt.Sprintf("Check %s, or remove it from the switch.", c.check),
			Facts:  append([]input.Fact{{c.kind, c.id}}, facts...),
		}, true
	case errors.Is(err, traffic.ErrIncomplete) && c.action != "":
		return input.Detail{
			Cause: fmt.Sprintf("AWS answered %s, but left out what was asked about the %s. That does not mean that it is gone.", c.action, c.name),
			Action: "Run Terraform again. If it fails again, check what answers between Terraform and AWS (a proxy, or an endpoint of the provider's aws block), " +
				"and the AWS Health Dashboard.",
			Facts: facts,
		}, true
	}
	return input.Detail{}, false
}

// failure is about a call that AWS answered with an error of its own, or not at all. A refused
// request is refused again, so applying again is no remedy for it.
func (c awsCall) failure(err error) input.Detail {
	if c.refused {
		return input.Detail{
			Cause:  "AWS refused the request, and refuses it again until its cause is fixed.",
			Action: "Fix what the cause names, then apply again.",
			Facts:  input.CauseFact(err),
		}
	}
	return input.Detail{
		Cause:  fmt.Sprintf("AWS did not answer %s, or answered with a server error, until the retries or the time for them were used up.", c.action),
		Action: "Run Terraform again. If it fails again, check the network from where Terraform runs to AWS, and the AWS Health Dashboard.",
		Facts:  input.CauseFact(err),
	}
}
