package route53

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// healthyPercent is the part of the health checkers that must be exceeded for Route 53 to consider
// an endpoint healthy.
const healthyPercent = 18

// Reasons of targets.
const (
	reasonNoCheck  = "HealthCheck.None"         // the record set has no health check
	reasonDisabled = "HealthCheck.Disabled"     // Route 53 considers it healthy
	reasonType     = "HealthCheck.NotReadable"  // the API has no status for its type
	reasonNew      = "HealthCheck.Initial"      // no checker has reported yet
	reasonDeleted  = "HealthCheck.DoesNotExist" // the record set refers to a deleted health check
	reasonFailed   = "HealthCheck.Failed"
)

// Health implements traffic.Router. The targets of a group are the health checks of its record sets,
// the targets of the load balancers that they are aliases of (Options.AliasHealth), and otherwise the
// record sets themselves, which are not checked. A target is named after what was checked.
//
// Route 53 has no status for calculated health checks, those of a CloudWatch alarm and those of a
// routing control: these are not checked either. It also returns the errors of ParseGroup.
func (r *Router) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, errs := r.healthEach(ctx, groups, r.names.each, r.healthOf)
	for _, group := range groups {
		if err := errs[group]; err != nil {
			return nil, err
		}
	}
	return found, nil
}

// healthReader reads the health of record sets of a zone.
type healthReader func(ctx context.Context, zone string, sets []types.ResourceRecordSet) (traffic.Health, error)

