package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	maxConcurrent = 8 // concurrent requests of one method
	// maxConflicts is how often a write tries again on an object that changes meanwhile, over about three seconds.
	maxConflicts = 30
	// rollbackReadTimeout limits the read of an object before a rollback writes it. Without an answer, the
	// rollback patches it.
	rollbackReadTimeout = 2 * time.Second
)

var (
	_ traffic.Router     = (*Router)(nil)
	_ traffic.Propagator = (*Router)(nil)
)

// Config configures a Router.
type Config struct {
	Client dynamic.Interface
	// Rollback makes Write write an object that it cannot read.
	Rollback bool

	records *recordMemory
	seen    *sightings
}

// Router is traffic.Router for routes of a cluster. It caches nothing but the versions of the APIs.
type Router struct {
	config  Config
	calls   *caller
	records *recordMemory
	seen    *sightings
}

// New returns a Router. See NewRouters for Routers that call a cluster.
func New(config Config) *Router {
	if config.records == nil {
		config.records = &recordMemory{}
	}
	if config.seen == nil {
		config.seen = &sightings{}
	}
	return &Router{config: config, calls: &caller{client: config.Client, once: config.Rollback, served: map[string]string{}}, records: config.records, seen: config.seen}
}

// Read implements traffic.Router with one request per route. A state is Fresh but where this process wrote the route
// meanwhile: the API server does not answer with what is old. It also returns the errors of ParseRoute, a
// RuleError and ErrNotInstalled.
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

// copied returns a state that the caller may change.
func copied(s traffic.State) traffic.State {
	s.Weights = maps.Clone(s.Weights)
	return s
}

// readEach reads routes and returns a state or an error for each.
func (r *Router) readEach(ctx context.Context, routes []string) (map[string]traffic.State, map[string]error) {
	return awscall.Each(routes, maxConcurrent, func(id string) (traffic.State, error) {
		route, err := ParseRoute(id)
		if err != nil {
			return traffic.State{}, err
		}
		written := r.seen.writes(route)
		p, object, err := r.place(ctx, route)
		if err != nil {
			return traffic.State{}, err
		}
		s := p.state()
		s.Fresh = written == r.seen.writes(route)
		r.seen.read(route, object, maps.Clone(s.Weights))
		return s, nil
	})
}

// place reads a route and the object that it is a part of.
func (r *Router) place(ctx context.Context, route Route) (place, *unstructured.Unstructured, error) {
	object, err := r.object(ctx, route)
	if err != nil {
		return place{}, nil, err
	}
	p, err := placeIn(route, object.Object)
	return p, object, err
}

func (r *Router) object(ctx context.Context, route Route) (*unstructured.Unstructured, error) {
	return awscall.RetryIncomplete(ctx, func() (*unstructured.Unstructured, error) {
		return r.calls.get(ctx, route.Kind.info(), target{route.Namespace, route.Name, route.String()})
	})
}

// Write implements traffic.Router with a get and an update that has the resourceVersion of the get, so that a
// change of somebody else is neither lost nor overwritten: where it was one of the weights, since the last Read or
// after the get, Write returns a ChangedError and has changed nothing. The Router for rollbacks replaces weights that
// were changed before its get, and patches an object that it cannot read. It also returns the errors of ParseRoute and ParseGroup, a RuleError, ErrBusy, ErrKinds and, where
// nothing was sent, ErrInvalid, and ErrNoPort, ErrNoGrant and ErrTooManyRefs in a GroupError.
func (r *Router) Write(ctx context.Context, id string, want traffic.State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	route, err := ParseRoute(id)
	if err != nil {
		return err
	}
	w := writing{router: r, route: route}
	var ok bool
	if w.known, ok = want.Raw.(*raw); !ok || w.known == nil || w.known.Route != id {
		return fmt.Errorf("%w: it was not read from this route", ErrInvalid)
	}
	if want.Response == "" {
		if w.weights, err = sharesIn(route, want, w.known); err != nil {
			return err
		}
	}
	if err := w.checkNew(ctx); err != nil {
		return err
	}
	return w.write(ctx)
}

// writing is one Write.
type writing struct {
	router  *Router
	route   Route
	known   *raw
	weights map[string]int // nil: the route gets what is known
}

// checkNew checks that the Services exist which the route did not have, and that it may refer to them: the API would
// accept any name. A rollback needs them to exist.
func (w writing) checkNew(ctx context.Context) error {
	if w.route.Kind == Service {
		return nil
	}
	if w.router.config.Rollback {
		limited, cancel := context.WithTimeout(ctx, rollbackReadTimeout)
		defer cancel()
		ctx = limited
	}
	had := w.known.weights(w.route)
	for _, group := range sorted(w.weights) {
		if had[group] > 0 {
			continue
		}
		err := w.router.checkService(ctx, group)
		if err == nil && !w.router.config.Rollback {
			err = w.router.checkGrant(ctx, w.route, group)
		}
		if err != nil && (!w.router.config.Rollback || errors.Is(err, traffic.ErrNotFound)) {
			return err
		}
	}
	return nil
}

