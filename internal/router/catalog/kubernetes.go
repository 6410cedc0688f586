package catalog

import (
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Kubernetes is the router of objects of a cluster that send traffic to Services by weight, and of the selectors of
// Services.
func Kubernetes() Kind {
	return Kind{
		Block:       "kubernetes",
		Backends:    "services",
		Sets:        "selectors",
		Backend:     "Service",
		Limits:      kubernetes.Limits(),
		limitsOf:    kubernetesLimits,
		Owns:        isKubernetes,
		CheckRoute:  checked(kubernetes.ParseRoute),
		CheckGroup:  checked(kubernetes.ParseGroup),
		compose:     kubernetesGroup,
		value:       kubernetesValue,
		Label:       kubernetes.Label,
		GroupName:   kubernetes.Label,
		Place:       func(string) Place { return Place{} },
		Regionless:  true,
		Connections: func(route string) bool { return isKind(route, kubernetes.TCPRoute) },
	}
}

// isKubernetes reports whether the first part of an id is a kind of route or group, so that nothing else is meant.
func isKubernetes(id string) bool {
	kind, _, is := strings.Cut(id, "/")
	return is && (kind == "selector" || kind == "subset" || slices.Contains(kubernetes.Kinds(), kubernetes.Kind(kind)))
}

func isKind(route string, kind kubernetes.Kind) bool {
	r, err := kubernetes.ParseRoute(route)
	return err == nil && r.Kind == kind
}

// kubernetesLimits returns what routes can express together: with the selector of a Service among them, all or
// nothing.
func kubernetesLimits(routes []string) traffic.Limits {
	limits := kubernetes.Limits()
	limits.Whole = slices.ContainsFunc(routes, func(route string) bool { return isKind(route, kubernetes.Service) })
	return limits
}

func kubernetesGroup(routes []string, value string) (string, error) {
	if strings.Contains(value, "=") {
		return kubernetes.SelectorGroup(routes, SetOf(value))
	}
	return kubernetes.Group(routes, value)
}

// kubernetesValue is the Service with its namespace and port, or the labels.
func kubernetesValue(group string) string {
	g, err := kubernetes.ParseGroup(group)
	switch {
	case err != nil:
		return group
	case g.Selector != nil:
		return Labels(g.Selector)
	}
	return g.Display()
}
