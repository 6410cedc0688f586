package kubernetes

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Kind is the kind of object that a route is a part of, as in its id.
type Kind string

// The kinds.
const (
	HTTPRoute      Kind = "httproute"
	GRPCRoute      Kind = "grpcroute"
	TCPRoute       Kind = "tcproute"
	VirtualService Kind = "virtualservice"
	Service        Kind = "service"
)

const (
	maxRefs      = 16        // backendRefs of a rule of Gateway API
	maxWeight    = 1_000_000 // of a backendRef
	gatewayGroup = "gateway.networking.k8s.io"
	istioGroup   = "networking.istio.io"
	allTraffic   = 1 // the weight of the only group of a route without weights
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{HTTPRoute, GRPCRoute, TCPRoute, VirtualService, Service} }

// info is what differs between kinds.
type info struct {
	kind     string
	group    string
	versions []string // known ones, the best first
	plural   string
	rules    string // the field of the spec with the rules
	refs     string // the field of a rule with the backends
	match    string // the field of a rule with the requests that it is for
	parents  bool   // the controllers report conditions by parent
}

func (k Kind) info() info {
	switch k {
	case HTTPRoute:
		return info{"HTTPRoute", gatewayGroup, []string{"v1", "v1beta1"}, "httproutes", "rules", "backendRefs", "matches", true}
	case GRPCRoute:
		return info{"GRPCRoute", gatewayGroup, []string{"v1", "v1alpha2"}, "grpcroutes", "rules", "backendRefs", "matches", true}
	case TCPRoute:
		return info{"TCPRoute", gatewayGroup, []string{"v1", "v1alpha2"}, "tcproutes", "rules", "backendRefs", "matches", true}
	case VirtualService:
		return info{"VirtualService", istioGroup, []string{"v1", "v1beta1", "v1alpha3"}, "virtualservices", "http", "route", "match", false}
	case Service:
		return info{kind: "Service", versions: []string{"v1"}, plural: "services"}
	}
	return info{}
}

// name is the name of the resource, as the messages of the API have it.
func (i info) name() string {
	return schema.GroupResource{Group: i.group, Resource: i.plural}.String()
}

// resources that are read beside the routes.
func endpointSlices() info {
	return info{kind: "EndpointSlice", group: "discovery.k8s.io", versions: []string{"v1"}, plural: "endpointslices"}
}

func pods() info { return info{kind: "Pod", versions: []string{"v1"}, plural: "pods"} }

func referenceGrants() info {
	return info{kind: "ReferenceGrant", group: gatewayGroup, versions: []string{"v1", "v1beta1"}, plural: "referencegrants"}
}

// Limits returns what routes with weights can express. A Service does not need to be part of a route to be
// ready.
func Limits() traffic.Limits { return traffic.Limits{Groups: maxRefs, Weight: maxWeight} }

// SelectorLimits returns what the selector of a Service can express: one group has all the traffic.
func SelectorLimits() traffic.Limits { return traffic.Limits{Groups: 1, Weight: 1} }
