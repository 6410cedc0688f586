package gate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/balancer"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Metrics of an Application Load Balancer in albNamespace. All have a target group,
// except balancerErrors, which is of the load balancer as a whole.
//
// Metrics of an alias of a Lambda function in lambdaNamespace, each for the version that
// ran. Errors has a data point of 0 where no invocation failed.
const (
	albNamespace   = "AWS/ApplicationELB"
	requestCount   = "RequestCount"
	code2xx        = "HTTPCode_Target_2XX_Count"
	code3xx        = "HTTPCode_Target_3XX_Count"
	code4xx        = "HTTPCode_Target_4XX_Count"
	code5xx        = "HTTPCode_Target_5XX_Count"
	failedConnects = "TargetConnectionErrorCount"
	balancerErrors = "HTTPCode_ELB_5XX_Count"
	balancer502    = "HTTPCode_ELB_502_Count"
	balancer504    = "HTTPCode_ELB_504_Count"
	responseTime   = "TargetResponseTime"

	lambdaNamespace = "AWS/Lambda"
	invocations     = "Invocations"
	failures        = "Errors"
	invocationTime  = "Duration" // in milliseconds
)

var (
	errNotALB = errors.New("not an ARN of an Application Load Balancer or its target groups, or of an alias or a version of a Lambda function")
	// errOnlyNLB says that no route of an evaluation has response codes.
	errOnlyNLB = errors.New("a Network Load Balancer publishes no response codes: use cloudwatch_metric with namespace AWS/NetworkELB, or a gate on the application's own metrics")

	groupARN   = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):[0-9]*:(targetgroup/[^/]+/[^/]+)$`)
	networkARN = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]*:listener/net/.+$`)
	versionARN = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:([a-z0-9-]+):[0-9]*:function:([^:]+):([0-9]+)$`)
	aliasARN   = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]*:function:([^:]+:[^:]+)$`)
	routeARN   = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]*:listener(?:-rule)?/(app/[^/]+/[^/]+)/.+$`)
)

// group is a target group, the load balancers behind a record, or a version of a Lambda
// function, as CloudWatch identifies it.
type group struct {
	environment string
	// subjects is a target group, each load balancer behind a record, or a version by way of each alias of the entry point.
	subjects []subject
	// balancers are the load balancers as a whole; none: it is a function.
	balancers []subject
	// whole reports that the load balancers serve nothing else.
	whole bool
}

// isFunction reports whether the group is a version of a function.
func (g group) isFunction() bool { return len(g.balancers) == 0 }

// subject is what a metric is about.
type subject struct {
	region, namespace string
	dimensions        [3]dimension // some may be empty
}

type dimension struct{ name, value string }

// entryGroups is an incoming group and the live groups at its entry point.
type entryGroups struct {
	entry    string
	incoming group
	live     []group
}

func (e entryGroups) all() []group { return append([]group{e.incoming}, e.live...) }

// name identifies what is evaluated, such as "web (green)".
func (e entryGroups) name() string { return fmt.Sprintf("%s (%s)", e.entry, e.incoming.environment) }

// liveNames lists the environments to compare with, such as "blue".
func (e entryGroups) liveNames() string {
	var names []string
	for _, g := range e.live {
		if !slices.Contains(names, g.environment) {
			names = append(names, g.environment)
		}
	}
	return strings.Join(names, " and ")
}

// entryGroupsOf parses the ARNs of an input. A group without a route has no load
// balancer, so it has no metrics; it is returned as a finding. So is a group behind a
// Network Load Balancer, which is not evaluated: the entry points of Application Load
// Balancers are. It is an error if there is none of them.
func entryGroupsOf(in rollout.GateInput, of balancer.Of) ([]entryGroups, []finding, error) {
	var all []entryGroups
	var unattached []finding
	networks := 0
	for _, backend := range in.Incoming {
		if len(backend.Routes) == 0 {
			unattached = append(unattached, finding{status: rollout.Inconclusive, text: fmt.Sprintf(
				"%s (%s): inconclusive because its target group is not attached to a listener or rule yet and has no metrics", backend.Entry, backend.Environment)})
			continue
		}
		if networkARN.MatchString(backend.Routes[0]) || of.IsNetwork(backend.Group) {
			networks++
			unattached = append(unattached, finding{status: rollout.Pass, text: fmt.Sprintf("%s (%s): not evaluated, behind a Network Load Balancer", backend.Entry, backend.Environment)})
			continue
		}
		incoming, err := groupOf(backend, of)
		if err != nil {
			return nil, nil, err
		}
		groups := entryGroups{entry: backend.Entry, incoming: incoming}
		for _, other := range in.Live {
			if other.Entry != backend.Entry || len(other.Routes) == 0 {
				continue
			}
			live, err := groupOf(other, of)
			if err != nil {
				return nil, nil, err
			}
			groups.live = append(groups.live, live)
		}
		all = append(all, groups)
	}
	if networks > 0 && networks == len(in.Incoming) {
		return nil, nil, errOnlyNLB
	}
	return all, unattached, nil
}

// locate returns the load balancers of groups that have no metrics of their own.
func locate(ctx context.Context, backends []traffic.Backend, deps Dependencies) (balancer.Of, error) {
	backends = slices.DeleteFunc(slices.Clone(backends), func(b traffic.Backend) bool { return len(b.Routes) == 0 })
	if deps.Balancers == nil || len(backends) == 0 {
		return nil, nil
	}
	found, err := deps.Balancers(ctx, backends)
	if err != nil {
		return nil, err
	}
	return found, balancer.Check(backends, found)
}

// CheckTargetMetrics returns a traffic.NoMetricsError where a gate of the kind "target_metrics" cannot evaluate all of
// the backends, as far as reads show that, or the error of a read.
func CheckTargetMetrics(ctx context.Context, backends []traffic.Backend, deps Dependencies) error {
	_, err := locate(ctx, backends, deps)
	return err
}

func groupOf(backend traffic.Backend, of balancer.Of) (group, error) {
	if arns := of[backend.Group]; len(arns) > 0 {
		return groupBehind(backend, arns)
	}
	if v := versionARN.FindStringSubmatch(backend.Group); v != nil {
		return versionOf(backend, v[1], dimension{"FunctionName", v[2]}, dimension{"ExecutedVersion", v[3]})
	}
	g := groupARN.FindStringSubmatch(backend.Group)
	if g == nil {
		return group{}, fmt.Errorf("%w: %q", errNotALB, backend.Group)
	}
	// A group belongs to one load balancer, so any of its routes identifies it.
	r := routeARN.FindStringSubmatch(backend.Routes[0])
	if r == nil {
		return group{}, fmt.Errorf("%w: %q", errNotALB, backend.Routes[0])
	}
	name := dimension{"LoadBalancer", r[1]}
	return group{
		environment: backend.Environment, balancers: []subject{{g[1], albNamespace, [3]dimension{name}}},
		subjects: []subject{{g[1], albNamespace, [3]dimension{name, {"TargetGroup", g[2]}}}},
	}, nil
}

// groupBehind returns the load balancers that serve an environment and nothing else.
func groupBehind(backend traffic.Backend, arns []string) (group, error) {
	g := group{environment: backend.Environment, whole: true}
	for _, arn := range arns {
		b, ok := balancer.Parse(arn)
		if !ok {
			return group{}, fmt.Errorf("%w: %q", errNotALB, arn)
		}
		g.balancers = append(g.balancers, subject{b.Region, albNamespace, [3]dimension{{"LoadBalancer", b.Name}}})
	}
	g.subjects = g.balancers
	return g, nil
}

// versionOf returns a version of a function behind the aliases of an entry point.
func versionOf(backend traffic.Backend, region string, function, version dimension) (group, error) {
	g := group{environment: backend.Environment}
	for _, route := range backend.Routes {
		a := aliasARN.FindStringSubmatch(route)
		if a == nil {
			return group{}, fmt.Errorf("%w: %q", errNotALB, route)
		}
		g.subjects = append(g.subjects, subject{region, lambdaNamespace, [3]dimension{function, {"Resource", a[1]}, version}})
	}
	return g, nil
}

// metricKey identifies one metric.
type metricKey struct {
	subject
	metric, stat string
}

// balancerKeys are the errors of the load balancers as a whole.
func (g group) balancerKeys() []metricKey {
	var all []metricKey
	for _, b := range g.balancers {
		all = append(all, metricKey{b, balancerErrors, "Sum"})
		if g.whole {
			all = append(all, metricKey{b, balancer502, "Sum"}, metricKey{b, balancer504, "Sum"})
		}
	}
	return all
}

func (k metricKey) query(id string, c TargetMetrics) types.MetricDataQuery {
	dimensions := map[string]string{}
	for _, d := range k.dimensions {
		if d.name != "" {
			dimensions[d.name] = d.value
		}
	}
	return metricQuery(id, MetricQuery{Namespace: k.namespace, Metric: k.metric, Dimensions: dimensions, Stat: k.stat, Period: c.Period})
}

// metricData holds the data points of every metric that was read.
type metricData map[metricKey]*metricSeries

// value returns the value of the period that starts at a Unix second; 0 if it has no
// data point, because the load balancer publishes none for a count of 0.
func (d metricData) value(k metricKey, second int64) float64 {
	if s := d[k]; s != nil {
		return s.values[second]
	}
	return 0
}

func (d metricData) has(k metricKey, second int64) bool {
	s := d[k]
	if s == nil {
		return false
	}
	_, ok := s.values[second]
	return ok
}

// each calls f with every value of the periods that start at some Unix seconds.
func (d metricData) each(k metricKey, starts []int64, f func(i int, v float64)) {
	s := d[k]
	if s == nil {
		return
	}
	for i, at := range starts {
		if v, ok := s.values[at]; ok {
			f(i, v)
		}
	}
}

// metricKeys returns the metrics that an evaluation requires. Those of live are also
// necessary for limits alone: they show how errors come in runs, and how many requests
// without a code are normal.
func (c TargetMetrics) metricKeys(entry entryGroups) []metricKey {
	var all []metricKey
	for _, g := range entry.all() {
		for _, s := range g.subjects {
			all = append(all, c.subjectKeys(g, s)...)
		}
		if c.needsErrors() && !g.isFunction() {
			all = append(all, g.balancerKeys()...)
		}
	}
	return all
}

func (c TargetMetrics) subjectKeys(g group, s subject) []metricKey {
	metrics := []string{g.requestsMetric()}
	if c.needsErrors() && g.isFunction() {
		metrics = append(metrics, failures)
	} else if c.needsErrors() {
		metrics = append(metrics, code2xx, code3xx, code4xx, code5xx, failedConnects)
	}
	var all []metricKey
	for _, metric := range metrics {
		all = append(all, metricKey{s, metric, "Sum"})
	}
	if c.needsSlow() {
		all = append(all, c.timeKey(g, s))
	}
	return all
}

// requestsMetric is the number of requests.
func (g group) requestsMetric() string {
	if g.isFunction() {
		return invocations
	}
	return requestCount
}

func (c TargetMetrics) needsErrors() bool {
	return c.MaxErrorRate != nil || c.WorseThanLiveBy != nil || c.ErrorRatio != nil
}

func (c TargetMetrics) needsSlow() bool {
	return c.MaxSlowRate != nil || c.SlowerThanLiveBy != nil || c.SlowRatio != nil
}

// timeKey returns the metric that is the percentage of response times up to SlowThreshold,
// such as "PR(:0.5)". Those of Lambda are in milliseconds.
func (c TargetMetrics) timeKey(g group, s subject) metricKey {
	metric, threshold := responseTime, c.SlowThreshold.Seconds()
	if g.isFunction() {
		metric, threshold = invocationTime, float64(c.SlowThreshold)/float64(time.Millisecond)
	}
	return metricKey{s, metric, "PR(:" + strconv.FormatFloat(threshold, 'f', -1, 64) + ")"}
}

// read reads all metrics that the groups require, in one call per region, the regions
// concurrently.
func (g *targetGate) read(ctx context.Context, groups []entryGroups, s metricSpan) (metricData, error) {
	byRegion := map[string][]metricKey{}
	for _, entry := range groups {
		for _, k := range g.metricKeys(entry) {
			if !slices.Contains(byRegion[k.region], k) {
				byRegion[k.region] = append(byRegion[k.region], k)
			}
		}
	}
	var (
		mu    sync.Mutex
		calls sync.WaitGroup
		all   = metricData{}
		errs  error
	)
	for region, keys := range byRegion {
		calls.Go(func() {
			series, err := g.readRegion(ctx, region, keys, s)
			mu.Lock()
			defer mu.Unlock()
			errs = errors.Join(errs, err)
			for i, k := range keys {
				if result := series[queryIDOf(i)]; len(result) > 0 {
					all[k] = result[0]
				}
			}
		})
	}
	calls.Wait()
	return all, errs
}

func queryIDOf(i int) string { return fmt.Sprintf("m%d", i) }

func (g *targetGate) readRegion(ctx context.Context, region string, keys []metricKey, s metricSpan) (map[string][]*metricSeries, error) {
	api, err := g.clients.in(region)
	if err != nil {
		return nil, err
	}
	var queries []types.MetricDataQuery
	for i, k := range keys {
		queries = append(queries, k.query(queryIDOf(i), g.TargetMetrics))
	}
	return readMetrics(ctx, api, s, queries)
}
