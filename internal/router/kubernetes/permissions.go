package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Permission is what a rule of RBAC allows.
type Permission struct {
	Group    string // of the API; empty: the core one
	Resource string // plural
	Verb     string
	Plan     bool   // a plan needs it too
	For      string // what it is used for
}

// Permissions returns what a switch with routes of some kinds, its environments and the command need in each
// namespace of its routes and Services, sorted. FindReferences can do more with Elsewhere.
func Permissions(kinds ...Kind) []Permission {
	var all []Permission
	add := func(i info, plan bool, use string, verbs ...string) {
		for _, verb := range verbs {
			all = append(all, Permission{i.group, i.plural, verb, plan, use})
		}
	}
	weights := false
	for _, kind := range kinds {
		i := kind.info()
		add(i, true, "weights, records, status", "get")
		add(i, false, "every step and every rollback, records", "update")
		add(i, false, "a rollback where the object cannot be read", "patch")
		if kind != Service {
			weights = true
			continue
		}
		add(i, true, "what else selects the pods", "list")
		add(pods(), true, "health", "list")
	}
	if weights {
		for _, kind := range weighted() {
			add(kind.info(), true, "what else sends traffic to a Service", "list")
		}
		add(referenceGrants(), true, "routes and Services of several namespaces", "list")
		add(endpointSlices(), true, "health", "list")
		add(Service.info(), true, "ports, health", "get")
	}
	return compacted(all)
}

// Elsewhere returns what a search for references may do in all namespaces, by a ClusterRole. Without it, routes of
// other namespaces that send traffic to a Service are not found, and FindReferences returns them as Unread.
func Elsewhere() []Permission {
	var all []Permission
	for _, kind := range weighted() {
		i := kind.info()
		all = append(all, Permission{i.group, i.plural, "list", true, "routes of other namespaces"})
	}
	return compacted(all)
}

// compacted returns each permission once, sorted.
func compacted(all []Permission) []Permission {
	slices.SortFunc(all, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(order(a.Verb), order(b.Verb)))
	})
	return slices.CompactFunc(all, func(a, b Permission) bool {
		return a.Group == b.Group && a.Resource == b.Resource && a.Verb == b.Verb
	})
}

func order(verb string) int { return slices.Index([]string{"get", "list", "update", "patch"}, verb) }

// ForPlan returns those permissions that a plan needs.
func ForPlan(all []Permission) []Permission {
	return slices.DeleteFunc(slices.Clone(all), func(p Permission) bool { return !p.Plan })
}

// Role returns a Role for a namespace in YAML, or a ClusterRole for all of them where there is no namespace. The
// permissions are sorted, as Permissions returns them.
func Role(name, namespace string, all []Permission) string {
	var text strings.Builder
	kind, at := "Role", "\n  namespace: "+namespace
	if namespace == "" {
		kind, at = "ClusterRole", ""
	}
	fmt.Fprintf(&text, "apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: %s%s\nrules:\n", kind, name, at)
	for i, p := range all {
		if i > 0 && all[i-1].Group == p.Group && all[i-1].Resource == p.Resource {
			continue
		}
		var verbs []string
		for _, q := range all {
			if q.Group == p.Group && q.Resource == p.Resource {
				verbs = append(verbs, q.Verb)
			}
		}
		fmt.Fprintf(&text, "  - apiGroups: [%q]\n    resources: [%q]\n    verbs: [\"%s\"]\n", p.Group, p.Resource, strings.Join(verbs, `", "`))
	}
	return text.String()
}
