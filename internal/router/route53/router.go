package route53

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var (
	_ traffic.Router     = (*Router)(nil)
	_ traffic.Propagator = (*Router)(nil)
	_ traffic.Fencer     = (*Router)(nil)
)

// Router is traffic.Router for weighted records. It caches no record sets.
type Router struct {
	client client
	names  lister
	shared *shared
	sender sender

	mu     sync.Mutex
	queues map[string]*queue // by zone
}

func newRouter(c client, common *shared, rollback bool) *Router {
	return &Router{
		client: c, names: lister{c}, shared: common,
		sender: sender{client: c, names: lister{c}, shared: common, rollback: rollback},
		queues: map[string]*queue{},
	}
}

// Read implements traffic.Router with one ListResourceRecordSets per name at most: names that follow each
// other in a zone share calls. It also returns the errors of ParseRoute, and NotWeightedError.
func (r *Router) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, errs := r.readEach(ctx, routes)
	states := make([]traffic.State, 0, len(routes))
	for _, route := range routes {
		if err := errs[route]; err != nil {
			return nil, err
		}
		states = append(states, copied(found[route]))
	}
	return states, nil
}

// readEach returns the state of each route, or why it could not be read. Routes of one name share a
// call.
func (r *Router) readEach(ctx context.Context, routes []string) (map[string]traffic.State, map[string]error) {
	found, errs := map[string]traffic.State{}, map[string]error{}
	parsed := map[string]Route{}
	var places []place
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			errs[id] = err
			continue
		}
		parsed[id] = route
		places = append(places, route.place())
	}
	listings := r.names.each(ctx, places)
	for id, route := range parsed {
		l := listings[route.place()]
		if l.err != nil {
			errs[id] = callError(listRecords, id, l.err)
			continue
		}
		if s, err := r.stateOf(ctx, route, l.sets); err != nil {
			errs[id] = err
		} else {
			found[id] = s
		}
	}
	return found, errs
}

// stateOf returns the state of a route, which is fresh: lists are strongly consistent with changes that
// were accepted, also while they are PENDING. A rollback, which nothing must hold up, takes an alias of a
// record in the zone to be cached for no time.
func (r *Router) stateOf(ctx context.Context, route Route, all []types.ResourceRecordSet) (traffic.State, error) {
	s, err := stateOf(route, all)
	s.Fresh = err == nil
	if err == nil && !r.sender.rollback {
		s.Cached, err = targets{r.names.each, &r.shared.cached}.cached(ctx, route, ofType(all, route.Type))
	}
	return s, err
}

// Write implements traffic.Router. Groups of the route that the desired state leaves out get weight 0.
// It reads the record sets and sends DELETE of all of them and CREATE of the same with the desired weights,
// in one atomic batch with the others of its traffic.Group in the zone: all succeed, or none
// (beyond the 1000 records or 32,000 characters of a batch, there are several). Where nothing changes,
// it sends nothing.
//
// If the weights are neither those of desired.Raw nor what this process wrote, it writes nothing and
// returns a ChangedError. If the batch fails because of a concurrent change, it reads again, and sends
// the batch again, twice at most, if only other fields changed. A missing group is a MissingError, a route that
// was not written because of another one is a BatchError. It also returns the errors of Read, and ErrInvalid
// where nothing was sent.
//
// The rollback Router overwrites whatever weights it finds. If it cannot read the record sets, it
// writes those of desired.Raw (UPSERT). It ignores a missing group with weight 0, and if a batch fails,
// it writes each route alone. Where an earlier batch had no answer, it writes other weights for the same
// shares than that batch replaces, such as 99 and 0 for 100 and 0: so that batch is refused if Route 53
// executes it late.
func (r *Router) Write(ctx context.Context, route string, desired traffic.State) error {
	parsed, err := ParseRoute(route)
	if err != nil {
		return err
	}
	group := groupOf(ctx, route)
	k, weights, err := target(parsed, desired)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		r.queue(parsed.Zone).add(ctx, group, nil)
		return err
	}
	w := &write{ctx: ctx, route: parsed, raw: k, weights: weights, done: make(chan error, 1)}
	r.queue(parsed.Zone).add(ctx, group, w)
	return w.wait()
}

// groupOf returns the group of a write. Without one, the route is a group of its own.
func groupOf(ctx context.Context, route string) *traffic.Group {
	if group := traffic.GroupOf(ctx); group != nil && slices.Contains(group.Routes, route) {
		return group
	}
	return &traffic.Group{Routes: []string{route}}
}

// queue returns the queue of a zone.
func (r *Router) queue(zone string) *queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queues[zone] == nil {
		r.queues[zone] = &queue{zone: zone, send: func(ctx context.Context, writes []*write) { r.sender.send(ctx, zone, writes) }}
	}
	return r.queues[zone]
}
