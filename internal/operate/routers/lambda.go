package routers

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
)

// lambdaAliases are aliases of functions.
func lambdaAliases() Entry {
	const form = "the ARN of an alias of a Lambda function"
	return Entry{
		Kind:        catalog.Lambda(),
		Name:        "Lambda aliases",
		BackendForm: "the ARN of a function version",
		RouteForm:   form,
		IsGroupID:   isARN,
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
