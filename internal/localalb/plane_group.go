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

// liveGroup is a target group at run time: its targets, their health, and whose turn it is.
type liveGroup struct {
	arn    string
	plane  *plane
	counts *groupCounter

	serving atomic.Pointer[service]
	metrics atomic.Pointer[groupMetrics] // behind the balancer that uses it, or the last one that did; nil before the first
	turn    atomic.Uint64

	mu      sync.Mutex
	record  *group
	zones   map[string]bool // of the balancer; nil while the group is not in use
	targets []*liveTarget   // registered, in the order of their registration
	leaving []*liveTarget   // draining
}

// service is what a request needs of a group, replaced as a whole when health or settings change.
type service struct {
	targets []*liveTarget // those that get requests
	sticky  time.Duration // 0: targets are not sticky
	http2   bool
}

// liveTarget is a target at run time. Its health is guarded by the group's lock.
type liveTarget struct {
	record  targetRecord
	address string // "127.0.0.1:8080", "" for a Lambda function
	scheme  string
	counts  *counter
	drained context.CancelFunc // ends the wait of a draining target

	state, reason, description string
	passes, fails              int
	check                      *checker // nil while it is not checked
}

// name is how counts and cookies call a target.
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

// configure makes the group obey its record. zones is those of the balancer that uses it, nil for none.
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
			g.undrain(t)
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
		g.supervise(t, restart)
	}
	g.refresh()
}

// measure counts for CloudWatch from now on behind a balancer, nil for none. What has been counted stays.
func (g *liveGroup) measure(b *balancer) {
	old := g.metrics.Load()
	var next *groupMetrics
	if b != nil && b.kind == application {
		next = g.plane.metrics.group(b.arn, g.arn)
		g.metrics.Store(next)
	}
	if old != nil && old != next {
		old.health.note(healthChange{})
	}
}

// traffic is the group's recorder, nil before any balancer has used it.
func (g *liveGroup) traffic() *recorder {
	if m := g.metrics.Load(); m != nil {
		return m.traffic
	}
	return nil
}

// noteHealth tells CloudWatch how many targets are healthy and unhealthy; the others are neither, and without any
// target there are no figures. The caller holds the group's lock.
func (g *liveGroup) noteHealth() {
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
	m.health.note(now)
}

// refresh works out which targets get requests: the healthy ones, or all of them where too few are healthy.
// Targets that are unused get none in any case.
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
	g.noteHealth()
}

// pick is the target for a request: the one that its cookie names while it gets requests, else the next one.
// It is nil where no target can get the request.
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

// verdict is the health of a target as Describe calls tell it.
type verdict struct {
	target                     targetRecord
	state, reason, description string
}

func (g *liveGroup) verdicts() []verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	return mapTo(slices.Concat(g.targets, g.leaving), func(t *liveTarget) verdict {
		return verdict{target: t.record, state: t.state, reason: t.reason, description: t.description}
	})
}

// close ends the group's health checks and waits.
func (g *liveGroup) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.targets {
		t.stopCheck()
	}
	for _, t := range g.leaving {
		t.drained()
	}
}
