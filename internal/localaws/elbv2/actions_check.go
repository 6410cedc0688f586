package elbv2

import (
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// maxGroupsPerBalancer is the ELB quota of distinct target groups across the listeners of a load balancer.
const maxGroupsPerBalancer = 100

// checkGroups validates every target group in the list against the load balancer.
func (ar actionReader) checkGroups(actions []action) error {
	arns := groupsOf(actions)
	balancers := ar.state.balancersByGroup()
	sticky := false
	for _, arn := range arns {
		g := ar.state.groups[arn]
		if g == nil || g.region != ar.balancer.region {
			return wire.BadRequest("TargetGroupNotFound", "Target group '%s' not found", arn)
		}
		if other := balancers[arn]; other != nil && other.arn != ar.balancer.arn {
			return wire.BadRequest("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", arn)
		}
		if err := ar.checkProtocol(g); err != nil {
			return err
		}
		sticky = sticky || g.attributes[stickyEnabled] == "true"
	}
	if sticky && len(arns) > 1 && !hasGroupStickiness(actions) {
		return wire.BadRequest("InvalidConfigurationRequest", "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups")
	}
	return ar.checkCount(balancers, arns)
}

func hasGroupStickiness(actions []action) bool {
	return slices.ContainsFunc(actions, func(a action) bool {
		return a.ForwardConfig != nil && a.ForwardConfig.TargetGroupStickinessConfig.Enabled
	})
}

// checkProtocol restricts HTTP target groups to application load balancers and the others to network load balancers,
// where the protocols of listener and group must also match.
func (ar actionReader) checkProtocol(g *group) error {
	fits := isHTTP(g.protocol) || g.targetType == "lambda"
	if ar.balancer.kind == network {
		fits = slices.Contains(groupProtocols(ar.protocol), g.protocol)
	}
	if fits {
		return nil
	}
	return wire.BadRequest("IncompatibleProtocols", "The %s protocol of target group '%s' is not supported for listeners with the %s protocol", g.protocol, g.arn, ar.protocol)
}

func (ar actionReader) checkCount(balancers map[string]*balancer, arns []string) error {
	all := map[string]bool{}
	for arn, b := range balancers {
		if b.arn == ar.balancer.arn {
			all[arn] = true
		}
	}
	for _, arn := range arns {
		all[arn] = true
	}
	if len(all) > maxGroupsPerBalancer {
		return wire.BadRequest("TooManyUniqueTargetGroupsPerLoadBalancer", "You've reached the limit on the number of unique target groups per load balancer across all listeners")
	}
	return nil
}

// readRedirect fills omitted fields with the placeholders that Describe calls return.
func readRedirect(p wire.Params, protocol string) (*redirectConfig, error) {
	c, _ := p.Structure("RedirectConfig")
	if err := c.Require("StatusCode"); err != nil {
		return nil, err
	}
	status, err := c.OneOf("StatusCode", "HTTP_301", "HTTP_302")
	if err != nil {
		return nil, err
	}
	r := &redirectConfig{
		Protocol: textOr(c, "Protocol", "#{protocol}"), Port: textOr(c, "Port", "#{port}"), Host: textOr(c, "Host", "#{host}"),
		Path: textOr(c, "Path", "/#{path}"), Query: textOr(c, "Query", "#{query}"), StatusCode: status,
	}
	if !slices.Contains([]string{"HTTP", "HTTPS", "#{protocol}"}, r.Protocol) {
		return nil, wire.ValidationError("The protocol '%s' of a redirect must be 'HTTP', 'HTTPS' or '#{protocol}'", r.Protocol)
	}
	if protocol == "HTTPS" && r.Protocol == "HTTP" {
		return nil, wire.BadRequest("InvalidLoadBalancerAction", "You cannot redirect HTTPS to HTTP")
	}
	if !strings.HasPrefix(r.Path, "/") {
		return nil, wire.ValidationError("The path '%s' of a redirect must begin with '/'", r.Path)
	}
	if r.Protocol == "#{protocol}" && r.Port == "#{port}" && r.Host == "#{host}" && r.Path == "/#{path}" {
		return nil, wire.BadRequest("InvalidLoadBalancerAction", "The redirect would lead to itself: change at least one of protocol, host, port and path")
	}
	return r, nil
}

func textOr(p wire.Params, name, fallback string) string {
	if v := p.Optional(name); v != nil {
		return *v
	}
	return fallback
}

func readFixed(p wire.Params) (*fixedConfig, error) {
	c, _ := p.Structure("FixedResponseConfig")
	if err := c.Require("StatusCode"); err != nil {
		return nil, err
	}
	status := c.Text("StatusCode")
	if len(status) != 3 || !strings.ContainsRune("245", rune(status[0])) || !allDigits(status) {
		return nil, wire.ValidationError("1 validation error detected: Value '%s' at 'fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$", status)
	}
	f := &fixedConfig{StatusCode: status, MessageBody: c.Optional("MessageBody"), ContentType: c.Optional("ContentType")}
	if f.MessageBody != nil && len(*f.MessageBody) > 1024 {
		return nil, wire.ValidationError("The message body of a fixed response must not be longer than 1024 characters")
	}
	if f.ContentType != nil && !slices.Contains([]string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}, *f.ContentType) {
		return nil, wire.ValidationError("The content type '%s' of a fixed response is not supported", *f.ContentType)
	}
	return f, nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
