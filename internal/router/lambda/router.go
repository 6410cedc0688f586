package lambda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	maxConcurrent = 8 // concurrent calls of one method
	// rollbackReadTimeout limits the read of an alias before a rollback writes it. Without an answer, the
	// rollback writes it without a RevisionId.
	rollbackReadTimeout = 2 * time.Second
)

var (
	_ traffic.Router = (*Router)(nil)
	_ traffic.Fencer = (*Router)(nil)
)

// Client is the part of the API that a Router calls.
type Client interface {
	GetAlias(context.Context, *lambda.GetAliasInput, ...func(*lambda.Options)) (*lambda.GetAliasOutput, error)
	UpdateAlias(context.Context, *lambda.UpdateAliasInput, ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error)
	ListAliases(context.Context, *lambda.ListAliasesInput, ...func(*lambda.Options)) (*lambda.ListAliasesOutput, error)
	GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
	GetProvisionedConcurrencyConfig(context.Context, *lambda.GetProvisionedConcurrencyConfigInput, ...func(*lambda.Options)) (*lambda.GetProvisionedConcurrencyConfigOutput, error)
}

// Config configures a Router.
type Config struct {
	// Client returns the client for a region. It is called once per region, on first use.
	Client func(region string) Client
	// Rollback makes Write write an alias that it cannot read.
	Rollback bool
}

// Router is traffic.Router for aliases. It caches nothing but its clients.
type Router struct {
	config    Config
	revisions *revisions // also of the other Router of NewRouters
	mu        sync.Mutex
	clients   map[string]Client
}

// New returns a Router. See NewRouters for Routers that call AWS.
func New(config Config) *Router {
	return &Router{config: config, revisions: &revisions{}, clients: map[string]Client{}}
}

func (r *Router) client(region string) Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients[region] == nil {
		r.clients[region] = r.config.Client(region)
	}
	return r.clients[region]
}

// Read implements traffic.Router with one GetAlias per route. It also returns the errors of ParseRoute,
// and ErrLatest.
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
	return awscall.Each(routes, maxConcurrent, func(route string) (traffic.State, error) { return r.state(ctx, route) })
}

func (r *Router) state(ctx context.Context, route string) (traffic.State, error) {
	a, err := ParseRoute(route)
	if err != nil {
		return traffic.State{}, err
	}
	found, err := r.alias(ctx, a)
	if err != nil {
		return traffic.State{}, err
	}
	if a.with(found.routing.Version).Kind() == Latest {
		return traffic.State{}, fmt.Errorf("%s: %w", a.Display(), ErrLatest)
	}
	s := a.state(found.routing)
	s.Fresh = r.revisions.isFresh(route, found.revision)
	return s, nil
}

func (r *Router) alias(ctx context.Context, a ARN) (alias, error) {
	return awscall.RetryIncomplete(ctx, func() (alias, error) {
		function, route := a.Of().String(), a.String()
		out, err := r.client(a.Region).GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &function, Name: &a.Qualifier})
		if err != nil {
			return alias{}, callError(getAlias, route, err)
		}
		found, complete := aliasOf(out.FunctionVersion, out.RevisionId, out.RoutingConfig)
		if !complete {
			return alias{}, incomplete(getAlias, route)
		}
		found.description = aws.ToString(out.Description)
		r.revisions.read(route, found.revision)
		return found, nil
	})
}

