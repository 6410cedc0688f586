package route53

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

type changeRecordsInput struct {
	HostedZoneID string `json:"HostedZoneId"`
	ChangeBatch  struct {
		Comment string
		Changes []recordChange
	}
}

type recordChange struct {
	Action            string
	ResourceRecordSet recordSet
}

// changeRecords applies a change batch as a whole, or reports everything that is wrong with it and changes nothing.
func changeRecords(c *call, in changeRecordsInput) (any, error) {
	z, err := c.zone(in.HostedZoneID)
	if err != nil {
		return nil, err
	}
	if err := c.checkIdle(z.id); err != nil {
		return nil, err
	}
	changes := in.ChangeBatch.Changes
	if err := checkInput(changes); err != nil {
		return nil, err
	}
	b := &batch{call: c, zone: z, records: maps.Clone(z.records), problems: checkSize(changes)}
	if len(b.problems) == 0 {
		err = b.applyAll(changes)
	}
	if err == nil {
		err = b.failure()
	}
	if err != nil {
		return nil, err
	}
	next := *z
	next.records = b.records
	c.state.zones[z.id] = &next
	return changeResult{c.submit(z.id, in.ChangeBatch.Comment, next.view(c.opts.BalancerZone)).show()}, nil
}

// batch is a change batch that is being applied to the records of a zone. Each change sees those before it.
type batch struct {
	*call
	zone     *zone
	records  map[recordKey]*recordSet
	written  []*recordSet
	problems []string
}

func (b *batch) applyAll(changes []recordChange) error {
	for _, ch := range changes {
		r := ch.ResourceRecordSet.normal()
		if r.HealthCheckID != "" && ch.Action != "DELETE" && b.state.checks[r.HealthCheckID] == nil {
			return noHealthCheck(r.HealthCheckID)
		}
		if ch.Action == "DELETE" {
			b.remove(r)
			continue
		}
		b.write(r, ch.Action == "CREATE")
	}
	b.checkTTLs()
	return nil
}

// failure returns the error for all problems of the batch.
func (b *batch) failure() error {
	if len(b.problems) == 0 {
		return nil
	}
	return wire.BadRequest("InvalidChangeBatch", "[%s]", strings.Join(b.problems, ", "))
}

func (b *batch) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(b.problems, text) {
		b.problems = append(b.problems, text)
	}
}

func (b *batch) remove(r *recordSet) {
	current := b.records[r.key()]
	switch {
	case current == nil:
		b.problem("Tried to delete resource record set %s but it was not found", r.describe())
	case !r.matches(current):
		b.problem("Tried to delete resource record set %s but the values provided do not match the current values", r.describe())
	case r.Name == b.zone.name && r.Type == "SOA":
		b.problem("A HostedZone must contain exactly one SOA record.")
	case r.Name == b.zone.name && r.Type == "NS":
		b.problem("A HostedZone must contain at least one NS record for the zone itself.")
	default:
		delete(b.records, r.key())
	}
}

// write creates a record set, or replaces the one with the same name, type and set identifier.
func (b *batch) write(r *recordSet, create bool) {
	before := len(b.problems)
	if !within(r.Name, b.zone.name) {
		b.problem("RRSet with DNS name %s is not permitted in zone %s", r.Name, b.zone.name)
		return
	}
	if create && b.records[r.key()] != nil {
		b.problem("Tried to create resource record set %s but it already exists", r.describe())
		return
	}
	b.checkContent(r)
	b.checkCNAME(r)
	b.checkGroup(r)
	if len(b.problems) == before {
		b.records[r.key()] = r
		b.written = append(b.written, r)
	}
}

// checkContent checks the values of a record set, or the target of an alias.
func (b *batch) checkContent(r *recordSet) {
	if r.AliasTarget != nil {
		b.checkAlias(r)
		return
	}
	if _, err := r.parse(); err != nil {
		b.problem("%v", err)
	}
	seen := map[string]bool{}
	for _, value := range r.values() {
		if seen[value] {
			b.problem("Duplicate Resource Record: '%s'", value)
		}
		seen[value] = true
	}
	// The words of AWS for this one are not known.
	if r.Type == "CNAME" && len(r.ResourceRecords) > 1 {
		b.problem("%s must contain exactly one resource record", r.named())
	}
}

// checkAlias checks that the target of an alias exists: a load balancer, or a record set of this zone and type.
func (b *batch) checkAlias(r *recordSet) {
	target := r.AliasTarget
	words := fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s", target.DNSName, r.Type, target.HostedZoneID)
	switch target.HostedZoneID {
	case b.opts.BalancerZone:
		if _, ok := b.Balancer(inDNS(target.DNSName)); !ok {
			b.problem("%s, but that target was not found", words)
		}
	case b.zone.id:
		if !within(target.DNSName, b.zone.name) {
			b.problem("%s, but the alias target name does not lie within the target zone", words)
		}
		if len(b.group(target.DNSName, r.Type)) == 0 {
			b.problem("%s, but that target was not found", words)
		}
	default:
		// AWS also has the zones of its other services, which are not simulated.
		b.problem("%s, but the alias target name does not lie within the target zone", words)
	}
}

// checkCNAME checks that a CNAME has its name alone, and is not at the apex.
func (b *batch) checkCNAME(r *recordSet) {
	if r.Type == "CNAME" && r.Name == b.zone.name {
		b.problem("RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", r.Name, b.zone.name)
		return
	}
	for key := range b.records {
		switch {
		case key.name != r.Name || key.kind == r.Type:
		case r.Type == "CNAME":
			b.problem("RRSet of type CNAME with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s", r.Name, b.zone.name)
		case key.kind == "CNAME":
			b.problem("RRSet of type %s with DNS name %s is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone %s", r.Type, r.Name, b.zone.name)
		}
	}
}

// checkGroup checks a record set against the others with its name and type: all have the same routing policy, or it is
// alone.
func (b *batch) checkGroup(r *recordSet) {
	others := slices.DeleteFunc(b.group(r.Name, r.Type), func(o *recordSet) bool { return o.key() == r.key() })
	if r.SetIdentifier == nil && len(others) > 0 {
		b.problem("%s cannot be created as other RRSets exist with the same name and type.", r.named())
		return
	}
	b.checkPolicy(r, others)
	// The limit is documented, the words of AWS are not known.
	if len(others) >= maxSets {
		b.problem("%s cannot be created as the limit of %d %s sets with the same name and type is reached.", r.named(), maxSets, r.policy())
	}
}

// checkTTLs checks that weighted record sets with the same name and type have the same TTL. It is checked last, so
// that a batch can change the TTL of all of them. Aliases have none.
func (b *batch) checkTTLs() {
	for _, r := range b.written {
		if r.Weight == nil || r.TTL == nil {
			continue
		}
		differs := func(o *recordSet) bool { return o.TTL != nil && *o.TTL != *r.TTL }
		if slices.ContainsFunc(b.group(r.Name, r.Type), differs) {
			b.problem("%s cannot be created as weighted sets must contain the same TTL.", r.named())
		}
	}
}

// group returns the record sets with a name and a type.
func (b *batch) group(name, kind string) []*recordSet {
	var out []*recordSet
	for key, r := range b.records {
		if key.name == name && key.kind == kind {
			out = append(out, r)
		}
	}
	return out
}

// checkIdle rejects a change of a zone whose last change is still being processed.
func (c *call) checkIdle(zoneID string) error {
	if c.now.Before(c.busy[zoneID]) {
		return wire.BadRequest("PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request.")
	}
	return nil
}
