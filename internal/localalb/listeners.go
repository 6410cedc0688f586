package localalb

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
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
	Certificates         *list[certificateShape] `xml:",omitempty"`
	SslPolicy            string                  `xml:",omitempty"`
	DefaultActions       list[action]
	AlpnPolicy           *list[string] `xml:",omitempty"`
	MutualAuthentication *mutualShape  `xml:",omitempty"`
}

type certificateShape struct {
	CertificateArn string
	IsDefault      *bool `xml:",omitempty"`
}

type mutualShape struct{ Mode string }

type listenersResult struct {
	Listeners  list[listenerShape]
	NextMarker string `xml:",omitempty"`
}

func (c *call) showListener(l *listener) listenerShape {
	out := listenerShape{
		ListenerArn: l.arn, LoadBalancerArn: l.balancer, Port: l.port, Protocol: l.protocol, SslPolicy: l.sslPolicy,
		DefaultActions: list[action]{c.state.rules[l.defaultRule].actions}, AlpnPolicy: listOf(l.alpn),
		Certificates: listOf(mapTo(l.certificates, func(arn string) certificateShape { return certificateShape{CertificateArn: arn} })),
	}
	if l.mutualMode != "" {
		out.MutualAuthentication = &mutualShape{Mode: l.mutualMode}
	}
	return out
}

func (c *call) listenerResult(l *listener) listenersResult {
	return listenersResult{Listeners: list[listenerShape]{[]listenerShape{c.showListener(l)}}}
}

// createListener is idempotent: the same port with the same settings returns the existing listener.
func createListener(c *call) (any, error) {
	b, err := c.balancer()
	if err != nil {
		return nil, err
	}
	if err := c.require("Protocol", "Port", "DefaultActions"); err != nil {
		return nil, err
	}
	l := &listener{balancer: b.arn, region: c.region, id: newID(), attributes: map[string]string{}}
	if err := c.readListener(b, l); err != nil {
		return nil, err
	}
	l.arn = strings.Replace(b.arn, ":loadbalancer/", ":listener/", 1) + "/" + l.id
	existing := c.state.listenersOf(b.arn)
	reader := actionReader{state: c.state, balancer: b, protocol: l.protocol, omitLoneWeight: c.service.opts.OmitLoneWeight}
	actions, err := reader.read(c.structs("DefaultActions"))
	if err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(existing, func(o *listener) bool { return o.port == l.port }); at >= 0 {
		return c.existingListener(existing[at], l, actions)
	}
	if len(existing) >= maxListeners {
		return nil, badRequest("TooManyListeners", "You've reached the limit on the number of listeners per load balancer: '%d'", maxListeners)
	}
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	l.seq = c.state.nextSeq()
	defaultRule := &rule{arn: ruleARN(l), listener: l.arn, region: c.region, actions: actions, seq: c.state.nextSeq()}
	l.defaultRule = defaultRule.arn
	c.state.listeners[l.arn], c.state.rules[defaultRule.arn], c.state.tags[l.arn] = l, defaultRule, tags
	if b.kind == network {
		c.service.opts.Log.Warn("listeners of network load balancers do not accept connections", "listener", l.arn)
	}
	return c.listenerResult(l), nil
}

func (c *call) existingListener(old, requested *listener, actions []action) (any, error) {
	same, err := sameActions(c.state.rules[old.defaultRule].actions, actions)
	if err != nil {
		return nil, err
	}
	if same && old.protocol == requested.protocol && old.sslPolicy == requested.sslPolicy && slices.Equal(old.certificates, requested.certificates) {
		return c.listenerResult(old), nil
	}
	return nil, badRequest("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", requested.balancer)
}

// sameActions compares the responses to Describe calls, because actions contain pointers.
func sameActions(a, b []action) (bool, error) {
	x, err := xml.Marshal(list[action]{a})
	if err != nil {
		return false, err
	}
	y, err := xml.Marshal(list[action]{b})
	return string(x) == string(y), err
}