// Write implements traffic.Router with one GetAlias and one UpdateAlias, which has the RevisionId of the
// read: where somebody else changes the alias between the two, it returns ErrChanged and has changed
// nothing. A change that leaves the routing as it is, such as one of the description, is no obstacle. The
// Router for rollbacks writes without a RevisionId where it cannot read. It also returns the errors of
// ParseRoute and ParseGroup, ErrOtherFunction and, where nothing was sent, ErrInvalid. For a missing version
// the CallError has the ARN of the version.
func (r *Router) Write(ctx context.Context, route string, want traffic.State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a, err := ParseRoute(route)
	if err != nil {
		return err
	}
	shares, err := a.shares(want)
	if err != nil {
		return err
	}
	known, ok := want.Raw.(*raw)
	if !ok || known == nil || known.route != route {
		return fmt.Errorf("%w: it was not read from this route", ErrInvalid)
	}
	before, err := r.beforeWrite(ctx, a, known)
	if err != nil {
		return err
	}
	if sent, is := r.revisions.unanswered(route); is && !r.config.Rollback && before.isRewritten(sent) {
		return callError(updateAlias, route, ErrChanged)
	}
	err = r.swap(ctx, a, []alias{before, {routing: known.routing}}, shares)
	if isNotFound(err) {
		return callError(updateAlias, missing(ctx, r, a, shares), err)
	}
	return callError(updateAlias, route, err)
}

// beforeWrite reads an alias before it is written. In a rollback, an alias that cannot be read is the one
// that is known, without a revision.
func (r *Router) beforeWrite(ctx context.Context, a ARN, known *raw) (alias, error) {
	if !r.config.Rollback {
		return r.alias(ctx, a)
	}
	limited, cancel := context.WithTimeout(ctx, rollbackReadTimeout)
	defer cancel()
	before, err := r.alias(limited, a)
	if err == nil || ctx.Err() != nil || errors.Is(err, traffic.ErrNotFound) {
		return before, err
	}
	return alias{routing: known.routing}, nil
}

// swap updates an alias that still has the routing that was read before, or the one that the caller knows:
// a read may be older than that. It returns the error of the API.
func (r *Router) swap(ctx context.Context, a ARN, expected []alias, shares shift.Weights) error {
	before := expected[0]
	desired := before.routing.next(shares)
	accepted := r.revisions.write(a.String())
	err := r.update(ctx, a, before, desired)
	for _, pause := range awscall.IncompletePauses() {
		if err == nil {
			accepted()
		}
		if !isStale(err) {
			return err
		}
		now, readErr := r.alias(ctx, a)
		switch {
		case readErr != nil:
			return err
		case now.routing.same(desired):
			accepted()
			return nil // an attempt whose answer was lost, or somebody with the same goal
		case !r.config.Rollback && now.isRewritten(before):
			return err
		case !slices.ContainsFunc(expected, func(x alias) bool { return now.routing.same(x.routing) }):
			return err
		case now.revision == before.revision && !awscall.WaitFor(ctx, pause): // the read may be old
			return err
		}
		before = now
		desired = before.routing.next(shares)
		accepted = r.revisions.write(a.String())
		err = r.update(ctx, a, before, desired)
	}
	if err == nil {
		accepted()
	}
	return err
}

func (r *Router) update(ctx context.Context, a ARN, before alias, desired routing) error {
	function := a.Of().String()
	in := &lambda.UpdateAliasInput{FunctionName: &function, Name: &a.Qualifier, FunctionVersion: &desired.Version, RoutingConfig: desired.config()}
	if before.revision != "" {
		in.RevisionId = &before.revision
	}
	unanswered := func() { r.revisions.sent(a.String(), before) }
	_, err := r.client(a.Region).UpdateAlias(awscall.Writing(ctx, unanswered), in)
	return err
}

// Fence implements traffic.Fencer. Every Write updates the alias, which gives it a new RevisionId, and a write
// that is executed late has an earlier one.
func (*Router) Fence(string, traffic.State, []traffic.State) bool { return true }

// missing returns what a write was refused for: a version that does not exist, or the alias.
func missing(ctx context.Context, r *Router, a ARN, shares shift.Weights) string {
	for _, version := range slices.Sorted(maps.Keys(shares)) {
		group := a.with(version).String()
		if _, err := r.version(ctx, group); isNotFound(err) {
			return group
		}
	}
	return a.String()
}
