package catalog

import "github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"

// Route53 is the router of weighted records of Amazon Route 53. Its ids have no place: they have no region, and
// the zone ID does not name the account.
func Route53() Kind {
	return Kind{
		Block:       "route53",
		Backends:    "records",
		Backend:     "record",
		Unrecorded:  "Route 53 has no place for the record of a shift",
		Limits:      route53.Limits(),
		Owns:        route53.Owns,
		CheckRoute:  checked(route53.ParseRoute),
		CheckGroup:  checked(route53.ParseGroup),
		compose:     route53.Group,
		value:       route53.Identifier,
		Label:       route53.Label,
		GroupName:   route53.Identifier,
		Place:       func(string) Place { return Place{} },
		Regionless:  true,
		Connections: never,
		Batch:       zoneOf,
		Aliases:     true,
	}
}

// zoneOf returns the hosted zone of a record, whose records one call changes.
func zoneOf(route string) string {
	r, err := route53.ParseRoute(route)
	if err != nil {
		return ""
	}
	return r.Zone
}
