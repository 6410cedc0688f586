package route53

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// maxIdleReads is the number of groups in a run whose health is read for a warning. Each takes up to
// three calls, and an account has five per second.
const maxIdleReads = 20

// Reader shares what a Router reads between all resources of one run of Terraform: requests at about
// the same time share calls, a call in flight is not repeated, and a result is cached for two seconds.
// It is for refreshing and planning. Decisions about writes use the Router, which caches no record
// sets.
type Reader struct {
	router *Router
	names  awscall.Batcher[[]types.ResourceRecordSet]
	idle   awscall.Budget
	cached *facts[Route, time.Duration]
	// aliases are of groups.
	aliases facts[string, []Alias]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	return &Reader{
		router: router,
		names:  awscall.Batcher[[]types.ResourceRecordSet]{Each: router.namesEach},
		idle:   awscall.Budget{Left: maxIdleReads},
		cached: &router.shared.cached,
	}
}

// namesEach is lister.each by text.
func (r *Router) namesEach(ctx context.Context, names []string) (map[string][]types.ResourceRecordSet, map[string]error) {
	var places []place
	for _, text := range names {
		zone, name, _ := strings.Cut(text, "/")
		places = append(places, place{zone, name})
	}
	found, errs := map[string][]types.ResourceRecordSet{}, map[string]error{}
	for at, l := range r.names.each(ctx, places) {
		found[at.String()], errs[at.String()] = l.sets, l.err
	}
	return found, errs
}

// listEach is lister.each with shared calls.
func (r *Reader) listEach(ctx context.Context, places []place) map[place]listing {
	each := distinct(places)
	for _, at := range each {
		r.names.Request(ctx, at.String()) // together
	}
	found := map[place]listing{}
	for _, at := range each {
		sets, err := r.names.Get(ctx, []string{at.String()})
		if err != nil {
			found[at] = listing{err: err}
			continue
		}
		found[at] = listing{sets: sets[0]}
	}
	return found
}

// Read is Router.Read with shared calls.
func (r *Reader) Read(ctx context.Context, routes []string) ([]traffic.State, error) {
	var parsed []Route
	var places []place
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, route)
		places = append(places, route.place())
	}
	listings := r.listEach(ctx, places)
	states := make([]traffic.State, 0, len(routes))
	for _, route := range parsed {
		l := listings[route.place()]
		if l.err != nil {
			return nil, callError(listRecords, route.String(), l.err)
		}
		s, err := stateOf(route, l.sets)
		if err != nil {
			return nil, err
		}
		if s.Cached, err = (targets{r.listEach, r.cached}).cached(ctx, route, ofType(l.sets, route.Type)); err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

// Records returns nothing: a record set has no place for the record of a shift.
func (*Reader) Records(context.Context, []string) (map[string][]traffic.Record, error) {
	return nil, nil
}

// References is Router.References with shared calls.
func (r *Reader) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	return references(ctx, groups, r.listEach)
}

// OtherRoutes is Router.OtherRoutes with shared calls.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.listEach)
}

// IdleHealth returns, for a warning, the health of up to maxIdleReads groups in a run. It lists record
// sets with shared calls, and returns what it has also with an error. Of an alias of a load balancer it
// is that of a target group without traffic; see idleHealthOf.
func (r *Reader) IdleHealth(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found, errs := r.router.healthEach(ctx, r.idle.Admit(groups), r.listEach, r.router.idleHealthOf)
	return found, errors.Join(slices.Collect(maps.Values(errs))...)
}

// Invalidate empties the cache. It is for after a shift.
func (r *Reader) Invalidate() {
	r.names.Forget()
}
