package platform

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// route53Records is the platform of weighted records.
func route53Records() Entry {
	return Entry{
		Kind:         catalog.Route53(),
		BackendsText: "Map of entry point to the set identifier of its weighted records, with one for each entry point",
		Words: Words{
			API: amazon, Renewed: amazonRole, Service: "Route 53", Route: "record",
			Manager:    hashicorpAWS,
			Ignore:     "lifecycle { ignore_changes = [weighted_routing_policy] }",
			NotHealthy: "Find out why the health check of the record fails or, for an alias, why the targets of its load balancer are not healthy. Then apply again.",
			TooFew:     "Give the load balancer behind the record enough healthy targets%s, then apply again.",
			Check:      recordCheck, CheckBackend: setCheck, Network: amazonNetwork,
		},
		Schema:     route53Block,
		ValueFault: identifierFault,
		groupFault: severalNames,
		RouteText:  "a record as ZONE_ID/name/type",
		NoRequests: func([]string) string { return "" }, // a read shows it; see Clients.Balancers
		RouteFault: recordFault,
		GroupFault: setFault,
		Detaches:   func(string) bool { return false },
		Unread:     func(string) bool { return true },
		ReadFault:  recordReadFault,
		Detail:     recordDetail,
		Command:    route53.Command,
		restore:    route53.Restore,
		LimitText:  "100 record sets of one name and type, the maximum of Route 53",
		IdleText:   "no record has it",
		Connect:    connectRoute53,
	}
}

func route53Block() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "The weighted records of Amazon Route 53 to shift. See [Routers](../guides/routers.md).",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"routes": schema.MapAttribute{
				ElementType: types.ListType{ElemType: types.StringType},
				Required:    true,
				MarkdownDescription: "Map of entry point (a name that you choose, such as `web`, without commas and `=`) to its records, each as `ZONE_ID/name/type`, such as `Z0123456789ABC/app.example.com/A`. " +
					"Types: `A`, `AAAA` and `CNAME`, also as aliases. The records of one entry point have the same zone and name. Each needs a weighted record set for every environment. All records of a zone are changed in one batch.",
			},
		}},
	}
}

func severalNames(err error) string {
	if errors.Is(err, route53.ErrSeveralNames) {
		return "The records of its entry point have several names or zones. Use an entry point for each name."
	}
	return ""
}

func identifierFault(identifier string) string {
	if n := len([]rune(identifier)); n == 0 || n > 128 {
		return "It is not a set identifier, which has 1 to 128 characters. Use the set_identifier of an aws_route53_record."
	}
	return spaceFault(identifier)
}

// recordFault says what is wrong with the id of a route.
func recordFault(id string) string {
	_, err := route53.ParseRoute(id)
	return idFault(err)
}

// setFault says what is wrong with the id of a group.
func setFault(id string) string {
	_, err := route53.ParseGroup(id)
	return idFault(err)
}

// idFault words the error of an id.
func idFault(err error) string {
	parsed, _ := errors.AsType[*route53.IDError](err)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, route53.ErrType):
		return "It is not a record of type A, AAAA or CNAME."
	case errors.Is(err, route53.ErrNotNormal) && parsed != nil:
		return fmt.Sprintf("Write it as %s: the ID of the zone without a prefix, and the name in lower case, with * instead of its escape and without a trailing dot.", parsed.Normal)
	}
	return "It is not a record of Route 53. Use ZONE_ID/name/type, such as Z0123456789ABC/app.example.com/A."
}

// recordReadFault is about a zone that does not exist, or a record that has another routing policy. A record that does
// not exist may be created by the same apply, but Route 53 chooses the ID of a zone when it creates it.
func recordReadFault(at path.Path, route string, err error) diag.Diagnostic {
	if call, is := errors.AsType[*route53.CallError](err); is && call.Code == noSuchZone {
		return input.Misuse(at, fmt.Sprintf("The %s does not exist. %s", recordName(route, noSuchZone), zoneAction), input.Fact{"Record", route})
	}
	if weighted, is := errors.AsType[*route53.NotWeightedError](err); is && weighted.Route == route {
		return input.Misuse(at, notWeightedText(weighted)+" "+weightedAction, input.Fact{"Record", route}, input.Fact{"Routing policy", weighted.Policy})
	}
	return nil
}

func notWeightedText(e *route53.NotWeightedError) string {
	return fmt.Sprintf("The record %s has the routing policy %q.", route53.Label(e.Route), e.Policy)
}

// weightedAction is what to do about a record that is not weighted.
const weightedAction = "Use a weighted record: one aws_route53_record with weighted_routing_policy and set_identifier for each environment."

