// Package localkube is a local stand-in for the API server of a Kubernetes cluster. It serves the REST API on
// loopback, with or without TLS, for client-go and kubectl: discovery, get, list, create, update, JSON and
// merge patch, and delete of the resources that route traffic. It is for tests. It is not for production, and
// it keeps no data after exit.
//
//	srv, err := localkube.Start(localkube.WithToken("admin"))
//	...
//	defer srv.Close()
//	srv.Put(map[string]any{"apiVersion": "v1", "kind": "Service", ...})
//	config := &rest.Config{Host: srv.URL(), BearerToken: "admin"}
//
// As the real server does, it gives every change a new resourceVersion, counts metadata.generation where the
// spec changes, records field managers, keeps status apart from the rest where a resource has the status
// subresource, sets the defaults of Gateway API, and answers errors with a Status object: 401, 403 with the verb
// and the resource, 404, 409 for an old resourceVersion, 422 for what the schema of a resource refuses. Validation
// is that of what routers write: weights, the number of backends, names of rules, selectors, labels, annotations.
//
// A fake controller accepts routes: it writes the conditions Accepted and ResolvedRefs for each parent, as
// Gateway API wants them, after WithPropagation. There is no data plane, and nothing makes EndpointSlices: a
// test writes them.
//
// It differs from the real server: there is no watch, no server-side apply, no pagination, no admission and no
// finalizer; field managers own the top-level fields that they changed, not each element; and a field that the
// schema does not know stays. What it answers besides is compared with a real API server in internal/e2e/kube.
//
// A Fault makes requests fail as the API server and the network do, from any time on (Server.Inject).
// Server.Hook lets a test act in the middle of a request. Server.Requests is the journal.
package localkube
