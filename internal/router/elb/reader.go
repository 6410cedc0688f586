package elb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	batchWindow  = 5 * time.Millisecond // requests within this time share calls
	cacheTTL     = 2 * time.Second
	maxIdleReads = 100              // groups in a run whose health is read for a warning
	callTimeout  = 20 * time.Second // of a shared call, so that a refresh without an answer ends soon
)

// Reader shares what a Router reads between all resources of one run of Terraform: requests at about
// the same time share calls, a call in flight is not repeated, and a result is cached for cacheTTL. It
// is for refreshing and planning. Decisions about writes use the Router, which caches nothing.
type Reader struct {
	router   *Router
	routes   batcher[traffic.State]
	groups   batcher[GroupInfo]
	records  batcher[[]traffic.Record]
	health   batcher[traffic.Health]
	idle     budget
	balancer resultCache[ARN, []trafficRoute]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	r := &Reader{
		router:  router,
		routes:  batcher[traffic.State]{read: router.readEach},
		groups:  batcher[GroupInfo]{read: router.groupInfoEach},
		records: batcher[[]traffic.Record]{read: NewRecorder(router).recordsEach},
		idle:    budget{left: maxIdleReads},
	}
	r.health.read = r.healthEach
	return r
}

// Read is Router.Read, except that it fails only for its own routes and not for those of others in the
// same call.
func (r *Reader) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	states, err := r.routes.get(ctx, routes)
	for i, s := range states {
		states[i] = copied(s)
	}
	return states, err
}

// Records is Router.Records with shared calls. A route that does not exist has none.
func (r *Reader) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	found := map[string][]traffic.Record{}
	for _, route := range routes {
		r.records.request(ctx, route) // together with the others
	}
	for _, route := range routes {
		records, err := r.records.get(ctx, []string{route})
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

// budget limits which groups are read in a run.
type budget struct {
	mu    sync.Mutex
	left  int
	spent map[string]bool
}

// admit returns the groups that may be read: those that were before, and others while some
// are left.
func (b *budget) admit(groups []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(groups), func(group string) bool {
		if b.spent[group] {
			return false
		}
		if b.left == 0 {
			return true
		}
		if b.spent == nil {
			b.spent = map[string]bool{}
		}
		b.left, b.spent[group] = b.left-1, true
		return false
	})
}

// IdleHealth returns the health of up to maxIdleReads groups in a run, with shared calls: a
// call returns one group, and a refresh of a thousand switches must not use up the API's limit
// for a warning. It returns what it has also with an error.
func (r *Reader) IdleHealth(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	admitted := r.idle.admit(groups)
	for _, group := range admitted {
		r.health.request(ctx, group) // together
	}
	found, errs := map[string]traffic.Health{}, []error{}
	for _, group := range admitted {
		health, err := r.health.get(ctx, []string{group})
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
	runConcurrently(work)
	return found, errs
}

// OtherRoutes is Router.OtherRoutes with shared calls.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.trafficRoutes)
}

// trafficRoutes is Router.trafficRoutes with shared calls.
func (r *Reader) trafficRoutes(ctx context.Context, balancer ARN) ([]trafficRoute, error) {
	a, isNew := r.balancer.take(balancer)
	if isNew {
		go func() {
			ctx, cancel := detachedContext(ctx)
			defer cancel()
			all, err := r.router.trafficRoutes(ctx, balancer)
			r.balancer.give(a, all, err)
		}()
	}
	return a.wait(ctx)
}

// Invalidate empties the cache. It is for after a shift.
func (r *Reader) Invalidate() {
	r.routes.forget()
	r.balancer.forget()
	r.groups.forget()
	r.records.forget()
	r.health.forget()
}
