package elbv2

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

type groupShape struct {
	TargetGroupArn             string
	TargetGroupName            string
	Protocol                   string `xml:",omitempty"`
	Port                       int    `xml:",omitempty"`
	VpcID                      string `xml:"VpcId,omitempty"`
	HealthCheckProtocol        string `xml:",omitempty"`
	HealthCheckPort            string `xml:",omitempty"`
	HealthCheckEnabled         bool
	HealthCheckIntervalSeconds int
	HealthCheckTimeoutSeconds  int
	HealthyThresholdCount      int
	UnhealthyThresholdCount    int
	HealthCheckPath            string        `xml:",omitempty"`
	Matcher                    *matcherShape `xml:",omitempty"`
	LoadBalancerArns           wire.List[string]
	TargetType                 string
	ProtocolVersion            string `xml:",omitempty"`
	IPAddressType              string `xml:"IpAddressType,omitempty"`
}

type matcherShape struct {
	HTTPCode string `xml:"HttpCode"`
}

type groupsResult struct {
	TargetGroups wire.List[groupShape]
	NextMarker   string `xml:",omitempty"`
}

// showGroup takes the load balancers of all groups, because a group record does not hold its own.
func showGroup(g *group, balancers map[string]*balancer) groupShape {
	h := g.health
	out := groupShape{
		TargetGroupArn: g.arn, TargetGroupName: g.name, Protocol: g.protocol, Port: g.port, VpcID: g.vpc,
		HealthCheckProtocol: h.Protocol, HealthCheckPort: h.Port, HealthCheckEnabled: h.Enabled,
		HealthCheckIntervalSeconds: h.Interval, HealthCheckTimeoutSeconds: h.Timeout,
		HealthyThresholdCount: h.Healthy, UnhealthyThresholdCount: h.Unhealthy, HealthCheckPath: h.Path,
		TargetType: g.targetType, ProtocolVersion: g.protocolVersion, IPAddressType: g.ipType,
	}
	if h.Matcher != "" {
		out.Matcher = &matcherShape{HTTPCode: h.Matcher}
	}
	if b := balancers[g.arn]; b != nil {
		out.LoadBalancerArns.Members = []string{b.arn}
	}
	return out
}

func (s *state) groupResult(g *group) groupsResult {
	return groupsResult{TargetGroups: wire.List[groupShape]{Members: []groupShape{showGroup(g, s.balancersByGroup())}}}
}

