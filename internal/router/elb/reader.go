package elb

import (
	"context"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	batchWindow = 5 * time.Millisecond // what is asked for within this goes out together
	cacheTTL    = 2 * time.Second
	callTimeout = 2 * time.Minute // nobody waits for an answer for longer
)

// Reader shares what a Router reads between all who ask in one run of
// Terraform: what is asked for at about the same time goes out in as few calls
// as can be, what is under way is not asked for again, and an answer is good for
// two more seconds. It is for showing what is there. Whoever decides on what
// was read uses the Router, which remembers nothing.
type Reader struct {
	router   *Router
	routes   shared[string, rollout.RouteState]
	balancer shared[ARN, []trafficRoute]
	groups   shared[string, GroupInfo]

	mu         sync.Mutex
	next       []question // what goes out with the next calls
	nextGroups []groupQuestion
}

type question struct {
	route  string
	answer *answer[rollout.RouteState]
}

// NewReader returns a Reader that has asked for nothing yet.
func NewReader(router *Router) *Reader {
	return &Reader{router: router}
}

// Read is Router.Read, except that it fails only for routes of its own: those
// that others have asked for at the same time do no harm.
func (r *Reader) Read(ctx context.Context, routes []string) ([]rollout.RouteState, error) {
	var asked []*answer[rollout.RouteState]
	for _, route := range routes {
		a, isNew := r.routes.take(route)
		if isNew {
			r.gather(ctx, route, a)
		}
		asked = append(asked, a)
	}
	settings := make([]rollout.RouteState, 0, len(routes))
	for _, a := range asked {
		setting, err := a.wait(ctx)
		if err != nil {
			return nil, err
		}
		settings = append(settings, result{setting: setting}.copied())
	}
	return settings, nil
}

// OtherRoutes is Router.Elsewhere, with the calls for each load balancer made
// once for all who ask.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.trafficRoutes)
}

// trafficRoutes is Router.outlets, made once for all who ask.
func (r *Reader) trafficRoutes(ctx context.Context, balancer ARN) ([]trafficRoute, error) {
	a, isNew := r.balancer.take(balancer)
	if isNew {
		go func() {
			ctx, cancel := outlive(ctx)
			defer cancel()
			all, err := r.router.trafficRoutes(ctx, balancer)
			r.balancer.give(a, all, err)
		}()
	}
	return a.wait(ctx)
}

// Invalidate makes every Read from now on a fresh one. It is for after a shift.
func (r *Reader) Invalidate() {
	r.routes.forget()
	r.balancer.forget()
	r.groups.forget()
}

// gather puts a route among those of the next calls, and sees that they go out.
func (r *Reader) gather(ctx context.Context, route string, a *answer[rollout.RouteState]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.next) == 0 {
		time.AfterFunc(batchWindow, func() { r.send(ctx) })
	}
	r.next = append(r.next, question{route, a})
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
	ctx, cancel := outlive(ctx)
	defer cancel()
	found := r.router.readEach(ctx, routes)
	for _, q := range going {
		r.routes.give(q.answer, found[q.route].setting, found[q.route].err)
	}
}

// outlive keeps a call going when the first of those who wait for it leaves.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
}

// shared holds the answers that several may wait for, or take from memory.
type shared[K comparable, T any] struct {
	mu   sync.Mutex
	held map[K]*answer[T]
}

// answer is what a question came to, once done is closed.
type answer[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // it is good until then; zero while it is under way
}

// take returns the answer to wait for, and whether the caller has to see to it
// that it is given. An error is remembered for nobody.
func (s *shared[K, T]) take(key K) (a *answer[T], isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = s.held[key]
	if a != nil && (a.until.IsZero() || a.err == nil && time.Now().Before(a.until)) {
		return a, false
	}
	if s.held == nil {
		s.held = map[K]*answer[T]{}
	}
	a = &answer[T]{done: make(chan struct{})}
	s.held[key] = a
	return a, true
}

func (s *shared[K, T]) give(a *answer[T], value T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.value, a.err, a.until = value, err, time.Now().Add(cacheTTL)
	close(a.done)
}

func (s *shared[K, T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.held)
}

func (a *answer[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
