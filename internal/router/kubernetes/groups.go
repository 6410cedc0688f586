package kubernetes

import (
	"context"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// CheckGroups checks, before a shift, that every Service exists and has its port, that every route has its rule
// and room for the backends, that the controllers of its Gateways have accepted it, and that a ReferenceGrant
// allows it to refer to Services of other namespaces. It returns traffic.ErrNotFound in a CallError or RuleError,
// and ErrNoPort, ErrNoParents, ErrNotAccepted, ErrTooManyRefs or ErrNoGrant in a GroupError.
func (r *Router) CheckGroups(ctx context.Context, entries ...traffic.Entry) error {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	for _, e := range entries {
		_, errs := awscall.Each(e.Groups, maxConcurrent, func(id string) (struct{}, error) { return struct{}{}, r.checkService(ctx, id) })
		if err := awscall.FirstOf(e.Groups, errs); err != nil {
			return err
		}
		_, errs = awscall.Each(e.Routes, maxConcurrent, func(id string) (struct{}, error) { return struct{}{}, r.checkRoute(ctx, id, e.Groups) })
		if err := awscall.FirstOf(e.Routes, errs); err != nil {
			return err
		}
	}
	return nil
}

// checkService checks that the Service of a group exists and has its port. A selector always exists.
func (r *Router) checkService(ctx context.Context, id string) error {
	g, err := ParseGroup(id)
	if err != nil || g.Selector != nil {
		return err
	}
	_, err = r.service(ctx, g)
	return err
}

// checkRoute checks that a route can have the groups: its rule exists, it is accepted, it has room, and it may refer
// to Services of other namespaces.
func (r *Router) checkRoute(ctx context.Context, id string, groups []string) error {
	route, err := ParseRoute(id)
	if err != nil {
		return err
	}
	p, _, err := r.place(ctx, route)
	if err != nil || !route.Kind.info().parents {
		return err
	}
	if err := acceptanceOf(route, p.object).check(id); err != nil {
		return err
	}
	if err := p.checkRoom(groups); err != nil {
		return err
	}
	for _, group := range groups {
		if err := r.checkGrant(ctx, route, group); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom checks that the rule can have the groups besides the backends that it has, which stay at weight 0.
func (p place) checkRoom(groups []string) error {
	if p.route.Kind == Service || p.route.Kind == VirtualService {
		return nil
	}
	has := map[string]bool{}
	for _, ref := range objects(p.rule(), p.route.Kind.info().refs) {
		has[groupOf(p.route, ref)] = true
	}
	n := len(p.refs())
	for _, group := range groups {
		if !has[group] {
			has[group] = true
			n++
		}
	}
	return p.checkCount(n)
}

// checkCount returns ErrTooManyRefs where the rule would have too many backends.
func (p place) checkCount(n int) error {
	if n <= maxRefs {
		return nil
	}
	return &GroupError{Route: p.route.String(), Err: ErrTooManyRefs, Detail: fmt.Sprintf("it would have %d, the maximum is %d", n, maxRefs)}
}

// LongestDelay returns 0: how long a proxy lets requests in flight go on is not known from the cluster.
func (*Router) LongestDelay(context.Context, []string) (time.Duration, error) { return 0, nil }

// SlowStarts returns nothing: a Service gets its share from the first request on.
func (*Router) SlowStarts(context.Context, []string) (map[string]time.Duration, error) {
	return nil, nil
}
