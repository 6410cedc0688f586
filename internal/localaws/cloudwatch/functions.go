package cloudwatch

import (
	"strings"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// lambdaNamespace is the CloudWatch namespace of Lambda functions.
const lambdaNamespace = "AWS/Lambda"

// functionMetrics holds the metrics that Lambda emits: Invocations, Errors and Duration, with the dimensions
// FunctionName, Resource (the function with its alias or version) and, of an alias, ExecutedVersion. AWS documents
// ExecutedVersion for aliases with two versions; here every alias has it.
type functionMetrics struct {
	clock metricsClock

	mu        sync.Mutex
	recorders map[invocationKey]*recorder
}

// invocationKey identifies the invocations of a function, of a resource, or of a version by way of an alias. Empty
// members are those of a broader metric.
type invocationKey struct{ region, function, resource, version string }

// Functions returns the metrics that functions publish.
func (cw *Service) Functions() dataplane.FunctionMetrics { return cw.metrics.functions }

// Invocation counts an invocation in every metric that includes it.
func (m *functionMetrics) Invocation(i dataplane.Invocation) {
	resource := i.Function
	if i.Qualifier != "" {
		resource += ":" + i.Qualifier
	}
	keys := []invocationKey{{region: i.Region}, {region: i.Region, function: i.Function}, {region: i.Region, function: i.Function, resource: resource}}
	if i.Qualifier != "" && strings.Trim(i.Qualifier, "0123456789") != "" && i.Qualifier != "$LATEST" { // an alias
		keys = append(keys, invocationKey{i.Region, i.Function, resource, i.Version})
	}
	class := 2
	if i.Failed {
		class = 5
	}
	for _, key := range keys {
		r := m.recorder(key)
		r.Request()
		r.Response(class, i.Took)
	}
}

func (m *functionMetrics) recorder(key invocationKey) *recorder {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recorders[key] == nil {
		m.recorders[key] = &recorder{clock: m.clock, timed: true}
	}
	return m.recorders[key]
}

// read returns the points of a metric by the start of their period in seconds, as elbMetrics.read does.
func (m *functionMetrics) read(q readRequest) map[int64]*summary {
	period := int64(m.clock.period.Seconds())
	key, ok := invocationDimensions(q.metric)
	unit := map[string]string{"Invocations": "Count", "Errors": "Count", "Duration": "Milliseconds"}[q.metric.name]
	m.mu.Lock()
	r := m.recorders[key]
	m.mu.Unlock()
	if r == nil || !ok || unit == "" || q.period%period != 0 || (q.unit != "" && q.unit != unit) {
		return nil
	}
	first, end := q.periods()
	out := map[int64]*summary{}
	for _, p := range r.slots(max(first/period, m.clock.oldest(q.at)), min(end/period, m.clock.visible(q.at))) {
		mergeAt(out, m.clock.startOf(p.slot)/q.period*q.period, p.invocations(q.metric.name))
	}
	return out
}

// invocations returns a metric of Lambda. Errors has a sample of 0 for every invocation without one.
func (p *packed) invocations(name string) *summary {
	s := &summary{}
	switch name {
	case "Invocations":
		s.add(1, float64(p.counts[requestCount]))
	case "Errors":
		s.add(1, float64(p.counts[target5xx]))
		s.add(0, float64(p.counts[target2xx]))
	case "Duration":
		const milliseconds = 1000
		for _, b := range p.times {
			s.add(bucketSeconds(int(b.index))*milliseconds, float64(b.count))
		}
		if s.count > 0 {
			s.sum, s.min, s.max = p.sum.Seconds()*milliseconds, p.low.Seconds()*milliseconds, p.high.Seconds()*milliseconds
		}
	}
	return s
}

func invocationDimensions(id metricID) (invocationKey, bool) {
	key := invocationKey{region: id.region}
	for name, value := range id.pairs() {
		switch name {
		case "FunctionName":
			key.function = value
		case "Resource":
			key.resource = value
		case "ExecutedVersion":
			key.version = value
		default:
			return key, false
		}
	}
	return key, true
}
