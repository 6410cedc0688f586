package dataplane

import (
	"regexp"
	"time"
)

// Config is everything that a Plane serves. Plane.Apply compares it with what the Plane serves at that moment.
// A Config and all that it refers to must not change afterwards.
type Config struct {
	// Listeners holds the listeners by ARN.
	Listeners map[string]Listener
	// Groups holds all target groups by ARN.
	Groups map[string]Group
}

// Listener is a listener of an application or network load balancer.
type Listener struct {
	// Balancer is the ARN of the load balancer.
	Balancer string
	// Host is the address of the load balancer, "" for 127.0.0.1. It must not change.
	Host string
	// Port is the configured port, which the headers of requests show even if the socket has another one.
	Port int
	// Protocol is HTTP or HTTPS; TCP, TLS, UDP or TCP_UDP for a network load balancer.
	Protocol string
	// IdleTimeout is how long a request or a connection may go without data in either direction.
	IdleTimeout time.Duration
	// Zones are those of a network load balancer, in the order in which connections arrive in them.
	Zones []string
	// ForwardedFor says what happens to X-Forwarded-For: append, preserve or remove.
	ForwardedFor string
	// Rules are in the order of evaluation. The last one must match every request.
	Rules []*Rule
}

// Rule is a rule of a listener. A rule that the next Config holds by the same pointer continues its cycle of
// weighted choices; any other rule starts a new one.
type Rule struct {
	// Conditions must all match. Without conditions, a rule matches every request.
	Conditions []Condition
	// Logins are the authentication actions, which run before the routing action.
	Logins []Login
	// Exactly one of Forward, Redirect and Fixed is set: the routing action.
	Forward  *Forward
	Redirect *Redirect
	Fixed    *FixedResponse
}

// Condition is a condition of a rule. It matches if any of its values does.
type Condition struct {
	// Field is the name of the condition in the API, such as path-pattern.
	Field string
	// Header is the name of the header of an http-header condition.
	Header string
	// Values are patterns, methods or networks, depending on Field.
	Values []string
	// Query holds the values of a query-string condition.
	Query []QueryPattern
	// Regexes match in addition to Values.
	Regexes []*regexp.Regexp
}

// QueryPattern matches a parameter of the query. Without a key, it matches the values of all parameters.
type QueryPattern struct{ Key, Value string }

// Login is an authentication action.
type Login struct {
	// Bearer accepts any bearer token and rejects requests without one. The other fields do not apply.
	Bearer bool
	// Cookie is the name of the session cookie, which is accepted with any value.
	Cookie string
	// OnUnauthenticated is what happens to other requests: deny, allow or authenticate.
	OnUnauthenticated string
	// Endpoint, Client, Scope and Extra are the URL of the login page and its parameters.
	Endpoint, Client, Scope string
	Extra                   map[string]string
}

// Forward is a forward action.
type Forward struct {
	// Groups are the target groups and their weights.
	Groups []WeightedGroup
	// Sticky is how long a client stays with its group, 0 for not at all.
	Sticky time.Duration
}

// WeightedGroup is a target group in a forward action.
type WeightedGroup struct {
	ARN    string
	Weight int
}

// Redirect is a redirect action. Its texts contain the placeholders of the API, such as #{host}.
type Redirect struct {
	Protocol, Host, Port, Path, Query string
	Status                            int
}

// FixedResponse is a fixed-response action.
type FixedResponse struct {
	Status            int
	ContentType, Body string
}

// Group is a target group.
type Group struct {
	// Balancer is the ARN of the load balancer that uses the group, "" for none.
	Balancer string
	// Zones are those of the load balancer that uses the group, nil for none. Without zones, targets are unused.
	Zones map[string]bool
	// Targets are the registered targets, in the order of registration.
	Targets []Target
	// Protocol is the protocol of the targets, HTTP2 its version.
	Protocol string
	HTTP2    bool
	// Health configures the health checks.
	Health HealthCheck
	// MinHealthy is the number of healthy targets below which all targets get requests.
	MinHealthy int
	// Sticky is how long a client stays with its target, 0 for not at all.
	Sticky time.Duration
	// DeregistrationDelay is how long a deregistered target is reported as draining.
	DeregistrationDelay time.Duration
	// Zonal keeps connections in the zone in which they arrive: cross-zone load balancing is off.
	Zonal bool
	// CutDrained cuts the connections to a deregistered target after the delay, CutUnhealthy those to a target that
	// becomes unhealthy. Otherwise they last until one of the peers closes them.
	CutDrained, CutUnhealthy bool
}

// HealthCheck holds the health check settings of a target group. Equal settings leave running checks alone.
type HealthCheck struct {
	Enabled            bool
	Protocol           string // HTTP, HTTPS or TCP
	Port               string // a number or traffic-port
	Path               string
	Interval, Timeout  int // seconds
	Healthy, Unhealthy int // consecutive checks
	Matcher            string
}

// Target is a registered target.
type Target struct {
	ID string
	// Port is 0 for a Lambda function.
	Port int
	// Zone is "" for the zone of the load balancer, or "all".
	Zone string
	// Address is where the target is reached, such as "127.0.0.1:8080". It is "" for a Lambda function, which
	// cannot run here.
	Address string
}

// Same reports whether both are the same registration, which ID and port identify.
func (t Target) Same(o Target) bool { return t.ID == o.ID && t.Port == o.Port }

// TargetHealth is the health of a target in the terms of Describe calls.
type TargetHealth struct {
	Target                     Target
	State, Reason, Description string
}

// Metrics receives what CloudWatch publishes about load balancers. Its methods and those of what it returns may be
// called concurrently, and are called for every request.
type Metrics interface {
	// Balancer returns the metrics of a load balancer without its groups.
	Balancer(arn string) BalancerMetrics
	// Group returns the metrics of a target group behind a load balancer.
	Group(balancerARN, groupARN string) GroupMetrics
}

// BalancerMetrics receives what a load balancer does without a target.
type BalancerMetrics interface {
	// Generated counts a response that the load balancer generated, by its status.
	Generated(status int)
}

// GroupMetrics receives what happens in a target group.
type GroupMetrics interface {
	// Request counts a request for which a target was chosen.
	Request()
	// ConnectionError counts a failed attempt to connect to a target.
	ConnectionError()
	// Response counts a target's response by its status class, 1 to 5, and its response time.
	Response(class int, took time.Duration)
	// Flow counts a new connection, or a new flow of UDP, for which a target was chosen.
	Flow()
	// Reset counts a connection that was reset, by who did it.
	Reset(Peer)
	// Hosts records how many targets are healthy and unhealthy from now on. A group without targets, or without a
	// load balancer, is not reported.
	Hosts(HostCounts)
}

// Peer is who resets a connection.
type Peer int

// The peers.
const (
	ResetByClient Peer = iota
	ResetByTarget
	ResetByBalancer
)

// HostCounts is the health of a target group in CloudWatch.
type HostCounts struct {
	Reported           bool
	Healthy, Unhealthy int
}
