package elb

import (
	"context"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	batchWindow = 5 * time.Millisecond // requests within this time share calls
	cacheTTL    = 2 * time.Second
	callTimeout = 2 * time.Minute // no caller waits longer
)

// Reader shares what a Router reads between all resources of one run of Terraform: requests at about
// the same time share calls, a call in flight is not repeated, and a result is cached for cacheTTL. It
// is for refreshing and planning. Decisions about writes use the Router, which caches nothing.
type Reader struct {
	router   *Router
	routes   resultCache[string, traffic.State]
	balancer resultCache[ARN, []trafficRoute]
	groups   resultCache[string, GroupInfo]

	mu         sync.Mutex
	next       []routeRequest // for the next calls
	nextGroups []groupRequest
}

type routeRequest struct {
	route  string
	answer *sharedResult[traffic.State]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	return &Reader{router: router}
}

// Read is Router.Read, except that it fails only for its own routes and not for those of others in the
// same call.
func (r *Reader) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	var results []*sharedResult[traffic.State]
	for _, route := range routes {
		a, isNew := r.routes.take(route)
		if isNew {
			r.enqueue(ctx, route, a)
		}
		results = append(results, a)
	}
	settings := make([]traffic.State, 0, len(routes))
	for _, a := range results {
		setting, err := a.wait(ctx)
		if err != nil {
			return nil, err
		}
		settings = append(settings, result{setting: setting}.copied())
	}
	return settings, nil
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
}

// enqueue adds a route to the next calls and schedules them.
func (r *Reader) enqueue(ctx context.Context, route string, a *sharedResult[traffic.State]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.next) == 0 {
		time.AfterFunc(batchWindow, func() { r.send(ctx) })
	}
	r.next = append(r.next, routeRequest{route, a})
}

func (r *Reader) send(ctx context.Context) {
	r.mu.Lock()
	going := r.next
	r.next = nil
	r.mu.Unlock()
	var routes []string
	for _, q := range going {
		routes = append(routes, q.route)
	}
	ctx, cancel := detachedContext(ctx)
	defer cancel()
	found := r.router.readEach(ctx, routes)
	for _, q := range going {
		r.routes.give(q.answer, found[q.route].setting, found[q.route].err)
	}
}

// detachedContext keeps a call running when the first of its callers is canceled.
func detachedContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
}

// resultCache holds results that are in flight or cached.
type resultCache[K comparable, T any] struct {
	mu   sync.Mutex
	held map[K]*sharedResult[T]
}

// sharedResult is a result that is available once done is closed.
type sharedResult[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // cached until then; zero while in flight
}

// take returns the result to wait for, and whether the caller has to produce it. Errors are not cached.
func (s *resultCache[K, T]) take(key K) (a *sharedResult[T], isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = s.held[key]
	if a != nil && (a.until.IsZero() || a.err == nil && time.Now().Before(a.until)) {
		return a, false
	}
	if s.held == nil {
		s.held = map[K]*sharedResult[T]{}
	}
	a = &sharedResult[T]{done: make(chan struct{})}
	s.held[key] = a
	return a, true
}

func (s *resultCache[K, T]) give(a *sharedResult[T], value T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.value, a.err, a.until = value, err, time.Now().Add(cacheTTL)
	close(a.done)
}

func (s *resultCache[K, T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.held)
}

func (a *sharedResult[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
