package route53

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Alias is what a record set answers with.
type Alias struct {
	Route    string // the id of the route with its name and type
	Target   string // the name that it is an alias of; empty: it has values
	Zone     bool   // the target is another record of the zone
	Balancer string // the DNS name of the load balancer that it is an alias of, without "dualstack."; empty: none
}

// Aliases returns what the record sets of each group answer with, for the routes of its backend, by
// group. It lists record sets with shared calls, and caches the answers for a minute. It returns the
// errors of traffic.Router.
func (r *Reader) Aliases(ctx context.Context, backends []traffic.Backend) (map[string][]Alias, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found := map[string][]Alias{}
	var unknown []string
	for _, b := range backends {
		if all, ok := r.aliases.get(b.Group); ok {
			found[b.Group] = all
		} else {
			unknown = append(unknown, b.Group)
		}
	}
	sets, errs := setsEach(ctx, unknown, r.listEach)
	for _, group := range distinct(unknown) {
		if err := errs[group]; err != nil {
			return nil, err
		}
		for _, set := range sets[group] {
			found[group] = append(found[group], aliasOf(group, set))
		}
		r.aliases.put(group, found[group])
	}
	for _, b := range backends {
		found[b.Group] = slices.DeleteFunc(slices.Clone(found[b.Group]), func(a Alias) bool { return !slices.Contains(b.Routes, a.Route) })
	}
	return found, nil
}

func aliasOf(group string, set types.ResourceRecordSet) Alias {
	zone := zoneOf(group)
	a := Alias{Route: place{zone, normalName(aws.ToString(set.Name))}.route(string(set.Type)).String()}
	if target := set.AliasTarget; target != nil {
		a.Target = strings.TrimPrefix(normalName(aws.ToString(target.DNSName)), "dualstack.")
		a.Zone, a.Balancer = aws.ToString(target.HostedZoneId) == zone, balancerName(target, zone)
	}
	return a
}