// recordDetail words an error of Route 53.
func recordDetail(err error) (input.Detail, bool) {
	if batch, is := errors.AsType[*route53.BatchError](err); is {
		return recordDetail(batch.Cause) // nothing is wrong with the record itself
	}
	call, named := errors.AsType[*route53.CallError](err)
	failed := awsCall{kind: "Record", check: setCheck}
	if named {
		failed.action, failed.id, failed.name, failed.refused = call.Action, call.ID, recordName(call.ID, call.Code), call.Refused()
		if _, err := route53.ParseRoute(call.ID); err == nil {
			failed.check = recordCheck
		}
	}
	facts := input.CauseFact(err)
	if weighted, is := errors.AsType[*route53.NotWeightedError](err); is {
		return input.Detail{Cause: notWeightedText(weighted), Action: weightedAction, Facts: facts}, true
	}
	if group, is := errors.AsType[*route53.GroupError](err); is {
		return input.Detail{
			Cause:  fmt.Sprintf("The record %s has no record set with the set identifier %q.", route53.Label(group.Route), route53.Identifier(group.Group)),
			Action: "Create the record set, with weight 0 and all other values as those of the environment, or change records of the environment.",
			Facts:  append([]input.Fact{{"Record", group.Route}}, facts...),
		}, true
	}
	if errors.Is(err, route53.ErrChanged) {
		return input.Detail{
			Cause:  "Something else changed the records at the same time, so that the batch was not carried out.",
			Action: "Find what else changes the records, such as external-dns, or an aws_route53_record without lifecycle { ignore_changes = [weighted_routing_policy] }. Then apply again.",
			Facts:  facts,
		}, true
	}
	if !named {
		return input.Detail{}, false
	}
	if d, ok := failed.denial(err); ok {
		if errors.Is(err, traffic.ErrExpired) {
			d.Action += otherPartition
		}
		return d, true
	}
	return failed.failure(err), true
}

// noSuchZone is the error code for a zone that does not exist.
const noSuchZone = "NoSuchHostedZone"

// What to check of a record, and of a record set, that does not exist.
const (
	recordCheck = "the zone ID, the name and the type"
	setCheck    = "the zone ID, the name and the set identifier"
)

// otherPartition is about credentials that are refused because they belong to another partition of AWS: access keys do
// not show theirs.
const otherPartition = " For AWS GovCloud (US) and China, region in the block aws of the provider must be a region there, because a record has none."

// zoneAction is what to do about a zone that does not exist.
const zoneAction = "Use the zone_id attribute of an aws_route53_zone, and the credentials of its account."

// recordName names what a call is about in a sentence.
func recordName(id, code string) string {
	zone, _, _ := strings.Cut(id, "/")
	if code == noSuchZone {
		return "hosted zone " + zone
	}
	if g, err := route53.ParseGroup(id); err == nil {
		return fmt.Sprintf("record set %q of %s", g.Identifier, g.Name)
	}
	if r, err := route53.ParseRoute(id); err == nil {
		return "record " + r.Display()
	}
	switch {
	case zoneID.MatchString(id):
		return "hosted zone " + id
	case strings.HasPrefix(id, "/change/"):
		return "change " + strings.TrimPrefix(id, "/change/")
	}
	return "health check " + id
}

// zoneID is the form of the ID of a hosted zone. That of a health check is a UUID.
var zoneID = regexp.MustCompile(`^Z[0-9A-Z]+$`)

// oneAccount is the account of all clients of a process: Terraform runs each provider configuration in a process
// of its own.
const oneAccount = "provider"

// connectRoute53 opens clients.
func connectRoute53(ctx context.Context, session *Session, id string) (*Clients, error) {
	config, err := session.AWS.open(ctx, "")
	if err != nil {
		return nil, err
	}
	settings := session.AWS.Settings
	balancers, _ := elb.NewRouters(config, elb.Options{MaxAttempts: settings.MaxAttempts, Endpoint: settings.Endpoints["elbv2"]})
	names := elb.NewNames(balancers)
	forward, rollback := route53.NewRouters(config, route53.Options{MaxAttempts: settings.MaxAttempts, Endpoint: settings.Endpoints["route53"],
		Account: oneAccount, AliasHealth: names.Health, AliasIdleHealth: names.IdleHealth})
	reader := route53.NewReader(forward)
	return session.AWS.clients(config, id, Clients{Forward: forward, Rollback: rollback, Reader: reader, Groups: forward, Balancers: recordBalancers{reader, names}.find}), nil
}
