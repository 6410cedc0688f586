package gate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// The metrics of an Application Load Balancer, in the namespace albNamespace. All
// are of a group but balancerErrors, which is of the balancer as a whole.
const (
	albNamespace   = "AWS/ApplicationELB"
	requestCount   = "RequestCount"
	code2xx        = "HTTPCode_Target_2XX_Count"
	code3xx        = "HTTPCode_Target_3XX_Count"
	code4xx        = "HTTPCode_Target_4XX_Count"
	code5xx        = "HTTPCode_Target_5XX_Count"
	failedConnects = "TargetConnectionErrorCount"
	balancerErrors = "HTTPCode_ELB_5XX_Count"
	responseTime   = "TargetResponseTime"
)

var (
	errNotALB = errors.New("an ARN that is none of an Application Load Balancer")

	groupARN = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):[0-9]*:(targetgroup/[^/]+/[^/]+)$`)
	routeARN = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]*:listener(?:-rule)?/(app/[^/]+/[^/]+)/.+$`)
)

// group is a target group as CloudWatch's dimensions have it.
type group struct {
	region, balancer, name string
	environment            string
}

// entryGroups is a group that receives, and those that give at its entry point.
type entryGroups struct {
	entry    string
	incoming group
	live     []group
}

func (c entryGroups) all() []group { return append([]group{c.incoming}, c.live...) }

// name is who is judged: "web (green)".
func (c entryGroups) name() string { return fmt.Sprintf("%s (%s)", c.entry, c.incoming.environment) }

// liveNames is who it is compared with: "blue".
func (c entryGroups) liveNames() string {
	var names []string
	for _, g := range c.live {
		if !slices.Contains(names, g.environment) {
			names = append(names, g.environment)
		}
	}
	return strings.Join(names, " and ")
}

func (c entryGroups) rivalHas() string {
	if rival := c.liveNames(); rival == c.live[0].environment {
		return rival + " has"
	}
	return c.liveNames() + " have"
}

// entryGroupsOf takes a moment's ARNs apart. A group that no route names has no
// dimensions, since the balancer's is missing: that is a finding of its own.
func entryGroupsOf(m rollout.GateInput) ([]entryGroups, []finding, error) {
	var all []entryGroups
	var unattached []finding
	for _, side := range m.Incoming {
		if len(side.Routes) == 0 {
			unattached = append(unattached, finding{rollout.Inconclusive, fmt.Sprintf(
				"%s (%s): no listener or rule names its target group yet, so that the balancer counts nothing for it", side.Entry, side.Environment)})
			continue
		}
		fresh, err := groupOf(side)
		if err != nil {
			return nil, nil, err
		}
		c := entryGroups{entry: side.Entry, incoming: fresh}
		for _, other := range m.Live {
			if other.Entry != side.Entry || len(other.Routes) == 0 {
				continue
			}
			live, err := groupOf(other)
			if err != nil {
				return nil, nil, err
			}
			c.live = append(c.live, live)
		}
		all = append(all, c)
	}
	return all, unattached, nil
}

func groupOf(side rollout.Backend) (group, error) {
	g := groupARN.FindStringSubmatch(side.Group)
	if g == nil {
		return group{}, fmt.Errorf("%w: %q", errNotALB, side.Group)
	}
	// A group belongs to one balancer, so any of its routes will do.
	r := routeARN.FindStringSubmatch(side.Routes[0])
	if r == nil {
		return group{}, fmt.Errorf("%w: %q", errNotALB, side.Routes[0])
	}
	return group{region: g[1], balancer: r[1], name: g[2], environment: side.Environment}, nil
}

// metricKey is one metric of a group, or of a balancer where the group is empty.
type metricKey struct{ region, balancer, group, metric, stat string }

func (g group) key(metric, stat string) metricKey {
	return metricKey{g.region, g.balancer, g.name, metric, stat}
}

func (m metricKey) query(id string, c TargetMetrics) types.MetricDataQuery {
	dimensions := map[string]string{"LoadBalancer": m.balancer}
	if m.group != "" {
		dimensions["TargetGroup"] = m.group
	}
	return metricQuery(id, MetricQuery{Namespace: albNamespace, Metric: m.metric, Dimensions: dimensions, Stat: m.stat, Period: c.Period})
}

// metricData are the points of every measure that was asked for.
type metricData map[metricKey]*metricSeries

// value is the value of a period, by its Unix second; 0 where there is no point, as
// the balancer sends none for what did not happen.
func (f metricData) value(m metricKey, second int64) float64 {
	if s := f[m]; s != nil {
		return s.values[second]
	}
	return 0
}

func (f metricData) has(m metricKey, second int64) bool {
	s := f[m]
	if s == nil {
		return false
	}
	_, ok := s.values[second]
	return ok
}

// metricKeys are what must be asked for to judge a contest.
func (c TargetMetrics) metricKeys(one entryGroups) []metricKey {
	groups := []group{one.incoming}
	if c.comparesWithLive() {
		groups = one.all()
	}
	var all []metricKey
	for _, g := range groups {
		all = append(all, g.key(requestCount, "Sum"))
		if c.needsErrors() {
			for _, metric := range []string{code2xx, code3xx, code4xx, code5xx, failedConnects} {
				all = append(all, g.key(metric, "Sum"))
			}
			all = append(all, metricKey{g.region, g.balancer, "", balancerErrors, "Sum"})
		}
		if c.needsLatency() {
			all = append(all, g.key(responseTime, c.Stat))
		}
	}
	return all
}

// comparesWithLive: even where only errors are judged, the live side says which requests
// without a code are usual.
func (c TargetMetrics) comparesWithLive() bool { return c.needsErrors() || c.LatencyRatio != nil }
func (c TargetMetrics) needsErrors() bool      { return c.MaxErrorRate != nil || c.WorseThanLiveBy != nil }
func (c TargetMetrics) needsLatency() bool     { return c.MaxLatency > 0 || c.LatencyRatio != nil }

// read asks for everything that the contests need, in one call per region, the
// regions side by side.
func (g *targetGate) read(ctx context.Context, contests []entryGroups, s metricSpan) (metricData, error) {
	byRegion := map[string][]metricKey{}
	for _, c := range contests {
		for _, m := range g.metricKeys(c) {
			if !slices.Contains(byRegion[m.region], m) {
				byRegion[m.region] = append(byRegion[m.region], m)
			}
		}
	}
	var (
		mu   sync.Mutex
		done sync.WaitGroup
		all  = metricData{}
		errs error
	)
	for region, measures := range byRegion {
		done.Go(func() {
			found, err := g.readRegion(ctx, region, measures, s)
			mu.Lock()
			defer mu.Unlock()
			errs = errors.Join(errs, err)
			for i, m := range measures {
				if series := found[queryIDOf(i)]; len(series) > 0 {
					all[m] = series[0]
				}
			}
		})
	}
	done.Wait()
	return all, errs
}

func queryIDOf(i int) string { return fmt.Sprintf("m%d", i) }

func (g *targetGate) readRegion(ctx context.Context, region string, measures []metricKey, s metricSpan) (map[string][]*metricSeries, error) {
	api, err := g.clients.in(region)
	if err != nil {
		return nil, err
	}
	var queries []types.MetricDataQuery
	for i, m := range measures {
		queries = append(queries, m.query(queryIDOf(i), g.TargetMetrics))
	}
	return readMetrics(ctx, api, s, queries)
}
