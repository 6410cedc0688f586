package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
)

// lambdaAliases is the platform of aliases of Lambda functions.
func lambdaAliases() Entry {
	return Entry{
		Kind:         catalog.Lambda(),
		BackendsText: "Map of entry point to the number of the version of its function, with one for each entry point",
		Words: Words{
			API: amazon, Renewed: amazonRole, Service: "Lambda", Route: "alias",
			Manager:    hashicorpAWS,
			Ignore:     "lifecycle { ignore_changes = [function_version, routing_config] }",
			NotHealthy: "Find out why the version is not active, or why its provisioned concurrency is not ready. Then apply again.",
			TooFew:     "Publish the version%s, then apply again.",
			Check:      amazonARN, CheckBackend: "the number of the version, and the region and account in the ARN of the alias", Network: amazonNetwork,
		},
		Schema:     lambdaBlock,
		ValueFault: versionFault,
		groupFault: severalFunctions,
		RouteText:  "the ARN of an alias",
		NoRequests: func([]string) string { return "" },
		RouteFault: aliasFault,
		GroupFault: lambdaGroupFault,
		Detaches:   func(string) bool { return false },
		Unread:     func(string) bool { return true },
		ReadFault:  aliasReadFault,
		Detail:     lambdaDetail,
		Command:    lambda.Command,
		restore:    lambda.Restore,
		LimitText:  "2 versions of one alias, the maximum of AWS Lambda",
		IdleText:   "no alias has it",
		Connect:    connectLambda,
	}
}

func lambdaBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "The aliases of AWS Lambda functions to shift. See [Routers](../guides/routers.md).",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"routes": schema.MapAttribute{
				ElementType: types.ListType{ElemType: types.StringType},
				Required:    true,
				MarkdownDescription: "Map of entry point (a name that you choose, such as `api`, without commas and `=`) to the ARNs of its aliases, such as `arn:aws:lambda:eu-central-1:123456789012:function:shop:live`. " +
					"The aliases of one entry point belong to one function. An alias has at most two versions at a time.",
			},
		}},
	}
}

func severalFunctions(err error) string {
	if errors.Is(err, lambda.ErrOtherFunction) {
		return "The aliases of its entry point belong to several functions. Use an entry point for each function."
	}
	return ""
}

func versionFault(version string) string {
	switch a, err := lambda.Parse(version); {
	case version == "$LATEST":
		return "$LATEST is not published, and changes with every update of the function. Publish a version (publish = true in aws_lambda_function), and use its version attribute."
	case err == nil:
		return fmt.Sprintf("It is the ARN of a %s. Use the number of a published version, such as the version attribute of aws_lambda_function.", a.Kind())
	case spaceFault(version) != "":
		return spaceFault(version)
	}
	if version == "" || strings.Trim(version, "0123456789") != "" || strings.HasPrefix(version, "0") {
		return "It is not the number of a published version. Use the version attribute of aws_lambda_function with publish = true."
	}
	return ""
}

// aliasFault says what is wrong with the id of a route.
func aliasFault(id string) string {
	a, err := lambda.Parse(id)
	switch {
	case err == nil && a.Kind() == lambda.Alias:
		return ""
	case err == nil:
		return fmt.Sprintf("It is the ARN of a %s. Use the arn attribute of aws_lambda_alias.", a.Kind())
	}
	return cmp.Or(spaceFault(id), "It is not the ARN of an alias. Use the arn attribute of aws_lambda_alias.")
}

func lambdaGroupFault(id string) string {
	if _, err := lambda.ParseGroup(id); err != nil {
		return "It is not the ARN of a published version."
	}
	return ""
}

// latestText is about an alias of the unpublished version.
const latestText = "It sends requests to $LATEST, which is not published. Point the alias to a published version first: publish = true in aws_lambda_function, and function_version = aws_lambda_function.this.version in aws_lambda_alias."

// aliasReadFault is about an alias that cannot be shifted.
func aliasReadFault(at path.Path, route string, err error) diag.Diagnostic {
	if errors.Is(err, lambda.ErrLatest) {
		return input.Misuse(at, latestText, input.Fact{"Alias", route})
	}
	return nil
}

// lambdaDetail words an error of Lambda.
func lambdaDetail(err error) (input.Detail, bool) {
	call, named := errors.AsType[*lambda.CallError](err)
	facts, failed := input.CauseFact(err), awsCall{kind: "ARN", check: amazonARN}
	if named {
		failed.action, failed.id, failed.name, failed.refused = call.Action, call.ARN, lambdaName(call.ARN), call.Refused()
	}
	if group, is := errors.AsType[*lambda.GroupError](err); is {
		return lambdaGroupDetail(group), true
	}
	switch {
	case errors.Is(err, lambda.ErrChanged):
		return input.Detail{
			Cause:  "Something else changed the alias at the same time, so that it was not written.",
			Action: "Find what else changes the alias, such as CodeDeploy, or an aws_lambda_alias without lifecycle { ignore_changes = [function_version, routing_config] }. Then apply again.",
			Facts:  facts,
		}, true
	case errors.Is(err, lambda.ErrLatest):
		return input.Detail{Cause: "An alias cannot be shifted.", Action: latestText, Facts: facts}, true
	case !named:
		return input.Detail{}, false
	}
	if d, ok := failed.denial(err); ok {
		return d, true
	}
	return failed.failure(err), true
}

// lambdaName names an ARN in a sentence.
func lambdaName(arn string) string {
	if version := lambda.VersionOf(arn); version != "" {
		a, _ := lambda.ParseGroup(arn)
		return fmt.Sprintf("version %s of %s", version, a.Function)
	}
	return lambda.Label(arn)
}

// lambdaGroupDetail is about versions that cannot share an alias.
func lambdaGroupDetail(e *lambda.GroupError) input.Detail {
	action := "Publish a version with the same execution role and dead-letter queue, or change them in a release of its own, at once."
	switch {
	case errors.Is(e, lambda.ErrConcurrency):
		action = "Move the provisioned concurrency from the alias to the versions: qualifier = aws_lambda_function.this.version in aws_lambda_provisioned_concurrency_config."
	case errors.Is(e, lambda.ErrOtherFunction):
		action = "Use a version of the function of the alias."
	}
	return input.Detail{Cause: "Lambda does not divide requests like this: " + e.Error() + ".", Action: action}
}

// connectLambda opens clients. The ARN sets the region for STS where nothing else does.
func connectLambda(ctx context.Context, session *Session, id string) (*Clients, error) {
	config, err := session.AWS.open(ctx, catalog.Lambda().Region(id))
	if err != nil {
		return nil, err
	}
	settings := session.AWS.Settings
	forward, rollback := lambda.NewRouters(config, lambda.Options{MaxAttempts: settings.MaxAttempts, Endpoint: settings.Endpoints["lambda"]})
	return session.AWS.clients(config, id, Clients{Forward: forward, Rollback: rollback, Reader: lambda.NewReader(forward), Groups: forward}), nil
}