// createTargetGroup is idempotent: the same name with the same settings returns the existing group.
func createTargetGroup(c *call) (any, error) {
	requested, err := c.readGroup()
	if err != nil {
		return nil, err
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	for _, g := range c.state.groups {
		if g.name != requested.name || g.region != c.region {
			continue
		}
		same := g.protocol == requested.protocol && g.protocolVersion == requested.protocolVersion && g.port == requested.port &&
			g.vpc == requested.vpc && g.targetType == requested.targetType && g.health == requested.health
		if !same {
			return nil, wire.BadRequest("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", g.name)
		}
		return c.state.groupResult(g), nil
	}
	requested.arn, requested.seq = arnOf(c.region, c.service.opts.Account, "targetgroup/"+requested.name+"/"+newID()), c.state.nextSeq()
	c.state.groups[requested.arn] = requested
	c.setTags(requested.arn, tags)
	return c.state.groupResult(requested), nil
}

func (c *call) readGroup() (*group, error) {
	if err := c.Require("Name"); err != nil {
		return nil, err
	}
	if err := checkName("Target group", c.Text("Name")); err != nil {
		return nil, err
	}
	targetType, err := c.OneOf("TargetType", "instance", "ip", "lambda", "alb")
	if err != nil {
		return nil, err
	}
	g := &group{name: c.Text("Name"), region: c.region, targetType: cmp.Or(targetType, "instance"), attributes: map[string]string{}}
	if g.targetType != "lambda" {
		if err := c.readRouting(g); err != nil {
			return nil, err
		}
	}
	g.health = defaultHealth(g)
	return g, c.readHealth(g, &g.health)
}

// readRouting parses the settings of groups whose targets have network addresses.
func (c *call) readRouting(g *group) error {
	var err error
	if g.protocol, err = c.OneOf("Protocol", append([]string{"HTTP", "HTTPS"}, networkProtocols()...)...); err != nil {
		return err
	}
	port, err := c.Number("Port", 1, 65535)
	if err != nil {
		return err
	}
	if g.ipType, err = c.OneOf("IpAddressType", "ipv4", "ipv6"); err != nil {
		return err
	}
	g.ipType, g.vpc = cmp.Or(g.ipType, "ipv4"), c.Text("VpcId")
	switch {
	case g.protocol == "":
		return wire.ValidationError("A protocol must be specified")
	case port == nil:
		return wire.ValidationError("A port must be specified")
	case g.vpc == "":
		return wire.ValidationError("A VPC ID must be specified")
	}
	g.port = *port
	if !isHTTP(g.protocol) {
		return nil
	}
	g.protocolVersion = cmp.Or(c.Text("ProtocolVersion"), "HTTP1")
	if g.protocolVersion != "HTTP1" && g.protocolVersion != "HTTP2" {
		return wire.BadRequest("InvalidConfigurationRequest", "Protocol version '%s' is not simulated here: use HTTP1 or HTTP2", g.protocolVersion)
	}
	return nil
}

func isHTTP(protocol string) bool { return protocol == "HTTP" || protocol == "HTTPS" }

func defaultHealth(g *group) dataplane.HealthCheck {
	switch {
	case g.targetType == "lambda":
		return dataplane.HealthCheck{Path: "/", Interval: 35, Timeout: 30, Healthy: 5, Unhealthy: 2, Matcher: "200"}
	case isHTTP(g.protocol):
		return dataplane.HealthCheck{Enabled: true, Protocol: g.protocol, Port: "traffic-port", Path: "/", Interval: 30, Timeout: 5, Healthy: 5, Unhealthy: 2, Matcher: "200"}
	}
	return dataplane.HealthCheck{Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 30, Timeout: 10, Healthy: 5, Unhealthy: 2}
}

// readHealth updates h with the parameters of the call and validates the result.
func (c *call) readHealth(g *group, h *dataplane.HealthCheck) error {
	for _, n := range []struct {
		name      string
		low, high int
		into      *int
	}{
		{"HealthCheckIntervalSeconds", 5, 300, &h.Interval},
		{"HealthCheckTimeoutSeconds", 2, 120, &h.Timeout},
		{"HealthyThresholdCount", 2, 10, &h.Healthy},
		{"UnhealthyThresholdCount", 2, 10, &h.Unhealthy},
	} {
		sent, err := c.Number(n.name, n.low, n.high)
		if err != nil {
			return err
		}
		if sent != nil {
			*n.into = *sent
		}
	}
	enabled, err := c.Flag("HealthCheckEnabled")
	if err != nil {
		return err
	}
	if enabled != nil {
		h.Enabled = *enabled
	}
	if !h.Enabled && g.targetType != "lambda" {
		return wire.BadRequest("InvalidConfigurationRequest", "Health check enabled must be true for target groups with target type '%s'", g.targetType)
	}
	h.Protocol, h.Port, h.Path = cmp.Or(c.Text("HealthCheckProtocol"), h.Protocol), cmp.Or(c.Text("HealthCheckPort"), h.Port), cmp.Or(c.Text("HealthCheckPath"), h.Path)
	if isHTTP(h.Protocol) {
		h.Path = cmp.Or(h.Path, "/")
	}
	if m, given := c.Structure("Matcher"); given {
		if m.Has("GrpcCode") {
			return wire.BadRequest("InvalidConfigurationRequest", "gRPC health checks are not simulated here")
		}
		h.Matcher = m.Text("HttpCode")
	}
	if isHTTP(h.Protocol) && isNetwork(g.protocol) {
		h.Matcher = cmp.Or(h.Matcher, "200-399")
	}
	return checkHealth(g, *h)
}

func checkHealth(g *group, h dataplane.HealthCheck) error {
	if g.targetType == "lambda" {
		return nil
	}
	if h.Timeout >= h.Interval {
		return wire.ValidationError("Health check interval must be greater than the timeout: '%d' is not greater than '%d'", h.Interval, h.Timeout)
	}
	if port, err := strconv.Atoi(h.Port); h.Port != "traffic-port" && (err != nil || port < 1 || port > 65535) {
		return wire.ValidationError("Health check port '%s' must be 'traffic-port' or a number between '1' and '65535'", h.Port)
	}
	if !isHTTP(h.Protocol) {
		if h.Protocol != "TCP" || isHTTP(g.protocol) {
			return wire.ValidationError("Health check protocol '%s' is not supported for target groups with protocol '%s'", h.Protocol, g.protocol)
		}
		return nil
	}
	if !strings.HasPrefix(h.Path, "/") || len(h.Path) > 1024 {
		return wire.ValidationError("Health check path '%s' must begin with a '/' character and have at most 1024 characters", h.Path)
	}
	if err := dataplane.CheckMatcher(h.Matcher); err != nil {
		return wire.ValidationError("Health check matcher HTTP code %v", err)
	}
	return nil
}

// group returns the target group in the TargetGroupArn parameter.
func (c *call) group() (*group, error) {
	if err := c.Require("TargetGroupArn"); err != nil {
		return nil, err
	}
	arn := c.Text("TargetGroupArn")
	if !strings.HasPrefix(resourceOf(arn), "targetgroup/") {
		return nil, wire.ValidationError("'%s' is not a valid target group ARN", arn)
	}
	g := c.state.groups[arn]
	if g == nil || g.region != c.region {
		return nil, wire.BadRequest("TargetGroupNotFound", "One or more target groups not found")
	}
	return g, nil
}

func modifyTargetGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	changed := *g
	if err := c.readHealth(&changed, &changed.health); err != nil {
		return nil, err
	}
	c.state.groups[g.arn] = &changed
	return c.state.groupResult(&changed), nil
}

