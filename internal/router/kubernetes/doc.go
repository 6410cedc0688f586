// Package kubernetes implements traffic.Router for objects of a Kubernetes cluster that send traffic to Services
// by weight: HTTPRoute, GRPCRoute and TCPRoute of Gateway API, VirtualService of Istio, and the selector of a
// Service.
//
// A route is one rule of an object: "httproute/shop/web" where the object has one rule, else
// "httproute/shop/web#v2-rule" with the name of the rule or "httproute/shop/web#1" with its index. A group is a
// port of a Service, "service/shop/web-blue:8080". For the selector of a Service, "service/shop/web", a group is
// the whole selector, "selector/shop/app=web,color=blue", and a route has exactly one: all or nothing.
//
// A write reads the object and replaces it with the resourceVersion of that read, so nothing that somebody else
// wrote in between is lost. It changes weights only. Every other field, filter and backend stays; a backend
// without a share stays at weight 0, and a state does not show it: a Service needs no place in a route to be
// ready. On a conflict the object is read again. If the weights are still those that the last Read returned, or
// those that this process sent, the write is tried again on the new object; if not, somebody else changed them
// (ErrChanged).
//
// The record of a shift is an annotation on the object. A write of weights that finds the record missing adds
// it in the same update (see Recorder).
//
// Health is that of the EndpointSlices of a Service, and of the Pods that a selector selects. Whether a write
// took effect is what the controllers say in the conditions Accepted and ResolvedRefs for its generation
// (InSync). They say nothing about the data plane, which follows later.
//
// A group may be in another namespace than the route, where a ReferenceGrant allows it. What else sends traffic to a
// group is looked for where such grants point to (FindReferences). Permissions are the rules of RBAC for all of this.
//
// The version of an API is the first of the known ones that the cluster serves. Nothing is called, and no
// configuration is read, before the first use of a Router.
package kubernetes
