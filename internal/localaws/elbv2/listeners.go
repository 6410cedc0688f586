package elbv2

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxListeners     = 50
	defaultSSLPolicy = "ELBSecurityPolicy-2016-08"
)

type listenerShape struct {
	ListenerArn          string
	LoadBalancerArn      string
	Port                 int
	Protocol             string
	Certificates         *wire.List[certificateShape] `xml:",omitempty"`
	SslPolicy            string                       `xml:",omitempty"`
	DefaultActions       wire.List[action]
	AlpnPolicy           *wire.List[string] `xml:",omitempty"`
	MutualAuthentication *mutualShape       `xml:",omitempty"`
}

type certificateShape struct {
	CertificateArn string
	IsDefault      *bool `xml:",omitempty"`
}

type mutualShape struct{ Mode string }

type listenersResult struct {
	Listeners  wire.List[listenerShape]
	NextMarker string `xml:",omitempty"`
}

func (s *state) showListener(l *listener) listenerShape {
	out := listenerShape{
		ListenerArn: l.arn, LoadBalancerArn: l.balancer, Port: l.port, Protocol: l.protocol, SslPolicy: l.sslPolicy,
		DefaultActions: wire.List[action]{Members: s.rules[l.defaultRule].actions}, AlpnPolicy: wire.ListOf(l.alpn),
		Certificates: wire.ListOf(mapTo(l.certificates, func(arn string) certificateShape { return certificateShape{CertificateArn: arn} })),
	}
	if l.mutualMode != "" {
		out.MutualAuthentication = &mutualShape{Mode: l.mutualMode}
	}
	return out
}

func (s *state) listenerResult(l *listener) listenersResult {
	return listenersResult{Listeners: wire.List[listenerShape]{Members: []listenerShape{s.showListener(l)}}}
}

