package route53

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
)

// recordSet is a record set in the form of requests and responses. Those in a state never change.
type recordSet struct {
	Name            string
	Type            string
	SetIdentifier   *string `xml:",omitempty"`
	Weight          *int    `xml:",omitempty"`
	TTL             *int    `xml:",omitempty"`
	ResourceRecords recordValues
	AliasTarget     *aliasTarget `xml:",omitempty"`
	HealthCheckID   string       `json:"HealthCheckId" xml:"HealthCheckId,omitempty"`

	Region           *string      `xml:",omitempty"`
	Failover         *string      `xml:",omitempty"`
	MultiValueAnswer *bool        `xml:",omitempty"`
	GeoLocation      *geoLocation `xml:",omitempty"`

	// The other routing policies are rejected.
	GeoProximityLocation    any     `xml:"-"`
	CidrRoutingConfig       any     `xml:"-"`
	TrafficPolicyInstanceID *string `json:"TrafficPolicyInstanceId" xml:"-"`
}

type record struct {
	Value string
}

type aliasTarget struct {
	HostedZoneID         string `json:"HostedZoneId" xml:"HostedZoneId"`
	DNSName              string
	EvaluateTargetHealth bool
}

// recordKey identifies a record set in a zone.
type recordKey struct{ name, kind, id string }

// key takes a record set with a normalized name.
func (r *recordSet) key() recordKey { return recordKey{r.Name, r.Type, r.identifier()} }

func (r *recordSet) identifier() string {
	if r.SetIdentifier == nil {
		return ""
	}
	return *r.SetIdentifier
}

func (r *recordSet) values() []string {
	var out []string
	for _, rr := range r.ResourceRecords {
		out = append(out, rr.Value)
	}
	return out
}

// describe returns the record set as the messages of a batch name it.
func (r *recordSet) describe() string {
	if r.SetIdentifier == nil {
		return fmt.Sprintf("[name='%s', type='%s']", r.Name, r.Type)
	}
	return fmt.Sprintf("[name='%s', type='%s', set-identifier='%s']", r.Name, r.Type, r.identifier())
}

// named returns the record set as the messages about conflicts name it.
func (r *recordSet) named() string {
	if r.SetIdentifier == nil {
		return fmt.Sprintf("RRSet with DNS name %s, type %s", r.Name, r.Type)
	}
	return fmt.Sprintf("RRSet with DNS name %s, type %s, SetIdentifier %s", r.Name, r.Type, r.identifier())
}

// normal returns the record set with its names in the form of the API.
func (r recordSet) normal() *recordSet {
	r.Name = normalize(r.Name)
	if r.AliasTarget != nil {
		alias := *r.AliasTarget
		alias.DNSName = normalize(alias.DNSName)
		r.AliasTarget = &alias
	}
	return &r
}

// matches reports whether a DELETE of r matches the record set o: all values must be the same. The order of the
// records has no meaning.
func (r *recordSet) matches(o *recordSet) bool {
	same := func(a, b *int) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	if r.policy() != o.policy() || r.place() != o.place() || !same(r.Weight, o.Weight) || !same(r.TTL, o.TTL) || r.HealthCheckID != o.HealthCheckID {
		return false
	}
	if (r.AliasTarget == nil) != (o.AliasTarget == nil) || (r.AliasTarget != nil && *r.AliasTarget != *o.AliasTarget) {
		return false
	}
	return slices.Equal(slices.Sorted(slices.Values(r.values())), slices.Sorted(slices.Values(o.values())))
}

// parse returns the records of a record set as DNS has them.
func (r *recordSet) parse() ([]dns.RR, error) {
	var out []dns.RR
	for _, value := range r.values() {
		rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", inDNS(r.Name), *r.TTL, r.Type, value))
		if err != nil || rr == nil || strings.ContainsAny(value, "\n;") && r.Type != "TXT" {
			return nil, fmt.Errorf("%s", badValue(r.Type, value))
		}
		out = append(out, rr)
	}
	return out, nil
}

// badValue returns the message about a value that is not one of the type. Those for A and AAAA are AWS's; the others
// follow their form, because the real ones differ in words that are not known for every type.
func badValue(kind, value string) string {
	problem := "InvalidRRData (Value is not valid for a record of type " + kind + ")"
	switch kind {
	case "A":
		problem = "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
	case "AAAA":
		problem = "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
	}
	return fmt.Sprintf("Invalid Resource Record: 'FATAL problem: %s encountered with '%s''", problem, value)
}

// view returns the zone in the form of the name server.
func (z *zone) view(balancerZone string) *nameserver.Zone {
	sets := map[nameserver.Key][]nameserver.Set{}
	for _, key := range z.sortedKeys() {
		r := z.records[key]
		set := nameserver.Set{ID: key.id, HealthCheck: r.HealthCheckID, Weight: r.share()}
		if r.AliasTarget != nil {
			set.Alias = &nameserver.Alias{
				Name: inDNS(r.AliasTarget.DNSName), Balancer: r.AliasTarget.HostedZoneID == balancerZone, EvaluateHealth: r.AliasTarget.EvaluateTargetHealth,
			}
		} else {
			set.Records, _ = r.parse() // what is in a zone was parsed before
		}
		at := nameserver.Key{Name: inDNS(r.Name), Type: dns.StringToType[r.Type]}
		sets[at] = append(sets[at], set)
	}
	return nameserver.NewZone(z.id, inDNS(z.name), sets)
}
