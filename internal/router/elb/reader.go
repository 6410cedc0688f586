package elb

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	batchWindow = 5 * time.Millisecond // requests within this time share calls
	cacheTTL    = 2 * time.Second
	callTimeout = 20 * time.Second // of a shared call, so that a refresh without an answer ends soon
)

// Reader shares what a Router reads between all resources of one run of Terraform: requests at about
// the same time share calls, a call in flight is not repeated, and a result is cached for cacheTTL. It
// is for refreshing and planning. Decisions about writes use the Router, which caches nothing.
type Reader struct {
	router   *Router
	routes   batcher[traffic.State]
	groups   batcher[GroupInfo]
	records  batcher[[]traffic.Record]
	balancer resultCache[ARN, []trafficRoute]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	return &Reader{
		router:  router,
		routes:  batcher[traffic.State]{read: router.readEach},
		groups:  batcher[GroupInfo]{read: router.groupInfoEach},
		records: batcher[[]traffic.Record]{read: NewRecorder(router).recordsEach},
	}
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
}
