package routers

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
)

// lambdaAliases are aliases of functions.
func lambdaAliases() Entry {
	const form = "the ARN of an alias of a Lambda function"
	return Entry{
		Name:        "Lambda aliases",
		Block:       "lambda",
		Backends:    "function_versions",
		Backend:     "function version",
		BackendForm: "the ARN of a function version",
		RouteForm:   form,
		Unrecorded:  "A Lambda alias has no place for the record of a shift",
		Limits:      lambda.Limits(),
		owns:        func(id string) bool { _, err := lambda.Parse(id); return err == nil },
		RouteFault:  func(id string) error { _, err := lambda.ParseRoute(id); return err },
		IsGroupID:   isARN,
		GroupFault:  func(id string) error { _, err := lambda.ParseGroup(id); return err },
		compose:     lambda.Group,
		value:       lambda.VersionOf,
		Label:       lambda.Label,
		GroupName:   lambda.Label,
		account:     func(id string) string { a, _ := lambda.Parse(id); return a.Account },
		region:      func(id string) string { a, _ := lambda.Parse(id); return a.Region },
		missing:     "Check the ARN, including its region and account.",
		advice: func(err error) string {
			switch {
			case errors.Is(err, lambda.ErrLatest):
				return "Point the alias to a published version."
			case errors.Is(err, lambda.ErrMalformed) || errors.Is(err, lambda.ErrWrongKind):
				return "Use " + form + "."
			}
			return ""
		},
		resource: func(err error) string {
			if call, is := errors.AsType[*lambda.CallError](err); is {
				return call.ARN
			}
			return ""
		},
		Connect: func(config aws.Config) Clients {
			forward, rollback := lambda.NewRouters(config, lambda.Options{})
			return Clients{Router: forward, Rollback: rollback}
		},
	}
}
