package dataplane

import (
	"sync"
	"sync/atomic"
)

// Counts holds the counters of a target group.
type Counts struct {
	// Requests is the number of requests for which the group was chosen, whatever their result. For a network load
	// balancer these are connections and flows of UDP.
	Requests int64 `json:"requests"`
	// Target2xx to Target5xx are the responses of targets by status class.
	Target2xx int64 `json:"target_2xx"`
	Target3xx int64 `json:"target_3xx"`
	Target4xx int64 `json:"target_4xx"`
	Target5xx int64 `json:"target_5xx"`
	// ConnectionErrors is the number of failed attempts to connect to a target.
	ConnectionErrors int64 `json:"connection_errors"`
	// ELB502 to ELB504 are the responses that the load balancer generated after it had chosen the group.
	ELB502 int64 `json:"elb_502"`
	ELB503 int64 `json:"elb_503"`
	ELB504 int64 `json:"elb_504"`
	// ClientDisconnects is the number of requests whose client disconnected before a response.
	ClientDisconnects int64 `json:"client_disconnects"`
	// Truncated is the number of responses that ended early after their headers had been sent.
	Truncated int64 `json:"truncated"`
	// Active is the number of open connections and flows of a network load balancer.
	Active int64 `json:"active"`
	// Refused is the number of connections that a network load balancer refused because the group had no target.
	Refused int64 `json:"refused"`
	// Cut is the number of connections that a network load balancer ended before a peer did.
	Cut int64 `json:"cut"`
	// TargetResets and ClientResets are the connections of a network load balancer that a peer reset. A target that
	// refuses a connection counts too.
	TargetResets int64 `json:"target_resets"`
	ClientResets int64 `json:"client_resets"`
	// Targets holds the counters by target, such as "127.0.0.1:8080". Requests for which no target was chosen are not in it.
	Targets map[string]Counts `json:"targets,omitempty"`
}

// Errors returns the number of requests that got a 5xx or incomplete response, and of connections that were refused, cut
// or reset by the target. Client disconnects do not count.
func (c Counts) Errors() int64 {
	return c.Target5xx + c.ELB502 + c.ELB503 + c.ELB504 + c.Truncated + c.Refused + c.Cut + c.TargetResets
}

// ListenerCounts holds the counters of a listener.
type ListenerCounts struct {
	// Requests is the number of all requests, of a network load balancer the number of connections and flows.
	Requests int64 `json:"requests"`
	// Forwarded, Redirects and Fixed count requests by the type of the routing action.
	Forwarded int64 `json:"forwarded"`
	Redirects int64 `json:"redirects"`
	Fixed     int64 `json:"fixed"`
	// Logins is the number of requests that an authentication action rejected or redirected to log in.
	Logins int64 `json:"logins"`
	// NoGroup is the number of 503 responses because every weight in the action was 0.
	NoGroup int64 `json:"no_group"`
}

// counter holds the counters of a target group or a target.
type counter struct {
	requests, connectionErrors, clientDisconnects, truncated atomic.Int64
	class                                                    [6]atomic.Int64
	elb502, elb503, elb504                                   atomic.Int64
	active, refused, cut, targetResets, clientResets         atomic.Int64
}

func (c *counter) read() Counts {
	return Counts{
		Requests: c.requests.Load(), Target2xx: c.class[2].Load(), Target3xx: c.class[3].Load(), Target4xx: c.class[4].Load(), Target5xx: c.class[5].Load(),
		ConnectionErrors: c.connectionErrors.Load(), ELB502: c.elb502.Load(), ELB503: c.elb503.Load(), ELB504: c.elb504.Load(),
		ClientDisconnects: c.clientDisconnects.Load(), Truncated: c.truncated.Load(),
		Active: c.active.Load(), Refused: c.refused.Load(), Cut: c.cut.Load(), TargetResets: c.targetResets.Load(), ClientResets: c.clientResets.Load(),
	}
}

// groupCounter holds the counters of a group and of each of its targets. It outlives the group.
type groupCounter struct {
	counter
	mu      sync.Mutex
	targets map[string]*counter
}

func (g *groupCounter) target(name string) *counter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.targets == nil {
		g.targets = map[string]*counter{}
	}
	if g.targets[name] == nil {
		g.targets[name] = &counter{}
	}
	return g.targets[name]
}

func (g *groupCounter) readAll() Counts {
	out := g.read()
	g.mu.Lock()
	defer g.mu.Unlock()
	out.Targets = map[string]Counts{}
	for name, c := range g.targets {
		out.Targets[name] = c.read()
	}
	return out
}

// listenerCounter holds the counters of a listener. It outlives the listener.
type listenerCounter struct {
	requests, forwarded, redirects, fixed, logins, noGroup atomic.Int64
}

func (l *listenerCounter) read() ListenerCounts {
	return ListenerCounts{
		Requests: l.requests.Load(), Forwarded: l.forwarded.Load(), Redirects: l.redirects.Load(), Fixed: l.fixed.Load(),
		Logins: l.logins.Load(), NoGroup: l.noGroup.Load(),
	}
}