// readListener updates l with the parameters of the call.
func (c *call) readListener(b *balancer, l *listener) error {
	port, err := c.number("Port", 1, 65535)
	if err != nil {
		return err
	}
	if port != nil {
		l.port = *port
	}
	protocols := []string{"HTTP", "HTTPS"}
	if b.kind == network {
		protocols = []string{"TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"}
	}
	if c.has("Protocol") {
		l.protocol = c.text("Protocol")
	}
	if !slices.Contains(protocols, l.protocol) {
		return validationError("Listener protocol '%s' must be one of '%s'", l.protocol, strings.Join(protocols, ", "))
	}
	if c.has("AlpnPolicy") {
		l.alpn = c.list("AlpnPolicy")
	}
	if p, given := c.structure("MutualAuthentication"); given {
		l.mutualMode = p.text("Mode")
		if l.mutualMode != "off" {
			return badRequest("InvalidConfigurationRequest", "Mutual authentication is not simulated here: its mode must be 'off'")
		}
	}
	return c.readTLS(l)
}

// readTLS restricts certificates and policies to listeners with TLS. Certificates are not loaded: the data
// plane serves one that is generated when the server starts.
func (c *call) readTLS(l *listener) error {
	secure := l.protocol == "HTTPS" || l.protocol == "TLS"
	if !secure {
		if c.has("Certificates") || c.has("SslPolicy") {
			return badRequest("InvalidConfigurationRequest", "A certificate or security policy cannot be specified for %s listeners", l.protocol)
		}
		l.certificates, l.sslPolicy = nil, ""
		return nil
	}
	if c.has("Certificates") {
		l.certificates = mapTo(c.structs("Certificates"), func(p params) string { return p.text("CertificateArn") })
	}
	if len(l.certificates) == 0 || l.certificates[0] == "" {
		return badRequest("CertificateNotFound", "A certificate must be specified for %s listeners", l.protocol)
	}
	if len(l.certificates) > 1 {
		return badRequest("TooManyCertificates", "You can specify only one default certificate for a listener")
	}
	l.sslPolicy = cmp.Or(c.text("SslPolicy"), cmp.Or(l.sslPolicy, defaultSSLPolicy))
	if !strings.HasPrefix(l.sslPolicy, "ELBSecurityPolicy-") {
		return badRequest("SSLPolicyNotFound", "SSL policy '%s' not found", l.sslPolicy)
	}
	return nil
}

// listener returns the listener in the ListenerArn parameter.
func (c *call) listener() (*listener, error) {
	if err := c.require("ListenerArn"); err != nil {
		return nil, err
	}
	arn := c.text("ListenerArn")
	if !strings.HasPrefix(resourceOf(arn), "listener/") {
		return nil, validationError("'%s' is not a valid listener ARN", arn)
	}
	l := c.state.listeners[arn]
	if l == nil || l.region != c.region {
		return nil, badRequest("ListenerNotFound", "One or more listeners not found")
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
			return nil, badRequest("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.arn)
		}
	}
	if c.has("DefaultActions") {
		defaultRule := *c.state.rules[l.defaultRule]
		reader := actionReader{state: c.state, balancer: b, protocol: changed.protocol, replaced: defaultRule.actions, omitLoneWeight: c.service.opts.OmitLoneWeight}
		if defaultRule.actions, err = reader.read(c.structs("DefaultActions")); err != nil {
			return nil, err
		}
		c.state.rules[defaultRule.arn] = &defaultRule
	}
	c.state.listeners[l.arn] = &changed
	return c.listenerResult(&changed), nil
}

func describeListeners(c *call) (any, error) {
	arns := c.list("ListenerArns")
	if c.has("LoadBalancerArn") == (len(arns) > 0) {
		return nil, validationError("You must specify either listener ARNs or a load balancer ARN")
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
			return nil, badRequest("ListenerNotFound", "One or more listeners not found")
		}
	}
	page, next, err := paginate(c, matched)
	if err != nil {
		return nil, err
	}
	return listenersResult{Listeners: list[listenerShape]{mapTo(page, c.showListener)}, NextMarker: next}, nil
}

func deleteListener(c *call) (any, error) {
	l, err := c.listener()
	if err != nil {
		return nil, err
	}
	c.state.dropListener(l)
	return empty{}, nil
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
	var out struct{ Certificates list[certificateShape] }
	out.Certificates.Members = mapTo(l.certificates, func(arn string) certificateShape {
		return certificateShape{CertificateArn: arn, IsDefault: new(true)}
	})
	return out, nil
}
