package localkube

import (
	"reflect"
	"time"
)

// ControllerName is the name of the fake controller in the status of a route.
const ControllerName = "example.com/local-gateway"

// Refusal is a condition that the fake controller writes as False instead of True.
type Refusal struct {
	Condition string // "Accepted" or "ResolvedRefs"
	Reason    string // such as "NoMatchingParent" or "BackendNotFound"
	Message   string
}

// Refuse makes the controller refuse routes of a name from their next change on.
func (s *Server) Refuse(name string, r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[name] = r
}

// StopController stops the controller: no status changes any more.
func (s *Server) StopController() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

// reconcile writes the status of a route after the propagation. The caller holds the lock.
func (s *Server) reconcile(k key) {
	object := s.store.objects[k]
	route, is := s.routeOf(k)
	generation, _ := number(meta(object), "generation")
	if !is || s.stopped || object == nil || s.observed[k] == generation {
		return
	}
	s.observed[k] = generation
	if s.options.propagation == 0 {
		s.accept(route, k)
		return
	}
	s.tasks.Go(func() {
		timer := time.NewTimer(s.options.propagation)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.stopped {
			s.accept(route, k)
		}
	})
}

func (s *Server) routeOf(k key) (resource, bool) {
	for _, r := range s.resources {
		if r.name() == k.resource {
			return r, r.isRoute()
		}
	}
	return resource{}, false
}

// accept writes the conditions of the route as it is now.
func (s *Server) accept(r resource, k key) {
	object := s.store.objects[k]
	if object == nil {
		return
	}
	var parents []any
	for _, ref := range elements(part(object, "spec"), "parentRefs") {
		parents = append(parents, map[string]any{
			"controllerName": ControllerName, "parentRef": ref,
			"conditions": []any{s.condition(object, k, "Accepted"), s.condition(object, k, "ResolvedRefs")},
		})
	}
	next := copied(object)
	next["status"] = copied(map[string]any{"parents": parents})
	if reflect.DeepEqual(next["status"], object["status"]) {
		return
	}
	// The store refuses nothing here: the status has no schema.
	_, _ = s.store.update(write{resource: r, namespace: k.namespace, name: k.name, object: next, manager: "local-gateway", subresource: "status"}, time.Now())
}

// condition is a condition of a route. Its references are resolved where every Service exists.
func (s *Server) condition(object map[string]any, k key, kind string) map[string]any {
	c := map[string]any{
		"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": meta(object)["generation"],
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
	if missing := s.missingService(object, k.namespace); kind == "ResolvedRefs" && missing != "" {
		c["status"], c["reason"], c["message"] = "False", "BackendNotFound", "service "+missing+" not found"
	}
	if at := s.notPermitted(object, k); kind == "ResolvedRefs" && at != "" {
		c["status"], c["reason"], c["message"] = "False", "RefNotPermitted", "no ReferenceGrant in namespace "+at
	}
	if r, has := s.refusals[k.name]; has && r.Condition == kind {
		c["status"], c["reason"], c["message"] = "False", r.Reason, r.Message
	}
	return c
}

func (s *Server) missingService(object map[string]any, namespace string) string {
	for _, rule := range elements(part(object, "spec"), "rules") {
		for _, ref := range elements(rule, "backendRefs") {
			at := namespace
			if other := text(ref, "namespace"); other != "" {
				at = other
			}
			if s.store.objects[key{"services", at, text(ref, "name")}] == nil {
				return at + "/" + text(ref, "name")
			}
		}
	}
	return ""
}

// notPermitted returns another namespace that has no ReferenceGrant for a backend of the route; empty: there is none.
func (s *Server) notPermitted(object map[string]any, k key) string {
	for _, rule := range elements(part(object, "spec"), "rules") {
		for _, ref := range elements(rule, "backendRefs") {
			at := text(ref, "namespace")
			if at != "" && at != k.namespace && !s.isPermitted(at, text(object, "kind"), k.namespace) {
				return at
			}
		}
	}
	return ""
}

// isPermitted reports whether a ReferenceGrant lets routes of a kind and namespace refer to Services of another. It
// does not compare the name of the Service.
func (s *Server) isPermitted(at, kind, from string) bool {
	for k, grant := range s.store.objects {
		if k.resource != "referencegrants."+gatewayGroup || k.namespace != at {
			continue
		}
		for _, x := range elements(part(grant, "spec"), "from") {
			if text(x, "kind") == kind && text(x, "namespace") == from {
				return true
			}
		}
	}
	return false
}