// healthEach returns the health of each group, or why it could not be read.
func (r *Router) healthEach(ctx context.Context, groups []string, list listAll, of healthReader) (map[string]traffic.Health, map[string]error) {
	found, errs := map[string]traffic.Health{}, map[string]error{}
	each, failed := setsEach(ctx, groups, list)
	var mu sync.Mutex
	var work []func()
	for _, group := range distinct(groups) {
		if failed[group] != nil {
			errs[group] = failed[group]
			continue
		}
		work = append(work, func() {
			health, err := awscall.RetryIncomplete(ctx, func() (traffic.Health, error) { return of(ctx, zoneOf(group), each[group]) })
			mu.Lock()
			defer mu.Unlock()
			if errs[group] = err; err == nil {
				found[group] = health
			}
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return found, errs
}

// zoneOf returns the zone of a group.
func zoneOf(group string) string {
	zone, _, _ := strings.Cut(group, "/")
	return zone
}

// setsEach returns the record sets of each group, or why they could not be read.
func setsEach(ctx context.Context, groups []string, list listAll) (map[string][]types.ResourceRecordSet, map[string]error) {
	found, errs := map[string][]types.ResourceRecordSet{}, map[string]error{}
	parsed := map[string]GroupID{}
	var places []place
	for _, id := range groups {
		g, err := ParseGroup(id)
		if err != nil {
			errs[id] = err
			continue
		}
		parsed[id] = g
		places = append(places, g.place())
	}
	listings := list(ctx, places)
	for id, g := range parsed {
		l := listings[g.place()]
		if l.err != nil {
			errs[id] = callError(listRecords, id, l.err)
			continue
		}
		if found[id] = setsOf(g, l.sets); len(found[id]) == 0 {
			errs[id] = missing(id)
		}
	}
	return found, errs
}

// setsOf returns the record sets of a group with a type of a route.
func setsOf(g GroupID, all []types.ResourceRecordSet) []types.ResourceRecordSet {
	return slices.DeleteFunc(slices.Clone(all), func(s types.ResourceRecordSet) bool {
		return aws.ToString(s.SetIdentifier) != g.Identifier || !slices.Contains(Types(), string(s.Type))
	})
}

// subject is what the health of a record set rests on. One field is set.
type subject struct {
	check     string // id of a health check
	balancer  string // DNS name of a load balancer
	unchecked string // names what is not checked
}

func (r *Router) subjectsOf(zone string, set types.ResourceRecordSet) []subject {
	var all []subject
	if set.HealthCheckId != nil {
		all = append(all, subject{check: *set.HealthCheckId})
	}
	switch name := balancerName(set.AliasTarget, zone); {
	case name != "" && r.shared.aliasHealth != nil:
		all = append(all, subject{balancer: name})
	case len(all) > 0:
	case set.AliasTarget != nil:
		all = append(all, subject{unchecked: "alias " + normalName(aws.ToString(set.AliasTarget.DNSName))})
	default:
		all = append(all, subject{unchecked: fmt.Sprintf("record set %s %s", aws.ToString(set.SetIdentifier), set.Type)})
	}
	return all
}

// healthOf returns the targets of record sets of a zone. What several of them rest on is read once.
func (r *Router) healthOf(ctx context.Context, zone string, sets []types.ResourceRecordSet) (traffic.Health, error) {
	var all []subject
	for _, set := range sets {
		all = append(all, r.subjectsOf(zone, set)...)
	}
	var h traffic.Health
	for _, s := range distinct(all) {
		targets, err := r.targetsOf(ctx, s)
		if err != nil {
			return traffic.Health{}, err
		}
		h.Targets = append(h.Targets, targets...)
	}
	return h, nil
}

// idleHealthOf is healthOf for a warning: of record sets that are aliases of load balancers and evaluate
// them, it is the health of a target group that is attached to one without traffic and has no healthy
// target. The target groups with traffic are not read: a shift waits until they are healthy.
func (r *Router) idleHealthOf(ctx context.Context, zone string, sets []types.ResourceRecordSet) (traffic.Health, error) {
	var names []string
	for _, set := range sets {
		if name := balancerName(set.AliasTarget, zone); name != "" && set.AliasTarget.EvaluateTargetHealth {
			names = append(names, name)
		}
	}
	if len(names) == 0 || r.shared.aliasIdle == nil {
		return r.healthOf(ctx, zone, sets)
	}
	for _, name := range distinct(names) {
		idle, err := r.shared.aliasIdle(ctx, name)
		if err != nil {
			return traffic.Health{}, err
		}
		for _, group := range slices.Sorted(maps.Keys(idle)) {
			if idle[group].Serving() == 0 {
				return idle[group], nil
			}
		}
	}
	return traffic.Health{Targets: []traffic.Target{{ID: "load balancer " + names[0], State: traffic.Unchecked, Reason: reasonNoCheck}}}, nil
}

func (r *Router) targetsOf(ctx context.Context, s subject) ([]traffic.Target, error) {
	switch {
	case s.check != "":
		t, err := r.checkTarget(ctx, s.check)
		return []traffic.Target{t}, err
	case s.balancer == "":
		return []traffic.Target{{ID: s.unchecked, State: traffic.Unchecked, Reason: reasonNoCheck}}, nil
	}
	h, err := r.shared.aliasHealth(ctx, s.balancer)
	if err != nil {
		return nil, err
	}
	targets := slices.Clone(h.Targets)
	for i := range targets {
		targets[i].ID = s.balancer + " " + targets[i].ID
	}
	return targets, nil
}

// balancerName returns the DNS name of the load balancer that an alias in a zone is of; empty: it is of
// something else, such as a record of the zone. The prefix dualstack is not part of the name that
// Elastic Load Balancing reports.
func balancerName(alias *types.AliasTarget, zone string) string {
	if alias == nil || aws.ToString(alias.HostedZoneId) == zone {
		return ""
	}
	name := strings.TrimPrefix(normalName(aws.ToString(alias.DNSName)), "dualstack.")
	if !strings.Contains(name, ".elb.") {
		return ""
	}
	return name
}

// checkTarget returns a health check as a target.
func (r *Router) checkTarget(ctx context.Context, id string) (traffic.Target, error) {
	t := traffic.Target{ID: "health check " + id}
	config, err := r.checkConfig(ctx, id)
	if err != nil {
		return checkMissing(t, err)
	}
	switch {
	case aws.ToBool(config.Disabled):
		t.State, t.Reason = traffic.Unchecked, reasonDisabled
		return t, nil
	case !hasCheckers(config.Type):
		t.State, t.Reason = traffic.Unchecked, reasonType
		return t, nil
	}
	out, err := r.client.GetHealthCheckStatus(ctx, &route53api.GetHealthCheckStatusInput{HealthCheckId: &id})
	if err != nil {
		return checkMissing(t, callError(getCheckStatus, id, err))
	}
	if out.HealthCheckObservations == nil { // a new health check has a list, which is empty
		return traffic.Target{}, incomplete(getCheckStatus, id)
	}
	t.State, t.Reason = checkState(out.HealthCheckObservations, aws.ToBool(config.Inverted))
	return t, nil
}

// checkMissing is about a health check that does not exist: Route 53 cannot determine its health.
func checkMissing(t traffic.Target, err error) (traffic.Target, error) {
	if _, deleted := errors.AsType[*types.NoSuchHealthCheck](err); deleted {
		t.State, t.Reason = traffic.Unknown, reasonDeleted
		return t, nil
	}
	return traffic.Target{}, err
}

// hasCheckers reports whether checkers around the world check an endpoint.
func hasCheckers(kind types.HealthCheckType) bool {
	return !slices.Contains([]types.HealthCheckType{
		types.HealthCheckTypeCalculated, types.HealthCheckTypeCloudwatchMetric, types.HealthCheckTypeRecoveryControl,
	}, kind)
}

// checkState returns the state that the observations of the checkers mean to Route 53.
func checkState(observations []types.HealthCheckObservation, inverted bool) (traffic.TargetState, string) {
	reports, successes := 0, 0
	for _, o := range observations {
		if o.StatusReport == nil || o.StatusReport.Status == nil {
			continue
		}
		reports++
		if strings.HasPrefix(*o.StatusReport.Status, "Success") {
			successes++
		}
	}
	if reports == 0 {
		return traffic.Initial, reasonNew
	}
	healthy := successes*100 > reports*healthyPercent
	if healthy != inverted {
		return traffic.Healthy, ""
	}
	return traffic.Unhealthy, reasonFailed
}
