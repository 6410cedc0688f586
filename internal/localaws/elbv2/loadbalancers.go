package elbv2

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	application = "application"
	network     = "network"

	deletionProtection = "deletion_protection.enabled"
	idleTimeout        = "idle_timeout.timeout_seconds"
	forwardedForMode   = "routing.http.xff_header_processing.mode"
)

type balancerShape struct {
	LoadBalancerArn       string
	DNSName               string
	CanonicalHostedZoneID string `xml:"CanonicalHostedZoneId"`
	CreatedTime           string
	LoadBalancerName      string
	Scheme                string
	VpcID                 string `xml:"VpcId"`
	State                 struct{ Code string }
	Type                  string
	AvailabilityZones     wire.List[zoneShape]
	SecurityGroups        wire.List[string]
	IPAddressType         string `xml:"IpAddressType"`
}

type zoneShape struct {
	ZoneName              string
	SubnetID              string `xml:"SubnetId"`
	LoadBalancerAddresses wire.List[wire.Empty]
}

func (s *state) showBalancer(b *balancer) balancerShape {
	out := balancerShape{
		LoadBalancerArn: b.arn, DNSName: b.dnsName(),
		CanonicalHostedZoneID: CanonicalZone, CreatedTime: b.at.UTC().Format(time.RFC3339), LoadBalancerName: b.name,
		Scheme: b.scheme, VpcID: b.vpc, Type: b.kind, SecurityGroups: wire.List[string]{Members: b.securityGroups}, IPAddressType: b.ipType,
	}
	out.State.Code = "active"
	out.AvailabilityZones.Members = s.showZones(b)
	return out
}

func (s *state) showZones(b *balancer) []zoneShape {
	var out []zoneShape
	for _, subnet := range b.subnets {
		out = append(out, zoneShape{ZoneName: b.region + s.zones[subnet], SubnetID: subnet})
	}
	return out
}

type balancersResult struct {
	LoadBalancers wire.List[balancerShape]
	NextMarker    string `xml:",omitempty"`
}

