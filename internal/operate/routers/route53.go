package routers

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
)

// GlobalRegion returns the region in which records are called where nothing sets one: that of the partition that the
// credentials belong to. Where this is not known, as for access keys, it is that of "aws".
func GlobalRegion(cfg aws.Config) (region string, known bool) {
	partition := awscall.PartitionOf(cfg)
	return route53.GlobalRegion(partition), partition != ""
}

// route53Records are weighted records.
func route53Records() Entry {
	const form = "a record as ZONE_ID/name/type, such as Z0123456789ABC/app.example.com/A"
	return Entry{
		Kind:        catalog.Route53(),
		Name:        "Route 53 records",
		BackendForm: "a record as ZONE_ID/name#SET_IDENTIFIER",
		RouteForm:   form,
		IsGroupID:   route53.Owns,
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
		failed: func(err error) (string, bool) {
			call, is := errors.AsType[*route53.CallError](err)
			if !is {
				return "", false
			}
			return call.ID, true
		},
		network: amazonNetwork,
		Connect: func(session Session) (Clients, error) {
			forward, rollback := route53.NewRouters(session.AWS, route53.Options{})
			return Clients{Router: forward, Rollback: rollback, Others: forward.OtherRoutes}, nil
		},
	}
}
