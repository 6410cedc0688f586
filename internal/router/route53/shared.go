package route53

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// shared is what a pair of Routers has in common.
type shared struct {
	aliasHealth func(ctx context.Context, dnsName string) (traffic.Health, error)
	aliasIdle   func(ctx context.Context, dnsName string) (map[string]traffic.Health, error)
	checks      facts[string, types.HealthCheckConfig]
	cached      facts[Route, time.Duration] // of targets of aliases

	mu      sync.Mutex
	written map[string][]traffic.State // by route: the last accepted write, and those after it whose outcome is unknown
	open    map[string][]string        // by zone: ids of changes that are not known to be in sync, oldest first
	unsure  map[string]bool            // by zone: whether a batch after the last accepted one may have been executed
	late    []*lateBatch
	fenced  map[string]bool // by route: Fence was called, and no write was accepted since
}

// attempt records that weights are about to be written to a route.
func (s *shared) attempt(route string, weights map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written == nil {
		s.written = map[string][]traffic.State{}
	}
	s.written[route] = append(s.written[route], traffic.State{Weights: weights})
}

// accepted records that the last attempt of each route was accepted, as a change of a zone.
func (s *shared) accepted(zone, change string, routes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, route := range routes {
		delete(s.fenced, route)
		if all := s.written[route]; len(all) > 0 {
			s.written[route] = slices.Clone(all[len(all)-1:])
		}
	}
	if s.open == nil {
		s.open = map[string][]string{}
	}
	if change != "" {
		s.open[zone] = append(s.open[zone], change)
	}
	delete(s.unsure, zone)
}

// unanswered records that a batch of a zone may be executed without an answer, now or later.
func (s *shared) unanswered(zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsure == nil {
		s.unsure = map[string]bool{}
	}
	s.unsure[zone] = true
}

// isUnsure reports whether a change of a zone may be in progress whose id is not known.
func (s *shared) isUnsure(zone string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsure[zone]
}

// wrote reports whether this process may have written the traffic of a state to the route.
func (s *shared) wrote(route string, now traffic.State) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.written[route], now.EqualTraffic)
}

// changesOf returns the changes of zones that are not known to be in sync, newest first.
func (s *shared) changesOf(zones []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, zone := range zones {
		some := slices.Clone(s.open[zone])
		slices.Reverse(some)
		all = append(all, some...)
	}
	return all
}

// inSync records that a change is in sync.
func (s *shared) inSync(change string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, zone := range slices.Collect(maps.Keys(s.open)) {
		s.open[zone] = slices.DeleteFunc(s.open[zone], func(id string) bool { return id == change })
	}
}

// InSync implements traffic.Propagator: it reports whether the changes of this process to the zones of
// the routes have reached all name servers of Route 53, with one GetChange for each that had not. It is true where there is none. It
// returns the errors of ParseRoute and of traffic.Router.
func (r *Router) InSync(ctx context.Context, routes []string) (bool, error) {
	var zones []string
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return false, err
		}
		zones = append(zones, route.Zone)
	}
	for _, change := range r.shared.changesOf(distinct(zones)) {
		out, err := r.client.GetChange(ctx, &route53api.GetChangeInput{Id: new(change)})
		switch {
		case err != nil:
			return false, callError(getChange, change, err)
		case out.ChangeInfo == nil || out.ChangeInfo.Status == "":
			return false, incomplete(getChange, change)
		case out.ChangeInfo.Status != types.ChangeStatusInsync:
			return false, nil
		}
		r.shared.inSync(change)
	}
	return true, nil
}

// factTTL is how long a fact is cached that changes rarely.
const factTTL = time.Minute

// facts caches facts that change rarely, such as the configuration of a health check. The zero value
// is empty.
type facts[K comparable, T any] struct {
	mu   sync.Mutex
	each map[K]fact[T]
}

type fact[T any] struct {
	value T
	until time.Time
}

func (f *facts[K, T]) get(key K) (T, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.each[key]
	return found.value, ok && time.Now().Before(found.until)
}

func (f *facts[K, T]) put(key K, value T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.each == nil {
		f.each = map[K]fact[T]{}
	}
	f.each[key] = fact[T]{value, time.Now().Add(factTTL)}
}

// checkConfig returns the configuration of a health check.
func (r *Router) checkConfig(ctx context.Context, id string) (types.HealthCheckConfig, error) {
	if config, ok := r.shared.checks.get(id); ok {
		return config, nil
	}
	out, err := r.client.GetHealthCheck(ctx, &route53api.GetHealthCheckInput{HealthCheckId: aws.String(id)})
	if err != nil {
		return types.HealthCheckConfig{}, callError(getHealthCheck, id, err)
	}
	if out.HealthCheck == nil || out.HealthCheck.HealthCheckConfig == nil {
		return types.HealthCheckConfig{}, incomplete(getHealthCheck, id)
	}
	config := *out.HealthCheck.HealthCheckConfig
	r.shared.checks.put(id, config)
	return config, nil
}
