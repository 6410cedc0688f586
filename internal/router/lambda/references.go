package lambda

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// namedAlias is an alias of a function.
type namedAlias struct {
	arn     ARN
	routing routing
}

// References returns the aliases that have one of the versions, in the order of the groups, then by name,
// whatever manages them. An alias also has a version at a weight of 0, which protects the version from
// deletion. It takes one call per group, and one per function (more with pagination); Reader.References
// shares them. What invokes a version directly, without an alias, is not among them. It returns
// traffic.ErrNotFound for a missing version, in a CallError with its ARN.
func (r *Router) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	_, errs := r.versions(ctx, groups)
	if err := awscall.FirstOf(groups, errs); err != nil {
		return nil, err
	}
	return references(ctx, groups, r.aliases)
}

// OtherRoutes returns the aliases of the routes' functions that send requests to one of the groups and are
// not among the routes: they keep using an environment that the routes have left. They are sorted by name.
func (r *Router) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	return otherRoutes(ctx, routes, groups, r.aliases)
}

type aliasesOf func(ctx context.Context, function ARN) ([]namedAlias, error)

func references(ctx context.Context, groups []string, list aliasesOf) ([]traffic.Reference, error) {
	var found []traffic.Reference
	for _, group := range groups {
		g, err := ParseGroup(group)
		if err != nil {
			return nil, err
		}
		aliases, err := list(ctx, g.Of())
		if err != nil {
			return nil, err
		}
		for _, x := range aliases {
			if g.Qualifier != x.routing.Version && g.Qualifier != x.routing.Additional {
				continue
			}
			share := shift.Share(x.routing.weights()[g.Qualifier])
			found = append(found, traffic.Reference{Route: x.arn.String(), Text: x.arn.Display(), Group: group, Share: share})
		}
	}
	return found, nil
}

func otherRoutes(ctx context.Context, routes, groups []string, list aliasesOf) ([]traffic.OtherRoute, error) {
	var functions []ARN
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(functions, a.Of()) {
			functions = append(functions, a.Of())
		}
	}
	slices.SortFunc(functions, func(a, b ARN) int { return strings.Compare(a.String(), b.String()) })
	var others []traffic.OtherRoute
	for _, function := range functions {
		aliases, err := list(ctx, function)
		if err != nil {
			return nil, err
		}
		if len(aliases) == 0 { // a route is an alias
			return nil, incomplete(listAliases, function.String())
		}
		for _, x := range aliases {
			other := traffic.OtherRoute{Route: x.arn.String(), Text: x.arn.Display()}
			for group := range x.arn.state(x.routing).Weights {
				if slices.Contains(groups, group) {
					other.Groups = append(other.Groups, group)
				}
			}
			if len(other.Groups) == 0 || slices.Contains(routes, other.Route) {
				continue
			}
			slices.Sort(other.Groups)
			others = append(others, other)
		}
	}
	return others, nil
}

// aliases lists the aliases of a function, by name. The filter of the API would leave out those that have a
// version as the additional one. That there is none is read twice: it means that nothing uses a version.
func (r *Router) aliases(ctx context.Context, function ARN) ([]namedAlias, error) {
	all, err := r.listed(ctx, function)
	if err == nil && len(all) == 0 && awscall.WaitFor(ctx, awscall.IncompletePauses()[0]) {
		return r.listed(ctx, function)
	}
	return all, err
}

func (r *Router) listed(ctx context.Context, function ARN) ([]namedAlias, error) {
	return awscall.RetryIncomplete(ctx, func() ([]namedAlias, error) {
		arn := function.String()
		all := []namedAlias{}
		pages := lambda.NewListAliasesPaginator(r.client(function.Region), &lambda.ListAliasesInput{FunctionName: &arn})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, callError(listAliases, arn, err)
			}
			if page.Aliases == nil { // a function without aliases has a list, which is empty
				return nil, incomplete(listAliases, arn)
			}
			for _, x := range page.Aliases {
				found, complete := aliasOf(x.FunctionVersion, x.RevisionId, x.RoutingConfig)
				if !complete || aws.ToString(x.Name) == "" {
					return nil, incomplete(listAliases, arn)
				}
				all = append(all, namedAlias{function.with(*x.Name), found.routing})
			}
		}
		slices.SortFunc(all, func(a, b namedAlias) int { return strings.Compare(a.arn.Qualifier, b.arn.Qualifier) })
		return all, nil
	})
}
