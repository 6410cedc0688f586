package route53

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// maxZones is the default and the maximum of MaxItems in lists of hosted zones and health checks.
const maxZones = 100

// zone is a hosted zone. Those in a state never change.
type zone struct {
	id, name, reference, comment string
	private                      bool
	vpcs                         vpcs
	created                      time.Time
	records                      map[recordKey]*recordSet
}

type vpc struct {
	VPCRegion string
	VPCID     string `json:"VPCId" xml:"VPCId"`
}

type zoneShape struct {
	ID                     string `xml:"Id"`
	Name                   string
	CallerReference        string
	Config                 zoneConfig
	ResourceRecordSetCount int
}

type zoneConfig struct {
	Comment     string `xml:",omitempty"`
	PrivateZone bool
}

type zoneResult struct {
	HostedZone    zoneShape
	ChangeInfo    *changeInfo    `xml:",omitempty"`
	DelegationSet *delegationSet `xml:",omitempty"`
	VPC           *vpc           `xml:",omitempty"`
	VPCs          vpcs
}

type delegationSet struct {
	NameServers []string `xml:"NameServers>NameServer"`
}

func nameServers() []string {
	return []string{"ns-1.localaws.localhost", "ns-2.localaws.localhost", "ns-3.localaws.localhost", "ns-4.localaws.localhost"}
}

func (z *zone) show() zoneShape {
	return zoneShape{
		ID: "/hostedzone/" + z.id, Name: z.name, CallerReference: z.reference, ResourceRecordSetCount: len(z.records),
		Config: zoneConfig{Comment: z.comment, PrivateZone: z.private},
	}
}

// result returns the zone as most calls do: a private zone has no name servers of its own.
func (z *zone) result() zoneResult {
	out := zoneResult{HostedZone: z.show(), VPCs: z.vpcs}
	if !z.private {
		out.DelegationSet = &delegationSet{nameServers()}
	}
	return out
}

// zone returns a hosted zone by its ID, with or without /hostedzone/ before it.
func (c *call) zone(id string) (*zone, error) {
	z := c.state.zones[strings.TrimPrefix(id, "/hostedzone/")]
	if z == nil {
		return nil, notFound("NoSuchHostedZone", "No hosted zone found with ID: %s", id)
	}
	return z, nil
}

// olderZone reports whether a zone was created before another.
func (s *Service) olderZone(id, than string) bool {
	a, b := s.state.zones[id], s.state.zones[than]
	return a != nil && (b == nil || a.created.Before(b.created))
}

type createZoneInput struct {
	Name             string
	CallerReference  string
	HostedZoneConfig struct {
		Comment     string
		PrivateZone bool
	}
	VPC *vpc
}

func createZone(c *call, in createZoneInput) (any, error) {
	if in.Name == "" || in.CallerReference == "" {
		return nil, invalidInput("1 validation error detected: a hosted zone needs a Name and a CallerReference")
	}
	for _, z := range c.state.zones {
		if z.reference == in.CallerReference {
			return nil, &wire.Error{Status: 409, Code: "HostedZoneAlreadyExists", Message: "A hosted zone has already been created with the specified caller reference."}
		}
	}
	z := &zone{
		id: newID("Z"), name: normalize(in.Name), reference: in.CallerReference, comment: in.HostedZoneConfig.Comment,
		private: in.VPC != nil, created: c.now, records: map[recordKey]*recordSet{},
	}
	if in.VPC != nil {
		z.vpcs = vpcs{*in.VPC}
	}
	servers := nameServers()
	z.put(&recordSet{Name: z.name, Type: "NS", TTL: new(172800), ResourceRecords: []record{{servers[0] + "."}, {servers[1] + "."}, {servers[2] + "."}, {servers[3] + "."}}})
	z.put(&recordSet{Name: z.name, Type: "SOA", TTL: new(900), ResourceRecords: []record{{servers[0] + ". hostmaster.localaws.localhost. 1 7200 900 1209600 86400"}}})
	if _, err := z.records[recordKey{z.name, "NS", ""}].parse(); err != nil {
		return nil, wire.BadRequest("InvalidDomainName", "%s is not a valid domain name", in.Name)
	}
	c.state.zones[z.id] = z
	info := c.submit(z.id, "", z.view(c.opts.BalancerZone)).show()
	out := z.result()
	out.ChangeInfo, out.VPC, out.VPCs = &info, in.VPC, nil
	return wire.Created{Location: "https://route53.amazonaws.com/2013-04-01/hostedzone/" + z.id, Result: out}, nil
}

func (z *zone) put(r *recordSet) { z.records[r.key()] = r }

type zoneID struct {
	ID string `json:"Id"`
}

func getZone(c *call, in zoneID) (any, error) {
	z, err := c.zone(in.ID)
	if err != nil {
		return nil, err
	}
	return z.result(), nil
}

