package localalb

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	LoadBalancerArns           list[string]
	TargetType                 string
	ProtocolVersion            string `xml:",omitempty"`
	IPAddressType              string `xml:"IpAddressType,omitempty"`
}

type matcherShape struct {
	HTTPCode string `xml:"HttpCode"`
}

type groupsResult struct {
	TargetGroups list[groupShape]
	NextMarker   string `xml:",omitempty"`
}

// showGroup takes the load balancers of all groups, because a group record does not hold its own.
func showGroup(g *group, balancers map[string]*balancer) groupShape {
	h := g.health
	out := groupShape{
		TargetGroupArn: g.arn, TargetGroupName: g.name, Protocol: g.protocol, Port: g.port, VpcID: g.vpc,
		HealthCheckProtocol: h.protocol, HealthCheckPort: h.port, HealthCheckEnabled: h.enabled,
		HealthCheckIntervalSeconds: h.interval, HealthCheckTimeoutSeconds: h.timeout,
		HealthyThresholdCount: h.healthy, UnhealthyThresholdCount: h.unhealthy, HealthCheckPath: h.path,
		TargetType: g.targetType, ProtocolVersion: g.protocolVersion, IPAddressType: g.ipType,
	}
	if h.matcher != "" {
		out.Matcher = &matcherShape{HTTPCode: h.matcher}
	}
	if b := balancers[g.arn]; b != nil {
		out.LoadBalancerArns.Members = []string{b.arn}
	}
	return out
}

func (c *call) groupResult(g *group) groupsResult {
	return groupsResult{TargetGroups: list[groupShape]{[]groupShape{showGroup(g, c.state.balancersByGroup())}}}
}

// createTargetGroup is idempotent: the same name with the same settings returns the existing group.
func createTargetGroup(c *call) (any, error) {
	requested, err := c.readGroup()
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
			return nil, badRequest("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", g.name)
		}
		return c.groupResult(g), nil
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	requested.arn, requested.seq = arnOf(c.region, c.server.cfg.account, "targetgroup/"+requested.name+"/"+newID()), c.state.nextSeq()
	c.state.groups[requested.arn], c.state.tags[requested.arn] = requested, tags
	return c.groupResult(requested), nil
}

func (c *call) readGroup() (*group, error) {
	if err := c.require("Name"); err != nil {
		return nil, err
	}
	if err := checkName("Target group", c.text("Name")); err != nil {
		return nil, err
	}
	targetType, err := c.oneOf("TargetType", "instance", "ip", "lambda", "alb")
	if err != nil {
		return nil, err
	}
	g := &group{name: c.text("Name"), region: c.region, targetType: or(targetType, "instance"), attributes: map[string]string{}}
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
	if g.protocol, err = c.oneOf("Protocol", "HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"); err != nil {
		return err
	}
	port, err := c.number("Port", 1, 65535)
	if err != nil {
		return err
	}
	if g.ipType, err = c.oneOf("IpAddressType", "ipv4", "ipv6"); err != nil {
		return err
	}
	g.ipType, g.vpc = or(g.ipType, "ipv4"), c.text("VpcId")
	switch {
	case g.protocol == "":
		return validationError("A protocol must be specified")
	case port == nil:
		return validationError("A port must be specified")
	case g.vpc == "":
		return validationError("A VPC ID must be specified")
	}
	g.port = *port
	if !isHTTP(g.protocol) {
		return nil
	}
	g.protocolVersion = or(c.text("ProtocolVersion"), "HTTP1")
	if g.protocolVersion != "HTTP1" && g.protocolVersion != "HTTP2" {
		return badRequest("InvalidConfigurationRequest", "Protocol version '%s' is not simulated here: use HTTP1 or HTTP2", g.protocolVersion)
	}
	return nil
}

func isHTTP(protocol string) bool { return protocol == "HTTP" || protocol == "HTTPS" }

func defaultHealth(g *group) healthSettings {
	switch {
	case g.targetType == "lambda":
		return healthSettings{path: "/", interval: 35, timeout: 30, healthy: 5, unhealthy: 2, matcher: "200"}
	case isHTTP(g.protocol):
		return healthSettings{enabled: true, protocol: g.protocol, port: "traffic-port", path: "/", interval: 30, timeout: 5, healthy: 5, unhealthy: 2, matcher: "200"}
	}
	return healthSettings{enabled: true, protocol: "TCP", port: "traffic-port", interval: 30, timeout: 10, healthy: 5, unhealthy: 2}
}

// readHealth updates h with the parameters of the call and validates the result.
func (c *call) readHealth(g *group, h *healthSettings) error {
	for _, n := range []struct {
		name      string
		low, high int
		into      *int
	}{
		{"HealthCheckIntervalSeconds", 5, 300, &h.interval},
		{"HealthCheckTimeoutSeconds", 2, 120, &h.timeout},
		{"HealthyThresholdCount", 2, 10, &h.healthy},
		{"UnhealthyThresholdCount", 2, 10, &h.unhealthy},
	} {
		sent, err := c.number(n.name, n.low, n.high)
		if err != nil {
			return err
		}
		if sent != nil {
			*n.into = *sent
		}
	}
	enabled, err := c.flag("HealthCheckEnabled")
	if err != nil {
		return err
	}
	if enabled != nil {
		h.enabled = *enabled
	}
	if !h.enabled && g.targetType != "lambda" {
		return badRequest("InvalidConfigurationRequest", "Health check enabled must be true for target groups with target type '%s'", g.targetType)
	}
	h.protocol, h.port, h.path = or(c.text("HealthCheckProtocol"), h.protocol), or(c.text("HealthCheckPort"), h.port), or(c.text("HealthCheckPath"), h.path)
	if m, given := c.structure("Matcher"); given {
		if m.has("GrpcCode") {
			return badRequest("InvalidConfigurationRequest", "gRPC health checks are not simulated here")
		}
		h.matcher = m.text("HttpCode")
	}
	return checkHealth(g, *h)
}

