// Package dataplane is the part of the stand-in that serves traffic. A Plane accepts connections, evaluates rules,
// chooses target groups by weight, proxies requests, checks health, applies stickiness, drains and counts. It knows
// no API: it serves the Config that it is given, and reports to the Metrics that it is given.
//
// Every listener listens on the loopback address of its load balancer, on its port or on a free one. HTTPS listeners
// use a certificate that New generates. A request is evaluated against one consistent set of rules; a change never
// interrupts an in-flight request. A forward action distributes its requests with a Chooser: exactly by weight,
// whatever the health of targets, and from the start of the cycle when the action changes. There is no failover from
// one group to another. Within a group, healthy targets take turns; if none is healthy, all of them do.
//
// The response is 503 for a group without targets and for an action without positive weights, 502 for a target
// that refuses or resets the connection or violates the protocol, and 504 for a target that exceeds the idle
// timeout. A request that may have reached a target is not sent again, unless its method allows it and the
// reused connection turned out to be closed by the target.
//
// # Network load balancers
//
// A listener with TCP, TLS, UDP or TCP_UDP chooses a target group for every new connection with a Chooser, and a target
// for it. The connection stays with its target until a peer closes it, whatever the weights, the registrations and the
// deletion of the listener. The load balancer itself resets a connection only when the group has no target, when the target
// refuses, when no data flows for the idle timeout, and, where the group says so, after the deregistration delay or when the
// target becomes unhealthy. UDP has no connections: a flow is what one client address sends, until 120 s without data.
//
// Connections arrive in the zones of the load balancer in turn. Where cross-zone load balancing is off, only targets in
// the same zone get them, and a zone without a healthy target for a group of the action gets none. Targets take turns, as
// for requests; a real load balancer chooses by a hash of the addresses.
//
// Authentication actions use no identity provider: a request with the session cookie, or for JWT with any bearer
// token, passes; others are handled as the action specifies.
//
// # Health
//
// Only targets of groups that are in an action are checked, at weight 0 too; the others are unused. A new
// target becomes healthy with its first pass. AWS allows no interval under 5 s; Options.FastHealth does.
package dataplane
