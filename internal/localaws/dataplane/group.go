package dataplane

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// liveGroup is the runtime form of a target group: its targets, their health and the round-robin position.
type liveGroup struct {
	arn    string
	plane  *Plane
	counts *groupCounter

	serving atomic.Pointer[service]
	metered atomic.Pointer[metered] // for its current or last load balancer; nil before the first
	turn    atomic.Uint64

	mu       sync.Mutex
	config   *Group        // nil before the first configure
	targets  []*liveTarget // registered targets, in the order of registration
	draining []*liveTarget // draining
}

// service is what routing a request needs from a group. It is replaced as a whole when health or settings change.
type service struct {
	targets []*liveTarget    // the targets that get requests
	zones   map[string]zonal // by zone, while connections stay in theirs
	sticky  time.Duration    // 0: targets are not sticky
	http2   bool
}

// liveTarget is the runtime form of a target. Requests read its name, address and scheme, which never change. The
// registration and the health are guarded by the group's lock.
type liveTarget struct {
	name      string // in counts and cookies
	address   string // "" for a Lambda function
	scheme    string
	record    Target
	counts    *counter
	stopDrain context.CancelFunc // stops the drain timer

	state, reason, description string
	passes, fails              int
	check                      *checker // nil while health checks do not run

	flows flowSet // those of a network load balancer
}

// metered is what receives the metrics of a group behind a load balancer.
type metered struct {
	balancer string
	GroupMetrics
}

func (p *Plane) newGroup(arn string) *liveGroup {
	g := &liveGroup{arn: arn, plane: p, counts: p.groupCounter(arn)}
	g.serving.Store(&service{})
	return g
}

func (g *liveGroup) newTarget(t Target) *liveTarget {
	name := cmp.Or(t.Address, t.ID)
	return &liveTarget{
		name: name, address: t.Address, scheme: strings.ToLower(cmp.Or(g.config.Protocol, "HTTP")), record: t, counts: g.counts.target(name),
	}
}

// configure updates the group.
func (g *liveGroup) configure(config Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	restart := g.config == nil || g.config.Health != config.Health
	g.config = &config
	before := g.targets
	g.targets = nil
	for _, t := range config.Targets {
		at := slices.IndexFunc(before, func(o *liveTarget) bool { return o.record.Same(t) })
		if at < 0 {
			g.cancelDrain(t)
			g.targets = append(g.targets, g.newTarget(t))
			continue
		}
		before[at].record = t
		g.targets = append(g.targets, before[at])
	}
	for _, t := range before {
		if !slices.Contains(g.targets, t) {
			g.drain(t)
		}
	}
	for _, t := range g.targets {
		g.updateCheck(t, restart)
	}
	g.refresh()
}

// setMetrics directs metrics to those of a load balancer from now on, "" for none. Earlier metrics remain.
func (g *liveGroup) setMetrics(balancer string) {
	old := g.metered.Load()
	if old != nil && old.balancer == balancer {
		return
	}
	if balancer != "" {
		g.metered.Store(&metered{balancer: balancer, GroupMetrics: g.plane.opts.Metrics.Group(balancer, g.arn)})
	}
	if old != nil {
		old.Hosts(HostCounts{})
	}
}

// count passes an event to the metrics of the group. Before a load balancer uses the group there are none.
func (g *liveGroup) count(event func(GroupMetrics)) {
	if m := g.metered.Load(); m != nil {
		event(m)
	}
}

// recordHealth records the numbers of healthy and unhealthy targets. Other states count as neither, and a group
// without targets has no host counts. The caller holds the group's lock.
func (g *liveGroup) recordHealth() {
	now := HostCounts{Reported: g.config.Zones != nil && len(g.targets) > 0}
	for _, t := range g.targets {
		switch t.state {
		case stateHealthy:
			now.Healthy++
		case stateUnhealthy:
			now.Unhealthy++
		}
	}
	g.count(func(m GroupMetrics) { m.Hosts(now) })
}

// refresh selects the targets that get requests: the healthy ones, or all if too few are healthy. Unused targets
// never get requests.
func (g *liveGroup) refresh() {
	var healthy, usable []*liveTarget
	for _, t := range g.targets {
		if t.state == stateUnused {
			continue
		}
		usable = append(usable, t)
		if t.state == stateHealthy || t.state == stateUnavailable {
			healthy = append(healthy, t)
		}
	}
	s := &service{targets: healthy, sticky: g.config.Sticky, http2: g.config.HTTP2, zones: g.byZone(usable)}
	if len(healthy) < g.config.MinHealthy {
		s.targets = usable
	}
	g.serving.Store(s)
	g.recordHealth()
}

// pick returns the target for a request: the one in its sticky cookie if that gets requests, otherwise the next
// in turn. It returns nil if no target can get the request.
func (g *liveGroup) pick(r *http.Request) *liveTarget {
	s := g.serving.Load()
	if len(s.targets) == 0 {
		return nil
	}
	if s.sticky > 0 {
		if name, ok := readCookie(r, targetCookie); ok {
			if at := slices.IndexFunc(s.targets, func(t *liveTarget) bool { return t.name == name }); at >= 0 {
				return s.targets[at]
			}
		}
	}
	return s.targets[(g.turn.Add(1)-1)%uint64(len(s.targets))]
}

func (g *liveGroup) targetCookies(r *http.Request, t *liveTarget) []*http.Cookie {
	return stickyCookies(r, targetCookie, t.name, g.serving.Load().sticky)
}

func (g *liveGroup) transport() *http.Transport {
	if g.serving.Load().http2 {
		return g.plane.http2
	}
	return g.plane.http1
}

func (g *liveGroup) health() []TargetHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []TargetHealth
	for _, t := range slices.Concat(g.targets, g.draining) {
		out = append(out, TargetHealth{Target: t.record, State: t.state, Reason: t.reason, Description: t.description})
	}
	return out
}

// close stops the group's health checks and drains.
func (g *liveGroup) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.targets {
		t.stopCheck()
	}
	for _, t := range g.draining {
		t.stopDrain()
	}
}