// createLoadBalancer is idempotent: the same name with the same settings returns the existing load balancer.
func createLoadBalancer(c *call) (any, error) {
	requested, err := c.readBalancer()
	if err != nil {
		return nil, err
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	for _, b := range c.state.balancers {
		if b.name != requested.name || b.region != c.region {
			continue
		}
		same := b.kind == requested.kind && b.scheme == requested.scheme && b.ipType == requested.ipType &&
			slices.Equal(b.subnets, requested.subnets) && slices.Equal(b.securityGroups, requested.securityGroups)
		if !same {
			return nil, wire.BadRequest("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", b.name)
		}
		return balancersResult{LoadBalancers: wire.List[balancerShape]{Members: []balancerShape{c.state.showBalancer(b)}}}, nil
	}
	requested.id, requested.at, requested.seq = newID(), time.Now(), c.state.nextSeq()
	requested.address = c.newAddress()
	short := "app"
	if requested.kind == network {
		short = "net"
	}
	requested.arn = arnOf(c.region, c.service.opts.Account, "loadbalancer/"+short+"/"+requested.name+"/"+requested.id)
	c.state.balancers[requested.arn] = requested
	c.setTags(requested.arn, tags)
	return balancersResult{LoadBalancers: wire.List[balancerShape]{Members: []balancerShape{c.state.showBalancer(requested)}}}, nil
}

func (c *call) readBalancer() (*balancer, error) {
	if err := c.Require("Name"); err != nil {
		return nil, err
	}
	if err := checkName("Load balancer", c.Text("Name")); err != nil {
		return nil, err
	}
	kind, err := c.OneOf("Type", application, network, "gateway")
	if err != nil {
		return nil, err
	}
	scheme, err := c.OneOf("Scheme", "internet-facing", "internal")
	if err != nil {
		return nil, err
	}
	ipType, err := c.OneOf("IpAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4")
	if err != nil {
		return nil, err
	}
	b := &balancer{
		name: c.Text("Name"), region: c.region, kind: application, scheme: "internet-facing", ipType: "ipv4",
		vpc: "vpc-0a1b2c3d4e5f60718", securityGroups: c.List("SecurityGroups"), attributes: map[string]string{},
	}
	b.kind, b.scheme, b.ipType = cmp.Or(kind, b.kind), cmp.Or(scheme, b.scheme), cmp.Or(ipType, b.ipType)
	if kind == "gateway" {
		return nil, wire.BadRequest("InvalidConfigurationRequest", "Gateway load balancers are not simulated here")
	}
	b.subnets, err = c.readSubnets(b.kind)
	return b, err
}

// readSubnets parses subnets or subnet mappings. An application load balancer needs subnets in two zones.
func (c *call) readSubnets(kind string) ([]string, error) {
	subnets := c.List("Subnets")
	for _, m := range c.Structs("SubnetMappings") {
		subnets = append(subnets, m.Text("SubnetId"))
	}
	seen := map[string]string{}
	for _, subnet := range subnets {
		zone := c.state.zoneOf(c.region, subnet)
		if other, ok := seen[zone]; ok {
			return nil, wire.BadRequest("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone: '%s' and '%s'", other, subnet)
		}
		seen[zone] = subnet
	}
	if len(subnets) == 0 {
		return nil, wire.ValidationError("At least one subnet must be specified")
	}
	if kind == application && len(subnets) < 2 {
		return nil, wire.ValidationError("At least two subnets in two different Availability Zones must be specified")
	}
	return subnets, nil
}

// checkName validates the name of a load balancer or target group.
func checkName(what, name string) error {
	ok := regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`).MatchString(name)
	switch {
	case !ok:
		return wire.ValidationError("%s name '%s' can only contain characters that are alphanumeric characters and hyphens(-), and must not begin or end with a hyphen", what, name)
	case len(name) > 32:
		return wire.ValidationError("%s name '%s' cannot be longer than '32' characters", what, name)
	case strings.HasPrefix(name, "internal-"):
		return wire.ValidationError("%s name '%s' cannot begin with 'internal-'", what, name)
	}
	return nil
}

func describeLoadBalancers(c *call) (any, error) {
	arns, names := c.List("LoadBalancerArns"), c.List("Names")
	if len(arns) > 0 && len(names) > 0 {
		return nil, wire.ValidationError("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	if err := checkDescribeCount(len(arns)+len(names), "load balancers"); err != nil {
		return nil, err
	}
	matched := sorted(c.state.balancers, func(b *balancer) bool {
		return b.region == c.region && matchesFilter(arns, b.arn) && matchesFilter(names, b.name)
	}, func(b *balancer) int { return b.seq })
	if len(matched) < max(distinct(arns), distinct(names)) {
		return nil, wire.BadRequest("LoadBalancerNotFound", "One or more load balancers not found")
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	return balancersResult{LoadBalancers: wire.List[balancerShape]{Members: mapTo(page, c.state.showBalancer)}, NextMarker: next}, nil
}

// balancer returns the load balancer in the LoadBalancerArn parameter.
func (c *call) balancer() (*balancer, error) {
	if err := c.Require("LoadBalancerArn"); err != nil {
		return nil, err
	}
	b := c.state.balancers[c.Text("LoadBalancerArn")]
	if b == nil || b.region != c.region {
		return nil, wire.BadRequest("LoadBalancerNotFound", "Load balancer '%s' not found", c.Text("LoadBalancerArn"))
	}
	return b, nil
}

// deleteLoadBalancer also deletes the listeners and rules. Deleting an unknown load balancer succeeds.
func deleteLoadBalancer(c *call) (any, error) {
	if err := c.Require("LoadBalancerArn"); err != nil {
		return nil, err
	}
	b := c.state.balancers[c.Text("LoadBalancerArn")]
	if b == nil {
		return wire.Empty{}, nil
	}
	if b.attributes[deletionProtection] == "true" {
		return nil, wire.BadRequest("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", b.arn)
	}
	for _, l := range c.state.listenersOf(b.arn) {
		c.state.dropListener(l)
	}
	delete(c.state.balancers, b.arn)
	delete(c.state.tags, b.arn)
	return wire.Empty{}, nil
}

func setSecurityGroups(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	changed := *b
	changed.securityGroups = c.List("SecurityGroups")
	c.state.balancers[b.arn] = &changed
	return struct {
		SecurityGroupIDs wire.List[string] `xml:"SecurityGroupIds"`
	}{wire.List[string]{Members: changed.securityGroups}}, nil
}

func setSubnets(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	changed := *b
	if changed.subnets, err = c.readSubnets(b.kind); err != nil {
		return nil, err
	}
	changed.ipType = cmp.Or(c.Text("IpAddressType"), b.ipType)
	c.state.balancers[b.arn] = &changed
	return struct {
		AvailabilityZones wire.List[zoneShape]
		IPAddressType     string `xml:"IpAddressType"`
	}{wire.List[zoneShape]{Members: c.state.showZones(&changed)}, changed.ipType}, nil
}

func setIPAddressType(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	ipType, err := c.OneOf("IpAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4")
	if err != nil {
		return nil, err
	}
	changed := *b
	changed.ipType = cmp.Or(ipType, b.ipType)
	c.state.balancers[b.arn] = &changed
	return struct {
		IPAddressType string `xml:"IpAddressType"`
	}{changed.ipType}, nil
}

// describeCapacityReservation reports no reservation, as for any load balancer without one.
func describeCapacityReservation(c *call) (any, error) {
	if _, err := c.balancer(); err != nil {
		return nil, err
	}
	return struct {
		DecreaseRequestsRemaining int
		CapacityReservationState  wire.List[wire.Empty]
	}{DecreaseRequestsRemaining: 2}, nil
}

func describeLoadBalancerAttributes(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	return attributesResult{showAttributes(balancerAttributes(b.kind), b.attributes)}, nil
}

func modifyLoadBalancerAttributes(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	changed := *b
	if changed.attributes, err = c.readAttributes(balancerAttributes(b.kind), maps.Clone(b.attributes)); err != nil {
		return nil, err
	}
	c.state.balancers[b.arn] = &changed
	return attributesResult{showAttributes(balancerAttributes(b.kind), changed.attributes)}, nil
}
