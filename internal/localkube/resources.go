package localkube

import "slices"

// resource is a kind of object that the server stores.
type resource struct {
	group    string
	versions []string // the preferred one first
	plural   string
	kind     string
	// status says that the resource has the status subresource: a write to one of the two leaves the other as it is.
	status bool
	// generation says that metadata.generation counts the changes of the spec.
	generation bool
	validate   func(object map[string]any) []cause
}

const (
	gatewayGroup = "gateway.networking.k8s.io"
	istioGroup   = "networking.istio.io"
)

// resources returns what the server stores. Everything is namespaced.
func resources() []resource {
	return []resource{
		{versions: []string{"v1"}, plural: "services", kind: "Service", status: true, validate: validateService},
		{versions: []string{"v1"}, plural: "pods", kind: "Pod", status: true},
		{group: "discovery.k8s.io", versions: []string{"v1"}, plural: "endpointslices", kind: "EndpointSlice", generation: true},
		{group: gatewayGroup, versions: []string{"v1", "v1beta1"}, plural: "gateways", kind: "Gateway", status: true, generation: true},
		{group: gatewayGroup, versions: []string{"v1", "v1beta1"}, plural: "httproutes", kind: "HTTPRoute", status: true, generation: true, validate: validateRoute},
		{group: gatewayGroup, versions: []string{"v1"}, plural: "grpcroutes", kind: "GRPCRoute", status: true, generation: true, validate: validateRoute},
		{group: gatewayGroup, versions: []string{"v1", "v1alpha2"}, plural: "tcproutes", kind: "TCPRoute", status: true, generation: true, validate: validateRoute},
		{group: gatewayGroup, versions: []string{"v1beta1"}, plural: "referencegrants", kind: "ReferenceGrant", generation: true},
		{group: istioGroup, versions: []string{"v1", "v1beta1"}, plural: "virtualservices", kind: "VirtualService", status: true, generation: true, validate: validateVirtualService},
	}
}

// name is the name of the resource with its group, as messages have it: "httproutes.gateway.networking.k8s.io".
func (r resource) name() string {
	if r.group == "" {
		return r.plural
	}
	return r.plural + "." + r.group
}

// isRoute reports whether the fake controller accepts objects of the resource.
func (r resource) isRoute() bool {
	return r.group == gatewayGroup && r.kind != "Gateway" && r.kind != "ReferenceGrant"
}

// serves reports whether the resource has a version.
func (r resource) serves(version string) bool { return slices.Contains(r.versions, version) }

// find returns the resource of a path.
func (s *endpoint) find(group, version, plural string) (resource, bool) {
	for _, r := range s.resources {
		if r.group == group && r.plural == plural && r.serves(version) {
			return r, true
		}
	}
	return resource{}, false
}

// setDefaults adds what the definitions of Gateway API say of missing fields.
func (r resource) setDefaults(object map[string]any) {
	if !r.isRoute() {
		return
	}
	spec := part(object, "spec")
	for _, ref := range elements(spec, "parentRefs") {
		setDefault(ref, "group", gatewayGroup)
		setDefault(ref, "kind", "Gateway")
	}
	for _, rule := range elements(spec, "rules") {
		if r.kind == "HTTPRoute" {
			setDefault(rule, "matches", []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}})
		}
		for _, ref := range elements(rule, "backendRefs") {
			setDefault(ref, "group", "")
			setDefault(ref, "kind", "Service")
			setDefault(ref, "weight", 1)
		}
	}
}

func setDefault(object map[string]any, field string, value any) {
	if _, has := object[field]; !has && object != nil {
		object[field] = value
	}
}
