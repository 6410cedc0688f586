package catalog

import "github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"

// Lambda is the router of aliases of AWS Lambda functions.
func Lambda() Kind {
	return Kind{
		Block:       "lambda",
		Backends:    "function_versions",
		Backend:     "function version",
		Unrecorded:  "A Lambda alias has no place for the record of a shift",
		Limits:      lambda.Limits(),
		Owns:        parses(lambda.Parse),
		CheckRoute:  checked(lambda.ParseRoute),
		CheckGroup:  checked(lambda.ParseGroup),
		compose:     lambda.Group,
		value:       lambda.VersionOf,
		Label:       lambda.Label,
		GroupName:   lambda.Label,
		Place:       lambdaPlace,
		Connections: never,
	}
}

func lambdaPlace(id string) Place {
	a, err := lambda.Parse(id)
	if err != nil {
		return Place{}
	}
	return Place{Partition: a.Partition, Account: a.Account, Region: a.Region}
}
