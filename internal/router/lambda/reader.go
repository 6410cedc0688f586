package lambda

import (
	"context"
	"errors"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const maxIdleReads = 100 // versions in a run whose health is read for a warning

// Reader shares what a Router reads between all resources of one run of Terraform: a call in flight is not
// repeated, and a result is cached for two seconds. It is for refreshing and planning. Decisions about writes
// use the Router, which caches nothing.
type Reader struct {
	router   *Router
	routes   awscall.Batcher[traffic.State]
	versions awscall.Batcher[versionInfo]
	health   awscall.Batcher[traffic.Health]
	idle     awscall.Budget
	aliases  awscall.Cache[ARN, []namedAlias]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	return &Reader{
		router:   router,
		routes:   awscall.Batcher[traffic.State]{Each: router.readEach},
		versions: awscall.Batcher[versionInfo]{Each: router.versions},
		health:   awscall.Batcher[traffic.Health]{Each: router.healthEach},
		idle:     awscall.Budget{Left: maxIdleReads},
	}
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

// Records returns nothing: an alias has no place for records.
func (r *Reader) Records(context.Context, []string) (map[string][]traffic.Record, error) {
	return map[string][]traffic.Record{}, nil
}

// IdleHealth returns the health of up to maxIdleReads versions in a run, with shared calls. It returns what
// it has also with an error.
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

// References is Router.References with shared calls. It fails only for its own groups.
func (r *Reader) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	if _, err := r.versions.Get(ctx, groups); err != nil {
		return nil, err
	}
	return references(ctx, groups, r.list)
}

// OtherRoutes is Router.OtherRoutes with shared calls.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.list)
}

// list is Router.aliases with shared calls.
func (r *Reader) list(ctx context.Context, function ARN) ([]namedAlias, error) {
	return r.aliases.Get(ctx, function, func(ctx context.Context) ([]namedAlias, error) { return r.router.aliases(ctx, function) })
}

// Invalidate empties the cache. It is for after a shift.
func (r *Reader) Invalidate() {
	r.routes.Forget()
	r.versions.Forget()
	r.health.Forget()
	r.aliases.Forget()
}
