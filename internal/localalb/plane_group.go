package localalb

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// liveGroup is the runtime form of a target group: its targets, their health and the round-robin position.
type liveGroup struct {
	arn    string
	plane  *plane
	counts *groupCounter

	serving atomic.Pointer[service]
	metrics atomic.Pointer[groupMetrics] // for its current or last load balancer; nil before the first
	turn    atomic.Uint64

	mu       sync.Mutex
	record   *group
	zones    map[string]bool // of the load balancer; nil while the group is not in use
	targets  []*liveTarget   // registered targets, in the order of registration
	draining []*liveTarget   // draining
}

// service is what routing a request needs from a group. It is replaced as a whole when health or settings change.
type service struct {
	targets []*liveTarget // the targets that get requests
	sticky  time.Duration // 0: targets are not sticky
	http2   bool
}

// liveTarget is the runtime form of a target. Its health is guarded by the group's lock.
type liveTarget struct {
	record    targetRecord
	address   string // "127.0.0.1:8080", "" for a Lambda function
	scheme    string
	counts    *counter
	stopDrain context.CancelFunc // stops the drain timer

	state, reason, description string
	passes, fails              int
	check                      *checker // nil while health checks do not run
}

// name returns the name of the target in counts and cookies.
func (t *liveTarget) name() string {
	if t.address == "" {
		return t.record.id
	}
	return t.address
}

func (p *plane) newGroup(arn string) *liveGroup {
	g := &liveGroup{arn: arn, plane: p, counts: p.groupCounter(arn)}
	g.serving.Store(&service{})
	return g
}

func (p *plane) newTarget(g *liveGroup, record *group, t targetRecord) *liveTarget {
	live := &liveTarget{record: t, scheme: or(record.protocol, "HTTP")}
	if record.targetType != "lambda" {
		host := t.id
		if record.targetType == "instance" {
			host = or(p.cfg.instances[t.id], "127.0.0.1")
		}
		live.address = net.JoinHostPort(host, strconv.Itoa(t.port))
	}
	live.counts = g.counts.target(live.name())
	return live
}

// configure updates the group to its record. zones are those of its load balancer, nil for none.
func (g *liveGroup) configure(record *group, zones map[string]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	restart := g.record == nil || g.record.health != record.health
	g.record, g.zones = record, zones
	before := g.targets
	g.targets = nil
	for _, t := range record.targets {
		at := slices.IndexFunc(before, func(o *liveTarget) bool { return o.record.same(t) })
		if at < 0 {
			g.cancelDrain(t)
			g.targets = append(g.targets, g.plane.newTarget(g, record, t))
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

// setMetrics directs metrics to a load balancer from now on, nil for none. Earlier metrics remain.
func (g *liveGroup) setMetrics(b *balancer) {
	old := g.metrics.Load()
	var next *groupMetrics
	if b != nil && b.kind == application {
		next = g.plane.metrics.group(b.arn, g.arn)
		g.metrics.Store(next)
	}
	if old != nil && old != next {
		old.health.record(healthChange{})
	}
}

// traffic returns the recorder of the group, nil if no load balancer has ever used it.
func (g *liveGroup) traffic() *recorder {
	if m := g.metrics.Load(); m != nil {
		return m.traffic
	}
	return nil
}

// recordHealth records the numbers of healthy and unhealthy targets. Other states count as neither, and a group
// without targets has no host counts. The caller holds the group's lock.
func (g *liveGroup) recordHealth() {
	m := g.metrics.Load()
	if m == nil {
		return
	}
	now := healthChange{reported: g.zones != nil && len(g.targets) > 0}
	for _, t := range g.targets {
		switch t.state {
		case stateHealthy:
			now.healthy++
		case stateUnhealthy:
			now.unhealthy++
		}
	}
	m.health.record(now)
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
	known := groupAttributes(g.record.targetType)
	s := &service{targets: healthy, http2: g.record.protocolVersion == "HTTP2"}
	if len(healthy) < seconds(known, g.record.attributes, minHealthyCount) {
		s.targets = usable
	}
	if g.record.attributes[stickyEnabled] == "true" {
		s.sticky = time.Duration(seconds(known, g.record.attributes, stickyDuration)) * time.Second
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
			if at := slices.IndexFunc(s.targets, func(t *liveTarget) bool { return t.name() == name }); at >= 0 {
				return s.targets[at]
			}
		}
	}
	return s.targets[(g.turn.Add(1)-1)%uint64(len(s.targets))]
}

func (g *liveGroup) targetCookies(r *http.Request, t *liveTarget) []*http.Cookie {
	s := g.serving.Load()
	if s.sticky == 0 {
		return nil
	}
	return cookiePair(r, targetCookie, t.name(), s.sticky)
}

func (g *liveGroup) transport() *http.Transport {
	if g.serving.Load().http2 {
		return g.plane.http2
	}
	return g.plane.http1
}

// targetHealth is the health of a target in the form of Describe calls.
type targetHealth struct {
	target                     targetRecord
	state, reason, description string
}

func (g *liveGroup) health() []targetHealth {
	g.mu.Lock()
	defer g.mu.Unlock()
	return mapTo(slices.Concat(g.targets, g.draining), func(t *liveTarget) targetHealth {
		return targetHealth{target: t.record, state: t.state, reason: t.reason, description: t.description}
	})
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