func deleteZone(c *call, in zoneID) (any, error) {
	z, err := c.zone(in.ID)
	if err != nil {
		return nil, err
	}
	if err := c.checkIdle(z.id); err != nil {
		return nil, err
	}
	for key := range z.records {
		if key.name != z.name || (key.kind != "SOA" && key.kind != "NS") {
			return nil, wire.BadRequest("HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
		}
	}
	delete(c.state.zones, z.id)
	delete(c.state.tags, tagged{"hostedzone", z.id})
	return changeResult{c.submit(z.id, "", nil).show()}, nil
}

type zoneCommentInput struct {
	ID      string `json:"Id"`
	Comment string
}

func updateZoneComment(c *call, in zoneCommentInput) (any, error) {
	z, err := c.zone(in.ID)
	if err != nil {
		return nil, err
	}
	next := *z
	next.comment = in.Comment
	c.state.zones[z.id] = &next
	return struct{ HostedZone zoneShape }{next.show()}, nil
}

type dnssecResult struct {
	Status         struct{ ServeSignature string }
	KeySigningKeys wire.Empty
}

func getDNSSEC(c *call, in struct {
	HostedZoneID string `json:"HostedZoneId"`
}) (any, error) {
	if _, err := c.zone(in.HostedZoneID); err != nil {
		return nil, err
	}
	out := dnssecResult{}
	out.Status.ServeSignature = "NOT_SIGNING"
	return out, nil
}

type zoneList struct {
	Members []zoneShape `xml:"HostedZone"`
}

type zonesResult struct {
	HostedZones zoneList
	Marker      string `xml:",omitempty"`
	IsTruncated bool
	NextMarker  string `xml:",omitempty"`
	MaxItems    int    `xml:",omitempty"`
}

type markerInput struct {
	Marker   string
	MaxItems string
}

// listZones lists hosted zones in the order of their creation.
func listZones(c *call, in markerInput) (any, error) {
	limit, err := maxItems(in.MaxItems, maxZones)
	if err != nil {
		return nil, err
	}
	zones := slices.SortedFunc(maps.Values(c.state.zones), func(a, b *zone) int {
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.id, b.id))
	})
	start := 0
	if in.Marker != "" {
		start = slices.IndexFunc(zones, func(z *zone) bool { return z.id == strings.TrimPrefix(in.Marker, "/hostedzone/") })
		if start < 0 {
			return nil, notFound("NoSuchHostedZone", "No hosted zone found with ID: %s", in.Marker)
		}
	}
	out := zonesResult{Marker: in.Marker, MaxItems: limit}
	for i, z := range zones[start:] {
		if i == limit {
			out.IsTruncated, out.NextMarker = true, z.id
			break
		}
		out.HostedZones.Members = append(out.HostedZones.Members, z.show())
	}
	return out, nil
}

type zonesByNameInput struct {
	DNSName      string
	HostedZoneID string `json:"HostedZoneId"`
	MaxItems     string
}

type zonesByNameResult struct {
	HostedZones      zoneList
	DNSName          string `xml:",omitempty"`
	HostedZoneID     string `xml:"HostedZoneId,omitempty"`
	IsTruncated      bool
	NextDNSName      string `xml:",omitempty"`
	NextHostedZoneID string `xml:"NextHostedZoneId,omitempty"`
	MaxItems         int    `xml:",omitempty"`
}

// listZonesByName lists hosted zones from a name on, sorted by their labels in reverse order.
func listZonesByName(c *call, in zonesByNameInput) (any, error) {
	limit, err := maxItems(in.MaxItems, maxZones)
	if err != nil {
		return nil, err
	}
	zones := slices.SortedFunc(maps.Values(c.state.zones), compareZones)
	out := zonesByNameResult{DNSName: in.DNSName, HostedZoneID: in.HostedZoneID, MaxItems: limit}
	for _, z := range zones {
		from := &zone{name: normalize(in.DNSName), id: strings.TrimPrefix(in.HostedZoneID, "/hostedzone/")}
		if in.DNSName != "" && compareZones(z, from) < 0 {
			continue
		}
		if len(out.HostedZones.Members) == limit {
			out.IsTruncated, out.NextDNSName, out.NextHostedZoneID = true, z.name, z.id
			break
		}
		out.HostedZones.Members = append(out.HostedZones.Members, z.show())
	}
	return out, nil
}

func compareZones(a, b *zone) int {
	return cmp.Or(strings.Compare(reversed(a.name), reversed(b.name)), strings.Compare(a.id, b.id))
}

// maxItems parses the maximum of a page.
func maxItems(text string, most int) (int, error) {
	if text == "" {
		return most, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, invalidInput("1 validation error detected: Value '%s' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1", text)
	}
	return min(n, most), nil
}
