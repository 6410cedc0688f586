package kubernetes

import (
	"context"
	"errors"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const maxIdleReads = 100 // groups in a run whose health is read for a warning

// Reader shares what a Router reads between all resources of one run of Terraform: a request in flight is not
// repeated, and a result is cached for two seconds. It is for refreshing and planning. Decisions about writes
// use the Router, which caches nothing.
type Reader struct {
	router *Router
	routes awscall.Batcher[traffic.State]
	health awscall.Batcher[traffic.Health]
	idle   awscall.Budget
	lists  awscall.Cache[collection, []listed]
	grants awscall.Cache[string, []grant]
}

// NewReader returns a Reader with an empty cache.
func NewReader(router *Router) *Reader {
	return &Reader{
		router: router,
		routes: awscall.Batcher[traffic.State]{Each: router.readEach},
		health: awscall.Batcher[traffic.Health]{Each: router.healthEach},
		idle:   awscall.Budget{Left: maxIdleReads},
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

// Records is Recorder.Records.
func (r *Reader) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	return NewRecorder(r.router).Records(ctx, routes)
}

// IdleHealth returns the health of up to maxIdleReads groups in a run, with shared requests. It returns what it
// has also with an error.
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

// References is Router.References with shared requests.
func (r *Reader) References(ctx context.Context, groups []string) ([]traffic.Reference, error) {
	found, err := r.FindReferences(ctx, groups)
	return found.References, err
}

// FindReferences is Router.FindReferences with shared requests.
func (r *Reader) FindReferences(ctx context.Context, groups []string) (Found, error) {
	return r.router.references(ctx, groups, r.shared())
}

// OtherRoutes is Router.OtherRoutes with shared requests.
func (r *Reader) OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error) {
	return otherRoutes(ctx, routes, groups, r.shared())
}

// shared are the lists of the Router with shared requests.
func (r *Reader) shared() lists {
	return lists{
		routes: func(ctx context.Context, at collection) ([]listed, error) {
			return r.lists.Get(ctx, at, func(ctx context.Context) ([]listed, error) { return r.router.listed(ctx, at) })
		},
		grants: func(ctx context.Context, namespace string) ([]grant, error) {
			return r.grants.Get(ctx, namespace, func(ctx context.Context) ([]grant, error) { return r.router.calls.grants(ctx, namespace) })
		},
	}
}

// Invalidate empties the cache. It is for after a shift.
func (r *Reader) Invalidate() {
	r.routes.Forget()
	r.health.Forget()
	r.lists.Forget()
	r.grants.Forget()
}