func describeTargetGroups(c *call) (any, error) {
	arns, names, lb := c.List("TargetGroupArns"), c.List("Names"), c.Text("LoadBalancerArn")
	given := 0
	for _, is := range []bool{len(arns) > 0, len(names) > 0, lb != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, wire.ValidationError("Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time")
	}
	if err := checkDescribeCount(len(arns)+len(names), "target groups"); err != nil {
		return nil, err
	}
	if lb != "" {
		if _, err := c.balancer(); err != nil {
			return nil, err
		}
	}
	balancers := c.state.shownBalancers(c.service.opts.StaleGroupBalancers)
	matched := sorted(c.state.groups, func(g *group) bool {
		used := lb == "" || (balancers[g.arn] != nil && balancers[g.arn].arn == lb)
		return g.region == c.region && used && matchesFilter(arns, g.arn) && matchesFilter(names, g.name)
	}, func(g *group) int { return g.seq })
	if len(matched) < max(distinct(arns), distinct(names)) {
		return nil, wire.BadRequest("TargetGroupNotFound", "One or more target groups not found")
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	shapes := mapTo(page, func(g *group) groupShape { return showGroup(g, balancers) })
	return groupsResult{TargetGroups: wire.List[groupShape]{Members: shapes}, NextMarker: next}, nil
}

// deleteTargetGroup rejects a group that is in an action, whatever its weight. Deleting an unknown group succeeds.
func deleteTargetGroup(c *call) (any, error) {
	if err := c.Require("TargetGroupArn"); err != nil {
		return nil, err
	}
	arn := c.Text("TargetGroupArn")
	if c.state.balancersByGroup()[arn] != nil {
		return nil, wire.BadRequest("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", arn)
	}
	delete(c.state.groups, arn)
	delete(c.state.tags, arn)
	return wire.Empty{}, nil
}

func describeTargetGroupAttributes(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return attributesResult{showAttributes(groupAttributes(g), g.attributes)}, nil
}

func modifyTargetGroupAttributes(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	changed := *g
	if changed.attributes, err = c.readAttributes(groupAttributes(g), maps.Clone(g.attributes)); err != nil {
		return nil, err
	}
	if isNetwork(g.protocol) {
		err = checkNetworkStickiness(&changed)
	} else if changed.attributes[stickyEnabled] == "true" {
		err = c.checkTargetStickiness(&changed)
	}
	if err != nil {
		return nil, err
	}
	c.state.groups[g.arn] = &changed
	return attributesResult{showAttributes(groupAttributes(g), changed.attributes)}, nil
}

// checkTargetStickiness rejects target stickiness where an action with several groups has no group stickiness.
func (c *call) checkTargetStickiness(g *group) error {
	if kind := g.attributes[stickyType]; kind == "app_cookie" {
		return wire.BadRequest("InvalidConfigurationRequest", "Application cookie stickiness is not simulated here")
	}
	for _, r := range c.state.rules {
		arns := groupsOf(r.actions)
		if len(arns) > 1 && slices.Contains(arns, g.arn) && !hasGroupStickiness(r.actions) {
			return wire.BadRequest("InvalidConfigurationRequest", "You must enable group stickiness on rule '%s' before enabling target stickiness on target group '%s'", r.arn, g.arn)
		}
	}
	return nil
}
