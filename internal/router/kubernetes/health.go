package kubernetes

import (
	"context"
	"fmt"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Reasons of a target that is not healthy.
const (
	ReasonNotReady     = "NotReady"
	ReasonTerminating  = "Terminating"
	ReasonExternalName = "ExternalName"
)

// Health implements traffic.Router with two requests per Service, and one per selector. The targets of a
// Service are the endpoints of its EndpointSlices in its first IP family that have the port. It also returns
// the errors of ParseGroup, and ErrNoPort in a GroupError.
func (r *Router) Health(ctx context.Context, groups []string) (map[string]traffic.Health, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, errs := r.healthEach(ctx, groups)
	if err := awscall.FirstOf(groups, errs); err != nil {
		return nil, err
	}
	return found, nil
}

func (r *Router) healthEach(ctx context.Context, groups []string) (map[string]traffic.Health, map[string]error) {
	return awscall.Each(groups, maxConcurrent, func(id string) (traffic.Health, error) {
		g, err := ParseGroup(id)
		if err != nil {
			return traffic.Health{}, err
		}
		return awscall.RetryIncomplete(ctx, func() (traffic.Health, error) {
			if g.Selector != nil {
				return r.podHealth(ctx, g)
			}
			return r.serviceHealth(ctx, g)
		})
	})
}

// service is what a Router needs to know about a Service.
type service struct {
	portName string
	family   string // of its endpoints; empty: any
	external bool   // it is a name in DNS, without endpoints
}

// service reads the Service of a group. It returns ErrNoPort.
func (r *Router) service(ctx context.Context, g GroupID) (service, error) {
	object, err := r.calls.get(ctx, Service.info(), target{g.Namespace, g.Service, g.String()})
	if err != nil {
		return service{}, err
	}
	spec := part(object.Object, "spec")
	s := service{external: text(spec, "type") == "ExternalName"}
	if families := list(spec, "ipFamilies"); len(families) > 0 {
		s.family, _ = families[0].(string)
	}
	for _, x := range list(spec, "ports") {
		port, _ := x.(map[string]any)
		if n, _ := number(port, "port"); n == g.Port {
			s.portName = text(port, "name")
			return s, nil
		}
	}
	if s.external && len(list(spec, "ports")) == 0 {
		return s, nil
	}
	return s, &GroupError{Group: g.String(), Detail: portsText(list(spec, "ports")), Err: ErrNoPort}
}

func portsText(ports []any) string {
	text := "it has"
	for _, x := range ports {
		port, _ := x.(map[string]any)
		n, _ := number(port, "port")
		text += " " + strconv.Itoa(n)
	}
	if len(ports) == 0 {
		text += " none"
	}
	return text
}

func (r *Router) serviceHealth(ctx context.Context, g GroupID) (traffic.Health, error) {
	s, err := r.service(ctx, g)
	if err != nil {
		return traffic.Health{}, err
	}
	if s.external {
		return traffic.Health{Targets: []traffic.Target{{ID: g.Service, State: traffic.Unknown, Reason: ReasonExternalName}}}, nil
	}
	slices, err := r.calls.list(ctx, endpointSlices(), g.Namespace, "kubernetes.io/service-name="+g.Service)
	if err != nil {
		return traffic.Health{}, err
	}
	h := traffic.Health{Targets: []traffic.Target{}}
	seen := map[string]bool{} // an endpoint may be in two slices for a moment
	for _, slice := range slices {
		if family := text(slice.Object, "addressType"); s.family != "" && family != s.family {
			continue
		}
		port := slicePort(slice.Object, s.portName)
		if port == 0 {
			continue
		}
		for _, x := range list(slice.Object, "endpoints") {
			endpoint, _ := x.(map[string]any)
			t := targetOf(endpoint, port)
			if t.ID == "" || seen[t.ID] {
				continue
			}
			seen[t.ID] = true
			h.Targets = append(h.Targets, t)
		}
	}
	return h, nil
}

// slicePort returns the port of a slice by its name; 0: it has no such port.
func slicePort(slice map[string]any, name string) int {
	for _, x := range list(slice, "ports") {
		port, _ := x.(map[string]any)
		if text(port, "name") == name {
			n, _ := number(port, "port")
			return n
		}
	}
	return 0
}

// targetOf returns an endpoint as a target. An endpoint that terminates still serves what it has, but gets nothing
// new. A condition that is missing is unknown, which the API defines as ready.
func targetOf(endpoint map[string]any, port int) traffic.Target {
	var t traffic.Target
	if addresses := list(endpoint, "addresses"); len(addresses) > 0 {
		address, _ := addresses[0].(string)
		t.ID = fmt.Sprintf("%s:%d", address, port)
	}
	conditions := part(endpoint, "conditions")
	ready, known := conditions["ready"].(bool)
	terminating, _ := conditions["terminating"].(bool)
	switch {
	case terminating:
		t.State, t.Reason = traffic.Draining, ReasonTerminating
	case ready || !known:
		t.State = traffic.Healthy
	default:
		t.State, t.Reason = traffic.Unhealthy, ReasonNotReady
	}
	return t
}

// podHealth returns the health of the Pods that a selector selects: those of an environment without traffic
// are in no EndpointSlice.
func (r *Router) podHealth(ctx context.Context, g GroupID) (traffic.Health, error) {
	all, err := r.calls.list(ctx, pods(), g.Namespace, g.labels())
	if err != nil {
		return traffic.Health{}, err
	}
	h := traffic.Health{Targets: []traffic.Target{}}
	for _, pod := range all {
		t := traffic.Target{ID: pod.GetName()}
		phase := text(part(pod.Object, "status"), "phase")
		switch {
		case phase == "Succeeded" || phase == "Failed":
			continue // it serves nothing and never will
		case pod.GetDeletionTimestamp() != nil:
			t.State, t.Reason = traffic.Draining, ReasonTerminating
		case isReady(pod.Object):
			t.State = traffic.Healthy
		case phase == "Pending":
			t.State, t.Reason = traffic.Initial, phase
		default:
			t.State, t.Reason = traffic.Unhealthy, ReasonNotReady
		}
		h.Targets = append(h.Targets, t)
	}
	return h, nil
}

func isReady(pod map[string]any) bool {
	for _, x := range list(part(pod, "status"), "conditions") {
		condition, _ := x.(map[string]any)
		if text(condition, "type") == "Ready" {
			return text(condition, "status") == "True"
		}
	}
	return false
}