// createListener is idempotent: the same port with the same settings returns the existing listener.
func createListener(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	if err := c.Require("Protocol", "Port", "DefaultActions"); err != nil {
		return nil, err
	}
	l := &listener{balancer: b.arn, region: c.region, id: newID(), attributes: map[string]string{}}
	if err := c.readListener(b, l); err != nil {
		return nil, err
	}
	l.arn = strings.Replace(b.arn, ":loadbalancer/", ":listener/", 1) + "/" + l.id
	existing := c.state.listenersOf(b.arn)
	reader := actionReader{state: c.state, balancer: b, protocol: l.protocol, omitLoneWeight: c.service.opts.OmitLoneWeight}
	actions, err := reader.read(c.Structs("DefaultActions"))
	if err != nil {
		return nil, err
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(existing, func(o *listener) bool { return o.port == l.port }); at >= 0 {
		return c.existingListener(existing[at], l, actions)
	}
	if len(existing) >= maxListeners {
		return nil, wire.BadRequest("TooManyListeners", "You've reached the limit on the number of listeners per load balancer: '%d'", maxListeners)
	}
	l.seq = c.state.nextSeq()
	defaultRule := &rule{arn: ruleARN(l), listener: l.arn, region: c.region, actions: actions, created: groupsOf(actions), seq: c.state.nextSeq()}
	l.defaultRule = defaultRule.arn
	c.state.listeners[l.arn], c.state.rules[defaultRule.arn] = l, defaultRule
	c.setTags(l.arn, tags)
	c.setTags(defaultRule.arn, nil)
	return c.state.listenerResult(l), nil
}

func (c *call) existingListener(old, requested *listener, actions []action) (any, error) {
	same, err := sameActions(c.state.rules[old.defaultRule].actions, actions)
	if err != nil {
		return nil, err
	}
	if same && old.protocol == requested.protocol && old.sslPolicy == requested.sslPolicy && slices.Equal(old.certificates, requested.certificates) {
		return c.state.listenerResult(old), nil
	}
	return nil, wire.BadRequest("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", requested.balancer)
}

// sameActions compares the responses to Describe calls, because actions contain pointers.
func sameActions(a, b []action) (bool, error) {
	x, err := xml.Marshal(wire.List[action]{Members: a})
	if err != nil {
		return false, err
	}
	y, err := xml.Marshal(wire.List[action]{Members: b})
	return string(x) == string(y), err
}

// readListener updates l with the parameters of the call.
func (c *call) readListener(b *balancer, l *listener) error {
	port, err := c.Number("Port", 1, 65535)
	if err != nil {
		return err
	}
	if port != nil {
		l.port = *port
	}
	protocols := []string{"HTTP", "HTTPS"}
	if b.kind == network {
		protocols = networkProtocols()
	}
	if c.Has("Protocol") {
		l.protocol = c.Text("Protocol")
	}
	if !slices.Contains(protocols, l.protocol) {
		return wire.ValidationError("Listener protocol '%s' must be one of '%s'", l.protocol, strings.Join(protocols, ", "))
	}
	if c.Has("AlpnPolicy") {
		l.alpn = c.List("AlpnPolicy")
	}
	if p, given := c.Structure("MutualAuthentication"); given {
		l.mutualMode = p.Text("Mode")
		if l.mutualMode != "off" {
			return wire.BadRequest("InvalidConfigurationRequest", "Mutual authentication is not simulated here: its mode must be 'off'")
		}
	}
	return c.readTLS(l)
}

// readTLS restricts certificates and policies to listeners with TLS. Certificates are not loaded: the data
// plane serves one that is generated when the server starts.
func (c *call) readTLS(l *listener) error {
	secure := l.protocol == "HTTPS" || l.protocol == "TLS"
	if !secure {
		if c.Has("Certificates") || c.Has("SslPolicy") {
			return wire.BadRequest("InvalidConfigurationRequest", "A certificate or security policy cannot be specified for %s listeners", l.protocol)
		}
		l.certificates, l.sslPolicy = nil, ""
		return nil
	}
	if c.Has("Certificates") {
		l.certificates = mapTo(c.Structs("Certificates"), func(p wire.Params) string { return p.Text("CertificateArn") })
	}
	if len(l.certificates) == 0 || l.certificates[0] == "" {
		return wire.BadRequest("CertificateNotFound", "A certificate must be specified for %s listeners", l.protocol)
	}
	if len(l.certificates) > 1 {
		return wire.BadRequest("TooManyCertificates", "You can specify only one default certificate for a listener")
	}
	l.sslPolicy = cmp.Or(c.Text("SslPolicy"), cmp.Or(l.sslPolicy, defaultSSLPolicy))
	if !strings.HasPrefix(l.sslPolicy, "ELBSecurityPolicy-") {
		return wire.BadRequest("SSLPolicyNotFound", "SSL policy '%s' not found", l.sslPolicy)
	}
	return nil
}

// listener returns the listener in the ListenerArn parameter.
func (c *call) listener() (*listener, error) {
	if err := c.Require("ListenerArn"); err != nil {
		return nil, err
	}
	arn := c.Text("ListenerArn")
	if !strings.HasPrefix(resourceOf(arn), "listener/") {
		return nil, wire.ValidationError("'%s' is not a valid listener ARN", arn)
	}
	l := c.state.listeners[arn]
	if l == nil || l.region != c.region {
		return nil, wire.BadRequest("ListenerNotFound", "One or more listeners not found")
	}
	return l, nil
}

// modifyListener keeps omitted settings. A list of actions replaces the previous one.
func modifyListener(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	b := c.state.balancers[l.balancer]
	changed := *l
	if err := c.readListener(b, &changed); err != nil {
		return nil, err
	}
	for _, o := range c.state.listenersOf(b.arn) {
		if o.arn != l.arn && o.port == changed.port {
			return nil, wire.BadRequest("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.arn)
		}
	}
	if c.Has("DefaultActions") {
		defaultRule := *c.state.rules[l.defaultRule]
		reader := actionReader{state: c.state, balancer: b, protocol: changed.protocol, replaced: defaultRule.actions, omitLoneWeight: c.service.opts.OmitLoneWeight}
		if defaultRule.actions, err = reader.read(c.Structs("DefaultActions")); err != nil {
			return nil, err
		}
		c.state.rules[defaultRule.arn] = &defaultRule
	}
	c.state.listeners[l.arn] = &changed
	return c.state.listenerResult(&changed), nil
}

func describeListeners(c *call) (any, error) {
	arns := c.List("ListenerArns")
	if c.Has("LoadBalancerArn") == (len(arns) > 0) {
		return nil, wire.ValidationError("You must specify either listener ARNs or a load balancer ARN")
	}
	if err := checkDescribeCount(len(arns), "listeners"); err != nil {
		return nil, err
	}
	var matched []*listener
	if len(arns) == 0 {
		b, err := c.balancer()
		if err != nil {
			return nil, err
		}
		matched = c.state.listenersOf(b.arn)
	} else {
		matched = sorted(c.state.listeners, func(l *listener) bool { return l.region == c.region && slices.Contains(arns, l.arn) }, func(l *listener) int { return l.seq })
		if len(matched) < distinct(arns) {
			return nil, wire.BadRequest("ListenerNotFound", "One or more listeners not found")
		}
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	return listenersResult{Listeners: wire.List[listenerShape]{Members: mapTo(page, c.state.showListener)}, NextMarker: next}, nil
}

func deleteListener(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	c.state.dropListener(l)
	return wire.Empty{}, nil
}

// dropListener removes a listener and its rules.
func (s *state) dropListener(l *listener) {
	for _, r := range s.rulesOf(l.arn) {
		delete(s.rules, r.arn)
		delete(s.tags, r.arn)
	}
	delete(s.listeners, l.arn)
	delete(s.tags, l.arn)
}

func describeListenerAttributes(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	return attributesResult{showAttributes(listenerAttributes(l.protocol), l.attributes)}, nil
}

func modifyListenerAttributes(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	changed := *l
	if changed.attributes, err = c.readAttributes(listenerAttributes(l.protocol), maps.Clone(l.attributes)); err != nil {
		return nil, err
	}
	c.state.listeners[l.arn] = &changed
	return attributesResult{showAttributes(listenerAttributes(l.protocol), changed.attributes)}, nil
}

func describeListenerCertificates(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	var out struct{ Certificates wire.List[certificateShape] }
	out.Certificates.Members = mapTo(l.certificates, func(arn string) certificateShape {
		return certificateShape{CertificateArn: arn, IsDefault: new(true)}
	})
	return out, nil
}