func checkHealth(g *group, h healthSettings) error {
	if g.targetType == "lambda" {
		return nil
	}
	if h.timeout >= h.interval {
		return validationError("Health check interval must be greater than the timeout: '%d' is not greater than '%d'", h.interval, h.timeout)
	}
	if port, err := strconv.Atoi(h.port); h.port != "traffic-port" && (err != nil || port < 1 || port > 65535) {
		return validationError("Health check port '%s' must be 'traffic-port' or a number between '1' and '65535'", h.port)
	}
	if !isHTTP(h.protocol) {
		if h.protocol != "TCP" || isHTTP(g.protocol) {
			return validationError("Health check protocol '%s' is not supported for target groups with protocol '%s'", h.protocol, g.protocol)
		}
		return nil
	}
	if !strings.HasPrefix(h.path, "/") || len(h.path) > 1024 {
		return validationError("Health check path '%s' must begin with a '/' character and have at most 1024 characters", h.path)
	}
	if _, err := parseMatcher(or(h.matcher, "200-399")); err != nil {
		return err
	}
	return nil
}

// codes is a set of HTTP status codes, as inclusive ranges.
type codes [][2]int

func (cs codes) match(code int) bool {
	return slices.ContainsFunc(cs, func(r [2]int) bool { return code >= r[0] && code <= r[1] })
}

// parseMatcher parses "200", "200,202" or "200-299".
func parseMatcher(text string) (codes, error) {
	var out codes
	if !regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`).MatchString(text) {
		return nil, validationError("Health check matcher HTTP code '%s' must be a value or a range of values such as '200', '200,202' or '200-299'", text)
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		if errLow != nil || errHigh != nil || low < 200 || high > 599 || low > high {
			return nil, validationError("Health check matcher HTTP code '%s' must be within '200-499'", text)
		}
		out = append(out, [2]int{low, high})
	}
	return out, nil
}

// group returns the target group in the TargetGroupArn parameter.
func (c *call) group() (*group, error) {
	if err := c.require("TargetGroupArn"); err != nil {
		return nil, err
	}
	arn := c.text("TargetGroupArn")
	if !strings.HasPrefix(resourceOf(arn), "targetgroup/") {
		return nil, validationError("'%s' is not a valid target group ARN", arn)
	}
	g := c.state.groups[arn]
	if g == nil || g.region != c.region {
		return nil, badRequest("TargetGroupNotFound", "One or more target groups not found")
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
	return c.groupResult(&changed), nil
}

func describeTargetGroups(c *call) (any, error) {
	arns, names, lb := c.list("TargetGroupArns"), c.list("Names"), c.text("LoadBalancerArn")
	given := 0
	for _, is := range []bool{len(arns) > 0, len(names) > 0, lb != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, validationError("Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time")
	}
	if err := checkDescribeCount(len(arns)+len(names), "target groups"); err != nil {
		return nil, err
	}
	if lb != "" {
		if _, err := c.balancer(); err != nil {
			return nil, err
		}
	}
	balancers := c.state.balancersByGroup()
	matched := sorted(c.state.groups, func(g *group) bool {
		used := lb == "" || (balancers[g.arn] != nil && balancers[g.arn].arn == lb)
		return g.region == c.region && used && matchesFilter(arns, g.arn) && matchesFilter(names, g.name)
	}, func(g *group) int { return g.seq })
	if len(matched) < max(distinct(arns), distinct(names)) {
		return nil, badRequest("TargetGroupNotFound", "One or more target groups not found")
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	shapes := mapTo(page, func(g *group) groupShape { return showGroup(g, balancers) })
	return groupsResult{TargetGroups: list[groupShape]{shapes}, NextMarker: next}, nil
}

// deleteTargetGroup rejects a group that is in an action, whatever its weight. Deleting an unknown group succeeds.
func deleteTargetGroup(c *call) (any, error) {
	if err := c.require("TargetGroupArn"); err != nil {
		return nil, err
	}
	arn := c.text("TargetGroupArn")
	if c.state.balancersByGroup()[arn] != nil {
		return nil, badRequest("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", arn)
	}
	delete(c.state.groups, arn)
	delete(c.state.tags, arn)
	return empty{}, nil
}

func describeTargetGroupAttributes(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return attributesResult{showAttributes(groupAttributes(g.targetType), g.attributes)}, nil
}

func modifyTargetGroupAttributes(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	changed := *g
	if changed.attributes, err = c.readAttributes(groupAttributes(g.targetType), maps.Clone(g.attributes)); err != nil {
		return nil, err
	}
	if changed.attributes[stickyEnabled] == "true" {
		if err := c.checkTargetStickiness(&changed); err != nil {
			return nil, err
		}
	}
	c.state.groups[g.arn] = &changed
	return attributesResult{showAttributes(groupAttributes(g.targetType), changed.attributes)}, nil
}

// checkTargetStickiness rejects target stickiness where an action with several groups has no group stickiness.
func (c *call) checkTargetStickiness(g *group) error {
	if kind := g.attributes["stickiness.type"]; kind == "app_cookie" {
		return badRequest("InvalidConfigurationRequest", "Application cookie stickiness is not simulated here")
	}
	for _, r := range c.state.rules {
		arns := groupsOf(r.actions)
		if len(arns) > 1 && slices.Contains(arns, g.arn) && !hasGroupStickiness(r.actions) {
			return badRequest("InvalidConfigurationRequest", "You must enable group stickiness on rule '%s' before enabling target stickiness on target group '%s'", r.arn, g.arn)
		}
	}
	return nil
}
