package localalb

import (
	"sync"
	"sync/atomic"
)

// Counts is what the data plane has counted for a target group.
type Counts struct {
	// Requests is how many requests the group was chosen for, whatever came of them.
	Requests int64 `json:"requests"`
	// Target2xx to Target5xx are answers that targets gave, by class.
	Target2xx int64 `json:"target_2xx"`
	Target3xx int64 `json:"target_3xx"`
	Target4xx int64 `json:"target_4xx"`
	Target5xx int64 `json:"target_5xx"`
	// ConnectionErrors is how many connections to a target could not be made.
	ConnectionErrors int64 `json:"connection_errors"`
	// ELB502 to ELB504 are answers that the balancer made itself after it had chosen the group.
	ELB502 int64 `json:"elb_502"`
	ELB503 int64 `json:"elb_503"`
	ELB504 int64 `json:"elb_504"`
	// ClientGone is how many clients left before there was an answer.
	ClientGone int64 `json:"client_gone"`
	// BrokenOff is how many answers broke off after their head had been passed on.
	BrokenOff int64 `json:"broken_off"`
	// Targets is the same by target, "127.0.0.1:8080", without the answers for which no target was chosen.
	Targets map[string]Counts `json:"targets,omitempty"`
}

// Errors is the requests that got an answer of class 5xx or none, whoever is to blame, clients apart.
func (c Counts) Errors() int64 {
	return c.Target5xx + c.ELB502 + c.ELB503 + c.ELB504 + c.BrokenOff
}

// ListenerCounts is what a listener has counted.
type ListenerCounts struct {
	// Requests is every request that came in.
	Requests int64 `json:"requests"`
	// Forwarded, Redirects and Fixed are by the routing action that was reached.
	Forwarded int64 `json:"forwarded"`
	Redirects int64 `json:"redirects"`
	Fixed     int64 `json:"fixed"`
	// Logins is how many were refused or sent to log in by an action before the routing action.
	Logins int64 `json:"logins"`
	// NoGroup is how many got a 503 since no group in the action has a weight.
	NoGroup int64 `json:"no_group"`
}

// counter counts for a group or a target.
type counter struct {
	requests, connectionErrors, clientGone, brokenOff atomic.Int64
	class                                             [6]atomic.Int64
	elb502, elb503, elb504                            atomic.Int64
}

func (c *counter) read() Counts {
	return Counts{
		Requests: c.requests.Load(), Target2xx: c.class[2].Load(), Target3xx: c.class[3].Load(), Target4xx: c.class[4].Load(), Target5xx: c.class[5].Load(),
		ConnectionErrors: c.connectionErrors.Load(), ELB502: c.elb502.Load(), ELB503: c.elb503.Load(), ELB504: c.elb504.Load(),
		ClientGone: c.clientGone.Load(), BrokenOff: c.brokenOff.Load(),
	}
}

// groupCounter counts for a group and for each of its targets. It outlives the group.
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

// listenerCounter counts for a listener. It outlives the listener.
type listenerCounter struct {
	requests, forwarded, redirects, fixed, logins, noGroup atomic.Int64
}

func (l *listenerCounter) read() ListenerCounts {
	return ListenerCounts{
		Requests: l.requests.Load(), Forwarded: l.forwarded.Load(), Redirects: l.redirects.Load(), Fixed: l.fixed.Load(),
		Logins: l.logins.Load(), NoGroup: l.noGroup.Load(),
	}
}
