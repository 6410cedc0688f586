package elbv2

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// compiled holds the form that the data plane uses of every rule in a state. Records are immutable: a record that
// is still in the state keeps its form, and with it the data plane continues its cycle of weighted choices.
type compiled map[*rule]*dataplane.Rule

// next returns the rules of another state.
func (c compiled) next(s *state) compiled {
	out := compiled{}
	for _, r := range s.rules {
		out[r] = c[r]
		if out[r] == nil {
			out[r] = r.compile()
		}
	}
	return out
}

// config returns everything in a state that the data plane serves.
func (s *state) config(rules compiled) dataplane.Config {
	out := dataplane.Config{Listeners: map[string]dataplane.Listener{}, Groups: map[string]dataplane.Group{}}
	for arn, l := range s.listeners {
		if b := s.balancers[l.balancer]; b != nil {
			out.Listeners[arn] = s.listenerConfig(l, b, rules)
		}
	}
	balancers := s.balancersByGroup()
	for arn, g := range s.groups {
		out.Groups[arn] = s.groupConfig(g, balancers[arn])
	}
	return out
}

func (s *state) listenerConfig(l *listener, b *balancer, rules compiled) dataplane.Listener {
	known := balancerAttributes(b.kind)
	out := dataplane.Listener{
		Balancer: b.arn, Host: b.address.String(), Port: l.port, Protocol: l.protocol,
		IdleTimeout:  time.Duration(attributeNumber(known, b.attributes, idleTimeout)) * time.Second,
		ForwardedFor: cmp.Or(b.attributes[forwardedForMode], "append"),
		Rules:        mapTo(s.rulesOf(l.arn), func(r *rule) *dataplane.Rule { return rules[r] }),
	}
	if b.kind == network {
		s.networkListener(l, b, &out)
	}
	return out
}

// groupConfig takes the load balancer that uses the group, nil for none.
func (s *state) groupConfig(g *group, b *balancer) dataplane.Group {
	known := groupAttributes(g)
	out := dataplane.Group{
		Targets: g.targets, Protocol: g.protocol, HTTP2: g.protocolVersion == "HTTP2", Health: g.health,
		MinHealthy:          attributeNumber(known, g.attributes, minHealthyCount),
		DeregistrationDelay: time.Duration(attributeNumber(known, g.attributes, deregistrationDelay)) * time.Second,
	}
	if g.attributes[stickyEnabled] == "true" {
		out.Sticky = time.Duration(attributeNumber(known, g.attributes, stickyDuration)) * time.Second
	}
	if b == nil {
		return out
	}
	out.Balancer = b.arn
	if b.kind == network {
		networkGroup(g, b, &out)
	}
	out.Zones = map[string]bool{}
	for _, subnet := range b.subnets {
		out.Zones[b.region+s.zones[subnet]] = true
	}
	return out
}

func (r *rule) compile() *dataplane.Rule {
	out := &dataplane.Rule{Conditions: mapTo(r.conditions, condition.compile)}
	for _, a := range r.actions {
		a.compile(out)
	}
	return out
}

func (c condition) compile() dataplane.Condition {
	out := dataplane.Condition{Field: c.Field, Regexes: c.regexes}
	switch {
	case c.HostHeaderConfig != nil:
		out.Values = c.HostHeaderConfig.Values.Slice()
	case c.PathPatternConfig != nil:
		out.Values = c.PathPatternConfig.Values.Slice()
	case c.HTTPRequestMethodConfig != nil:
		out.Values = c.HTTPRequestMethodConfig.Values.Slice()
	case c.SourceIPConfig != nil:
		out.Values = c.SourceIPConfig.Values.Slice()
	case c.HTTPHeaderConfig != nil:
		out.Header, out.Values = c.HTTPHeaderConfig.HTTPHeaderName, c.HTTPHeaderConfig.Values.Slice()
	case c.QueryStringConfig != nil:
		out.Query = mapTo(c.QueryStringConfig.Values.Members, func(p queryPair) dataplane.QueryPattern { return dataplane.QueryPattern(p) })
	}
	return out
}

// compile adds the action to a rule.
func (a action) compile(into *dataplane.Rule) {
	switch {
	case a.ForwardConfig != nil:
		into.Forward = a.ForwardConfig.compile()
	case a.RedirectConfig != nil:
		into.Redirect = a.RedirectConfig.compile()
	case a.FixedResponseConfig != nil:
		into.Fixed = a.FixedResponseConfig.compile()
	default:
		into.Logins = append(into.Logins, a.login())
	}
}

func (f *forwardConfig) compile() *dataplane.Forward {
	out := &dataplane.Forward{Groups: mapTo(f.TargetGroups.Members, func(g groupTuple) dataplane.WeightedGroup {
		return dataplane.WeightedGroup{ARN: g.TargetGroupArn, Weight: g.share()}
	})}
	if s := f.TargetGroupStickinessConfig; s.Enabled {
		out.Sticky = time.Duration(*s.DurationSeconds) * time.Second // required while stickiness is enabled
	}
	return out
}

func (r *redirectConfig) compile() *dataplane.Redirect {
	status := http.StatusFound
	if r.StatusCode == "HTTP_301" {
		status = http.StatusMovedPermanently
	}
	return &dataplane.Redirect{Protocol: r.Protocol, Host: r.Host, Port: r.Port, Path: r.Path, Query: r.Query, Status: status}
}

func (f *fixedConfig) compile() *dataplane.FixedResponse {
	status, _ := strconv.Atoi(f.StatusCode) // three digits, as readFixed has checked
	out := &dataplane.FixedResponse{Status: status, ContentType: "text/plain"}
	if f.MessageBody != nil {
		out.Body = *f.MessageBody
	}
	if f.ContentType != nil {
		out.ContentType = *f.ContentType
	}
	return out
}

// login returns an authentication action.
func (a action) login() dataplane.Login {
	switch {
	case a.AuthenticateOidcConfig != nil:
		o := a.AuthenticateOidcConfig
		return dataplane.Login{
			Cookie: o.SessionCookieName, OnUnauthenticated: o.OnUnauthenticatedRequest,
			Endpoint: o.AuthorizationEndpoint, Client: o.ClientID, Scope: o.Scope, Extra: o.AuthenticationRequestExtraParams.values(),
		}
	case a.AuthenticateCognitoConfig != nil:
		o := a.AuthenticateCognitoConfig
		return dataplane.Login{
			Cookie: o.SessionCookieName, OnUnauthenticated: o.OnUnauthenticatedRequest,
			Endpoint: "https://" + o.UserPoolDomain + "/oauth2/authorize", Client: o.UserPoolClientID, Scope: o.Scope, Extra: o.AuthenticationRequestExtraParams.values(),
		}
	}
	return dataplane.Login{Bearer: true}
}

func (e *extraPairs) values() map[string]string {
	if e == nil {
		return nil
	}
	out := map[string]string{}
	for _, p := range e.Entries {
		out[p.Key] = p.Value
	}
	return out
}
