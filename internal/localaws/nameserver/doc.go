// Package nameserver is the part of the stand-in that answers DNS queries. A Server answers from the zones that its
// Source publishes, over UDP and TCP, as an authoritative server. It knows no API.
//
// Where a name has several record sets of a type, one of them answers: at random by weight as in Route 53, or exactly by
// weight. A record set whose health check fails, or whose alias target is unhealthy, is left out. Record sets of weight 0
// answer only if no healthy one has a weight. If none is healthy, all count as healthy.
package nameserver
