// Package kube tests the router of Kubernetes with real parts: a kube-apiserver with etcd, the custom resource
// definitions of Gateway API and Istio, and Traefik as the controller and data plane of Gateway API. "make kube"
// builds them and runs the tests; without them the tests are skipped.
//
// Everything listens on loopback and needs no privileges and no containers. There are no nodes, so there is no
// kube-proxy: the application listens on the ClusterIP of its Service itself, which is in 127.10.0.0/16, and
// Traefik sends requests to it as its option nativeLBByDefault says. The tests write the EndpointSlices, which the
// API server accepts only with addresses outside of loopback; no request is sent to those.
//
// Istio's data plane does not run here. The tests of VirtualService have a small proxy of their own in its place.
package kube
