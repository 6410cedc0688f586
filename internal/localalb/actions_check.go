package localalb

import (
	"slices"
	"strings"
)

// maxGroupsPerBalancer is ELB's limit of different groups over all listeners of one balancer.
const maxGroupsPerBalancer = 100

// checkGroups holds every group in the list to what the balancer can serve.
func (ar actionReader) checkGroups(actions []action) error {
	named := groupsOf(actions)
	users := ar.state.users()
	sticky := false
	for _, arn := range named {
		g := ar.state.groups[arn]
		if g == nil || g.region != ar.balancer.region {
			return refuse("TargetGroupNotFound", "Target group '%s' not found", arn)
		}
		if user := users[arn]; user != nil && user.arn != ar.balancer.arn {
			return refuse("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", arn)
		}
		if err := ar.checkProtocol(g); err != nil {
			return err
		}
		sticky = sticky || g.attributes[stickyEnabled] == "true"
	}
	if sticky && len(named) > 1 && !groupSticky(actions) {
		return refuse("InvalidConfigurationRequest", "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups")
	}
	return ar.checkCount(users, named)
}

func groupSticky(actions []action) bool {
	return slices.ContainsFunc(actions, func(a action) bool {
		return a.ForwardConfig != nil && a.ForwardConfig.TargetGroupStickinessConfig.Enabled
	})
}

// checkProtocol keeps HTTP groups to application balancers and the others to network balancers.
func (ar actionReader) checkProtocol(g *group) error {
	forHTTP := g.protocol == "HTTP" || g.protocol == "HTTPS" || g.targetType == "lambda"
	if forHTTP == (ar.balancer.kind == application) {
		return nil
	}
	return refuse("IncompatibleProtocols", "The %s protocol of target group '%s' is not supported for listeners with the %s protocol", g.protocol, g.arn, ar.protocol)
}

func (ar actionReader) checkCount(users map[string]*balancer, named []string) error {
	all := map[string]bool{}
	for arn, b := range users {
		if b.arn == ar.balancer.arn {
			all[arn] = true
		}
	}
	for _, arn := range named {
		all[arn] = true
	}
	if len(all) > maxGroupsPerBalancer {
		return refuse("TooManyUniqueTargetGroupsPerLoadBalancer", "You've reached the limit on the number of unique target groups per load balancer across all listeners")
	}
	return nil
}

// readRedirect fills in what is left out with the placeholders that Describe calls show.
func readRedirect(p params, protocol string) (*redirectConfig, error) {
	c, _ := p.inside("RedirectConfig")
	if err := c.need("StatusCode"); err != nil {
		return nil, err
	}
	status, err := c.oneOf("StatusCode", "HTTP_301", "HTTP_302")
	if err != nil {
		return nil, err
	}
	r := &redirectConfig{
		Protocol: orElse(c, "Protocol", "#{protocol}"), Port: orElse(c, "Port", "#{port}"), Host: orElse(c, "Host", "#{host}"),
		Path: orElse(c, "Path", "/#{path}"), Query: orElse(c, "Query", "#{query}"), StatusCode: status,
	}
	if !slices.Contains([]string{"HTTP", "HTTPS", "#{protocol}"}, r.Protocol) {
		return nil, invalid("The protocol '%s' of a redirect must be 'HTTP', 'HTTPS' or '#{protocol}'", r.Protocol)
	}
	if protocol == "HTTPS" && r.Protocol == "HTTP" {
		return nil, refuse("InvalidLoadBalancerAction", "You cannot redirect HTTPS to HTTP")
	}
	if !strings.HasPrefix(r.Path, "/") {
		return nil, invalid("The path '%s' of a redirect must begin with '/'", r.Path)
	}
	if r.Protocol == "#{protocol}" && r.Port == "#{port}" && r.Host == "#{host}" && r.Path == "/#{path}" {
		return nil, refuse("InvalidLoadBalancerAction", "The redirect would lead to itself: change at least one of protocol, host, port and path")
	}
	return r, nil
}

func orElse(p params, name, fallback string) string {
	if v := p.optional(name); v != nil {
		return *v
	}
	return fallback
}

func readFixed(p params) (*fixedConfig, error) {
	c, _ := p.inside("FixedResponseConfig")
	if err := c.need("StatusCode"); err != nil {
		return nil, err
	}
	status := c.text("StatusCode")
	if len(status) != 3 || !strings.ContainsRune("245", rune(status[0])) || !allDigits(status) {
		return nil, invalid("1 validation error detected: Value '%s' at 'fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$", status)
	}
	f := &fixedConfig{StatusCode: status, MessageBody: c.optional("MessageBody"), ContentType: c.optional("ContentType")}
	if f.MessageBody != nil && len(*f.MessageBody) > 1024 {
		return nil, invalid("The message body of a fixed response must not be longer than 1024 characters")
	}
	if f.ContentType != nil && !slices.Contains([]string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}, *f.ContentType) {
		return nil, invalid("The content type '%s' of a fixed response is not supported", *f.ContentType)
	}
	return f, nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
