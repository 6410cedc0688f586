package elb

import (
	"context"
	"errors"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const maxIdleReads = 100 // groups in a run whose health is read for a warning

// Reader shares what a Router reads between all resources of one run of Terraform: requests at about
// the same time share calls, a call in flight is not repeated, and a result is cached for two seconds. It
// is for refreshing and planning. Decisions about writes use the Router, which caches nothing.
type Reader struct {
	router   *Router
	routes   awscall.Batcher[traffic.State]
	groups   awscall.Batcher[GroupInfo]
	records  awscall.Batcher[[]traffic.Record]
	health   awscall.Batcher[traffic.Health]
	idle     awscall.Budget
	balancer awscall.Cache[ARN, []trafficRoute]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	r := &Reader{
		router:  router,
		routes:  awscall.Batcher[traffic.State]{Each: router.readEach},
		groups:  awscall.Batcher[GroupInfo]{Each: router.groupInfoEach},
		records: awscall.Batcher[[]traffic.Record]{Each: NewRecorder(router).recordsEach},
		idle:    awscall.Budget{Left: maxIdleReads},
	}
	r.health.Each = r.healthEach
	return r
}

// Read is Router.Read, except that it fails only for its own routes and not for those of others in the
// same call.
func (r *Reader) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	states, err := r.routes.Get(ctx, routes)
	for i, s := range states {
		states[i] = copied(s)
	}
	return states, err
}

// Records is Router.Records with shared calls. A route that does not exist has none.
func (r *Reader) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	found := map[string][]traffic.Record{}
	for _, route := range routes {
		r.records.Request(ctx, route) // together with the others
	}
	for _, route := range routes {
		records, err := r.records.Get(ctx, []string{route})
		switch {
		case isNotFound(err):
		case err != nil:
			return nil, err
		case len(records[0]) > 0:
			found[route] = records[0]
		}
	}
	return found, nil
}

// IdleHealth returns the health of up to maxIdleReads groups in a run, with shared calls: a
// call returns one group, and a refresh of a thousand switches must not use up the API's limit
// for a warning. It returns what it has also with an error.
func (r *Reader) IdleHealth(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	admitted := r.idle.Admit(groups)
	for _, group := range admitted {
		r.health.Request(ctx, group) // together
	}
	found, errs := map[string]traffic.Health{}, []error{}
	for _, group := range admitted {
		health, err := r.health.Get(ctx, []string{group})
		if errs = append(errs, err); err == nil {
			found[group] = health[0]
		}
	}
	return found, errors.Join(errs...)
}

// healthEach is Router.Health with a result or an error for each group.
func (r *Reader) healthEach(ctx context.Context, groups []string) (map[string]traffic.Health, map[string]error) {
	var mu sync.Mutex
	found, errs := map[string]traffic.Health{}, map[string]error{}
	var work []func()
	for _, group := range groups {
		work = append(work, func() {
			health, err := r.router.groupHealth(ctx, group)
			mu.Lock()
			defer mu.Unlock()
			found[group], errs[group] = health, err
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return found, errs
}

// OtherRoutes is Router.OtherRoutes with shared calls.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.trafficRoutes)
}

// trafficRoutes is Router.trafficRoutes with shared calls.
func (r *Reader) trafficRoutes(ctx context.Context, balancer ARN) ([]trafficRoute, error) {
	return r.balancer.Get(ctx, balancer, func(ctx context.Context) ([]trafficRoute, error) { return r.router.trafficRoutes(ctx, balancer) })
}

// Invalidate empties the cache. It is for after a shift.
func (r *Reader) Invalidate() {
	r.routes.Forget()
	r.balancer.Forget()
	r.groups.Forget()
	r.records.Forget()
	r.health.Forget()
}
