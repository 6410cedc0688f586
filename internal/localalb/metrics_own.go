package localalb

import (
	"strings"
	"sync"
)

// ownNamespace is where AWS puts the figures of application load balancers.
const ownNamespace = "AWS/ApplicationELB"

// ownMetrics is the balancer's figures about itself. They outlive what they are about.
type ownMetrics struct {
	clock metricsClock

	mu        sync.Mutex
	balancers map[ownKey]*recorder
	groups    map[ownKey]*groupMetrics
}

// ownKey names a balancer or one of its groups as the dimensions do: "app/name/id", "targetgroup/name/id".
type ownKey struct {
	region, balancer, group string
}

// groupMetrics is the figures of a group behind one balancer.
type groupMetrics struct {
	traffic *recorder
	health  *healthLog
}

func newOwnMetrics(clock metricsClock) *ownMetrics {
	return &ownMetrics{clock: clock, balancers: map[ownKey]*recorder{}, groups: map[ownKey]*groupMetrics{}}
}

// keyOf takes the names out of ARNs. group is "" for the balancer alone.
func keyOf(balancerARN, groupARN string) ownKey {
	key := ownKey{balancer: strings.TrimPrefix(resourceOf(balancerARN), "loadbalancer/"), group: resourceOf(groupARN)}
	if parts := strings.SplitN(balancerARN, ":", 5); len(parts) == 5 {
		key.region = parts[3]
	}
	return key
}

// balancer is the recorder of what a balancer does itself.
func (m *ownMetrics) balancer(arn string) *recorder {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(arn, "")
	if m.balancers[key] == nil {
		m.balancers[key] = &recorder{clock: m.clock}
	}
	return m.balancers[key]
}

// group is the figures of a group behind a balancer.
func (m *ownMetrics) group(balancerARN, groupARN string) *groupMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(balancerARN, groupARN)
	if m.groups[key] == nil {
		m.groups[key] = &groupMetrics{traffic: &recorder{clock: m.clock, timed: true}, health: &healthLog{clock: m.clock}}
	}
	return m.groups[key]
}

// read is the points of one of the figures by the second in which their period begins; none where there is no
// such figure, or where the period asked for is not made of whole periods of the clock.
func (m *ownMetrics) read(q reading) map[int64]*summary {
	period := int64(m.clock.period.Seconds())
	if q.period%period != 0 {
		return nil
	}
	key, ok := ownDimensions(q.metric)
	if !ok || (q.unit != "" && q.unit != ownUnit(q.metric.name)) {
		return nil
	}
	first, end := q.periods()
	in := span{max(first/period, m.clock.oldest(q.at)), min(end/period, m.clock.visible(q.at))}
	out := map[int64]*summary{}
	for slot, s := range m.slots(key, q.metric.name, in) {
		mergeAt(out, m.clock.startOf(slot)/q.period*q.period, s)
	}
	return out
}

// span is slots from one up to another.
type span struct{ from, to int64 }

// slots makes the points of a figure. Those of a balancer are the sum over its groups, but for what it
// answered itself.
func (m *ownMetrics) slots(key ownKey, name string, in span) map[int64]*summary {
	out := map[int64]*summary{}
	for _, g := range m.of(key) {
		switch {
		case name == "HealthyHostCount" && key.group != "":
			return g.health.slots(in.from, in.to, func(c healthChange) int { return c.healthy })
		case name == "UnHealthyHostCount" && key.group != "":
			return g.health.slots(in.from, in.to, func(c healthChange) int { return c.unhealthy })
		}
		g.traffic.points(name, in, out)
	}
	m.mu.Lock()
	own := m.balancers[key]
	m.mu.Unlock()
	if own != nil {
		own.points(name, in, out)
	}
	return out
}

// of is the group of a key, or every group of the balancer that it names.
func (m *ownMetrics) of(key ownKey) []*groupMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*groupMetrics
	for k, g := range m.groups {
		if k.region == key.region && k.balancer == key.balancer && (key.group == "" || k.group == key.group) {
			out = append(out, g)
		}
	}
	return out
}

// points adds what the recorder knows of a figure to the points of others.
func (r *recorder) points(name string, in span, out map[int64]*summary) {
	counter := counterNamed(name)
	if counter < 0 && name != "TargetResponseTime" {
		return
	}
	for _, p := range r.slots(in.from, in.to) {
		if counter >= 0 {
			mergeAt(out, p.slot, p.counted(counter))
		} else {
			mergeAt(out, p.slot, p.responseTimes())
		}
	}
}

func counterNamed(name string) int {
	for i, n := range counterNames() {
		if n == name {
			return i
		}
	}
	return -1
}

func ownUnit(name string) string {
	if name == "TargetResponseTime" {
		return "Seconds"
	}
	return "Count"
}

// ownDimensions reads LoadBalancer alone, or LoadBalancer and TargetGroup.
func ownDimensions(id metricID) (ownKey, bool) {
	key := ownKey{region: id.region}
	for name, value := range id.pairs() {
		switch name {
		case "LoadBalancer":
			key.balancer = value
		case "TargetGroup":
			key.group = value
		default:
			return key, false
		}
	}
	return key, key.balancer != ""
}

// mergeAt adds samples to the point at a time. No samples make no point.
func mergeAt(points map[int64]*summary, at int64, s *summary) {
	if s.count == 0 {
		return
	}
	if points[at] == nil {
		points[at] = &summary{}
	}
	points[at].merge(s)
}
