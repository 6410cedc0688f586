package cloudwatch

import (
	"strings"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// The CloudWatch namespaces of load balancers.
const (
	albNamespace = "AWS/ApplicationELB"
	nlbNamespace = "AWS/NetworkELB"
)

// ofLoadBalancers reports whether load balancers emit the metrics of a namespace.
func ofLoadBalancers(namespace string) bool {
	return namespace == albNamespace || namespace == nlbNamespace
}

// elbMetrics holds the metrics that the load balancer emits. They outlive the resources that they describe.
type elbMetrics struct {
	clock metricsClock

	mu        sync.Mutex
	balancers map[elbKey]*recorder
	groups    map[elbKey]*elbGroup
}

// elbKey identifies a load balancer or one of its groups as the dimensions do: "app/name/id", "targetgroup/name/id".
type elbKey struct {
	region, balancer, group string
}

// elbGroup holds the metrics of a group behind one load balancer.
type elbGroup struct {
	*recorder
	*healthLog
}

func newELBMetrics(clock metricsClock) *elbMetrics {
	return &elbMetrics{clock: clock, balancers: map[elbKey]*recorder{}, groups: map[elbKey]*elbGroup{}}
}

// keyOf derives a key from ARNs. groupARN is "" for the load balancer itself.
func keyOf(balancerARN, groupARN string) elbKey {
	region, resource := splitARN(balancerARN)
	_, group := splitARN(groupARN)
	return elbKey{region: region, balancer: strings.TrimPrefix(resource, "loadbalancer/"), group: group}
}

// splitARN returns the region of an ARN and the part after the account.
func splitARN(arn string) (region, resource string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", ""
	}
	return parts[3], parts[5]
}

// Balancer returns the metrics of what a load balancer does without a target.
func (m *elbMetrics) Balancer(arn string) dataplane.BalancerMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(arn, "")
	if m.balancers[key] == nil {
		m.balancers[key] = &recorder{clock: m.clock}
	}
	return m.balancers[key]
}

// Group returns the metrics of a group behind a load balancer.
func (m *elbMetrics) Group(balancerARN, groupARN string) dataplane.GroupMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(balancerARN, groupARN)
	if m.groups[key] == nil {
		m.groups[key] = &elbGroup{recorder: &recorder{clock: m.clock, timed: true}, healthLog: &healthLog{clock: m.clock}}
	}
	return m.groups[key]
}

// read returns the points of a metric by the start of their period in seconds. It returns none for an unknown
// metric, or if the requested period is not a multiple of the clock's.
func (m *elbMetrics) read(q readRequest) map[int64]*summary {
	period := int64(m.clock.period.Seconds())
	if q.period%period != 0 {
		return nil
	}
	key, ok := elbDimensions(q.metric)
	if !ok || (q.unit != "" && q.unit != elbUnit(q.metric.name)) {
		return nil
	}
	first, end := q.periods()
	in := slotRange{max(first/period, m.clock.oldest(q.at)), min(end/period, m.clock.visible(q.at))}
	out := map[int64]*summary{}
	for slot, s := range m.slots(key, q.metric.name, in) {
		mergeAt(out, m.clock.startOf(slot)/q.period*q.period, s)
	}
	return out
}

// slotRange is a half-open range of slots.
type slotRange struct{ from, to int64 }

// slots returns the points of a metric. For a load balancer they are the sum over its groups plus the responses
// that it generated itself.
func (m *elbMetrics) slots(key elbKey, name string, in slotRange) map[int64]*summary {
	out := map[int64]*summary{}
	for _, g := range m.groupsFor(key) {
		switch {
		case name == "HealthyHostCount" && key.group != "":
			return g.hosts(in.from, in.to, func(c healthChange) int { return c.Healthy })
		case name == "UnHealthyHostCount" && key.group != "":
			return g.hosts(in.from, in.to, func(c healthChange) int { return c.Unhealthy })
		}
		g.points(name, in, out)
	}
	m.mu.Lock()
	generated := m.balancers[key]
	m.mu.Unlock()
	if generated != nil {
		generated.points(name, in, out)
	}
	return out
}

// groupsFor returns the group of a key, or every group of its load balancer.
func (m *elbMetrics) groupsFor(key elbKey) []*elbGroup {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*elbGroup
	for k, g := range m.groups {
		if k.region == key.region && k.balancer == key.balancer && (key.group == "" || k.group == key.group) {
			out = append(out, g)
		}
	}
	return out
}

// points adds the recorder's points of a metric to out.
func (r *recorder) points(name string, in slotRange, out map[int64]*summary) {
	counter := counterIndex(name)
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

func counterIndex(name string) int {
	for i, n := range counterNames() {
		if n == name {
			return i
		}
	}
	return -1
}

func elbUnit(name string) string {
	if name == "TargetResponseTime" {
		return "Seconds"
	}
	return "Count"
}

// elbDimensions accepts LoadBalancer alone, or LoadBalancer and TargetGroup.
func elbDimensions(id metricID) (elbKey, bool) {
	key := elbKey{region: id.region}
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
	return key, inNamespace(id.namespace, key) && (key.group == "" || !isFlowMetric(id.name))
}

// inNamespace reports whether a namespace has the metrics of a load balancer: "app/…" or "net/…".
func inNamespace(namespace string, key elbKey) bool {
	prefix := "app/"
	if namespace == nlbNamespace {
		prefix = "net/"
	}
	return strings.HasPrefix(key.balancer, prefix)
}

// isFlowMetric reports whether a metric exists only for a whole network load balancer, and not by target group.
func isFlowMetric(name string) bool { return counterIndex(name) >= newFlows }

// mergeAt merges samples into the point at a time. A summary without samples adds no point.
func mergeAt(points map[int64]*summary, at int64, s *summary) {
	if s.count == 0 {
		return
	}
	if points[at] == nil {
		points[at] = &summary{}
	}
	points[at].merge(s)
}
