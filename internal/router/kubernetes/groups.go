package kubernetes

import (
	"context"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// CheckGroups checks, before a shift, that every Service exists and has its port, that a ReferenceGrant allows
// each route to refer to one of another namespace, and that the Gateways of each route have accepted it. It
// returns traffic.ErrNotFound in a CallError, and ErrNoPort, ErrNoGrant, ErrNoParents or ErrNotAccepted in a
// GroupError.
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

func (r *Router) checkRoute(ctx context.Context, id string, groups []string) error {
	route, err := ParseRoute(id)
	if err != nil {
		return err
	}
	if !route.Kind.info().parents {
		return nil
	}
	a, err := r.acceptance(ctx, id)
	switch {
	case err != nil:
		return err
	case a.parents == 0:
		return &GroupError{Route: id, Err: ErrNoParents}
	case a.refused != "":
		return &GroupError{Route: id, Detail: a.refused, Err: ErrNotAccepted}
	case a.accepted == 0:
		return &GroupError{Route: id, Detail: "no controller has answered for its present generation", Err: ErrNotAccepted}
	}
	for _, group := range groups {
		g, err := ParseGroup(group)
		if err != nil {
			return err
		}
		if g.Namespace == route.Namespace {
			continue
		}
		if err := r.checkGrant(ctx, route, g); err != nil {
			return err
		}
	}
	return nil
}

// checkGrant checks that the namespace of a Service lets a route of another one refer to it.
func (r *Router) checkGrant(ctx context.Context, route Route, g GroupID) error {
	grants, err := r.calls.list(ctx, referenceGrants(), g.Namespace, "")
	if err != nil {
		return err
	}
	for _, grant := range grants {
		spec := part(grant.Object, "spec")
		from := slices.ContainsFunc(list(spec, "from"), func(x any) bool {
			one, _ := x.(map[string]any)
			return text(one, "group") == gatewayGroup && text(one, "kind") == route.Kind.info().kind && text(one, "namespace") == route.Namespace
		})
		to := slices.ContainsFunc(list(spec, "to"), func(x any) bool {
			one, _ := x.(map[string]any)
			name := text(one, "name")
			return text(one, "group") == "" && text(one, "kind") == "Service" && (name == "" || name == g.Service)
		})
		if from && to {
			return nil
		}
	}
	return &GroupError{Group: g.String(), Route: route.String(), Err: ErrNoGrant}
}

// LongestDelay returns 0: how long a proxy lets requests in flight go on is not known from the cluster.
func (*Router) LongestDelay(context.Context, []string) (time.Duration, error) { return 0, nil }

// SlowStarts returns nothing: a Service gets its share from the first request on.
func (*Router) SlowStarts(context.Context, []string) (map[string]time.Duration, error) {
	return nil, nil
}