func (w writing) write(ctx context.Context) error {
	p, object, err := w.read(ctx)
	if err != nil || object == nil {
		if err == nil {
			err = w.patch(ctx)
		}
		return err
	}
	before := p.raw().weights(w.route)
	for attempt := range maxConflicts {
		now := p.raw().weights(w.route)
		next, err := w.next(p)
		if err != nil {
			return err
		}
		goal := next.weights(w.route)
		switch {
		case attempt > 0 && sameShares(now, goal):
			w.router.seen.accept(w.route)
			return nil // an attempt whose answer was lost, or somebody with the same goal
		case !sameShares(now, goal) && !w.expects(now, before):
			return &ChangedError{w.route.String(), now}
		}
		p.set(next)
		w.router.records.restore(w.route, object)
		w.router.seen.sent(w.route, goal)
		if err = w.router.calls.update(ctx, w.route.Kind.info(), object, w.route.String()); err == nil {
			w.router.seen.accept(w.route)
		}
		if !apierrors.IsConflict(err) || !awscall.WaitFor(ctx, conflictPause(attempt)) {
			return err
		}
		if p, object, err = w.router.place(ctx, w.route); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w: %d writes in a row found a newer version of it", w.route.Display(), ErrBusy, maxConflicts)
}

// conflictPause returns the pause after a conflict.
func conflictPause(attempt int) time.Duration {
	return time.Duration(min(attempt, 10)) * 10 * time.Millisecond
}

// expects reports whether weights are those that the caller decided on, or that this process sent and that arrived
// late. A rollback replaces also others that it found when it began.
func (w writing) expects(now, before map[string]int) bool {
	return w.router.seen.knows(w.route, now) || w.router.config.Rollback && sameShares(now, before)
}

// read reads the object before it is written. In a rollback, there is none where it cannot be read, or where another
// rule got the same name meanwhile.
func (w writing) read(ctx context.Context) (place, *unstructured.Unstructured, error) {
	if !w.router.config.Rollback {
		return w.router.place(ctx, w.route)
	}
	limited, cancel := context.WithTimeout(ctx, rollbackReadTimeout)
	defer cancel()
	p, object, err := w.router.place(limited, w.route)
	_, wrong := errors.AsType[*RuleError](err)
	if err == nil || wrong && !errors.Is(err, ErrSameName) || ctx.Err() != nil || errors.Is(err, traffic.ErrNotFound) {
		return p, object, err
	}
	return place{}, nil, nil
}

func (w writing) next(p place) (raw, error) {
	if w.weights == nil {
		return *w.known, nil
	}
	return p.next(w.weights, w.known)
}

// patch writes what is known of an object that cannot be read. It changes nothing where the rule is not at its
// index any more.
func (w writing) patch(ctx context.Context) error {
	patch, err := w.operations()
	if err != nil {
		return err
	}
	err = w.router.calls.patch(ctx, w.route.Kind.info(), w.route, patch)
	if err == nil {
		w.router.seen.accept(w.route)
	}
	return err
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// operations returns a JSON patch that writes the state to the object that is known.
func (w writing) operations() ([]byte, error) {
	i := w.route.Kind.info()
	if w.route.Kind == Service {
		next, err := w.next(place{route: w.route})
		if err != nil {
			return nil, err
		}
		return json.Marshal([]operation{{"replace", "/spec/selector", next.Field}})
	}
	rules := make([]any, w.known.Index+1)
	rules[w.known.Index] = map[string]any{i.refs: copyRefs(w.known.Refs)}
	p := place{route: w.route, index: w.known.Index, object: map[string]any{"spec": map[string]any{i.rules: rules}}}
	next, err := w.next(p)
	if err != nil {
		return nil, err
	}
	at := "/spec/" + i.rules + "/" + strconv.Itoa(w.known.Index)
	var operations []operation
	if _, err := strconv.Atoi(w.route.Rule); err != nil && w.route.Rule != "" {
		operations = append(operations, operation{"test", at + "/name", w.route.Rule})
	} else if w.known.Match != nil {
		operations = append(operations, operation{"test", at + "/" + i.match, w.known.Match})
	}
	return json.Marshal(append(operations, operation{"add", at + "/" + i.refs, next.Refs}))
}

func sameShares(a, b map[string]int) bool {
	return traffic.State{Weights: a}.Equal(traffic.State{Weights: b})
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// shareOf returns the share of a group.
func shareOf(weights map[string]int, group string) shift.Share { return shift.FromRaw(weights)[group] }
