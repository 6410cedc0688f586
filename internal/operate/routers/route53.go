package routers

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
)

// route53Records are weighted records.
func route53Records() Entry {
	const form = "a record as ZONE_ID/name/type, such as Z0123456789ABC/app.example.com/A"
	none := func(string) string { return "" }
	return Entry{
		Name:        "Route 53 records",
		Block:       "route53",
		Backends:    "records",
		Backend:     "record",
		BackendForm: "a record as ZONE_ID/name#SET_IDENTIFIER",
		RouteForm:   form,
		Unrecorded:  "Route 53 has no place for the record of a shift",
		Limits:      route53.Limits(),
		owns:        route53.Owns,
		RouteFault:  func(id string) error { _, err := route53.ParseRoute(id); return err },
		IsGroupID:   route53.Owns,
		GroupFault:  func(id string) error { _, err := route53.ParseGroup(id); return err },
		compose:     route53.Group,
		value:       route53.Identifier,
		Label:       route53.Label,
		GroupName:   route53.Identifier,
		account:     none,
		region:      none,
		missing:     "Check the zone ID, the name and the type, and that the credentials belong to the account of the zone.",
		advice: func(err error) string {
			id, named := errors.AsType[*route53.IDError](err)
			switch {
			case named && id.Normal != "":
				return "Use " + id.Normal + "."
			case named:
				return "Use " + form + "."
			case errors.Is(err, route53.ErrNotWeighted):
				return "The command moves traffic between weighted records only."
			}
			return ""
		},
		resource: func(err error) string {
			if call, is := errors.AsType[*route53.CallError](err); is {
				return call.ID
			}
			return ""
		},
		Connect: func(config aws.Config) Clients {
			forward, rollback := route53.NewRouters(config, route53.Options{})
			return Clients{Router: forward, Rollback: rollback, Others: forward.OtherRoutes}
		},
	}
}
