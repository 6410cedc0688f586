package localkube

import (
	"fmt"
	"net/http"
	"strings"
)

// cause is a detail of a Status.
type cause struct{ Reason, Message, Field string }

// failure is an answer that is a Status object.
type failure struct {
	code    int
	reason  string
	message string
	on      resource
	object  string // its name
	causes  []cause
	after   int  // seconds after which the client may try again; 0: none
	details bool // there are details, also where they are empty
}

// Error implements error.
func (f *failure) Error() string { return f.message }

// body is the Status object.
func (f *failure) body() map[string]any {
	details := map[string]any{}
	if f.object != "" {
		details["name"] = f.object
	}
	if f.on.plural != "" {
		details["kind"] = f.on.plural
		if f.reason == "Invalid" {
			details["kind"] = f.on.kind
		}
	}
	if f.on.group != "" {
		details["group"] = f.on.group
	}
	if f.after > 0 {
		details["retryAfterSeconds"] = f.after
	}
	var causes []any
	for _, c := range f.causes {
		causes = append(causes, map[string]any{"reason": c.Reason, "message": c.Message, "field": c.Field})
	}
	if causes != nil {
		details["causes"] = causes
	}
	status := map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "message": f.message, "reason": f.reason, "code": f.code}
	if len(details) > 0 || f.details {
		status["details"] = details
	}
	return status
}

func notFound(r resource, name string) *failure {
	return &failure{code: http.StatusNotFound, reason: "NotFound", message: fmt.Sprintf("%s %q not found", r.name(), name), on: r, object: name}
}

func conflict(r resource, name string) *failure {
	return &failure{code: http.StatusConflict, reason: "Conflict", on: r, object: name, message: fmt.Sprintf(
		"Operation cannot be fulfilled on %s %q: the object has been modified; please apply your changes to the latest version and try again", r.name(), name)}
}

// otherUID is the answer to a write of an object that was deleted, and created again.
func otherUID(w write, uid string) *failure {
	f := conflict(w.resource, w.name)
	f.message = fmt.Sprintf("Operation cannot be fulfilled on %s %q: StorageError: invalid object, Code: 4, Key: /registry/%s/%s/%s/%s, ResourceVersion: 0, "+
		"AdditionalErrorMsg: Precondition failed: UID in precondition: %s, UID in object meta: %s",
		w.resource.name(), w.name, w.resource.group, w.resource.plural, w.namespace, w.name, text(meta(w.object), "uid"), uid)
	return f
}

func alreadyExists(r resource, name string) *failure {
	return &failure{code: http.StatusConflict, reason: "AlreadyExists", message: fmt.Sprintf("%s %q already exists", r.name(), name), on: r, object: name}
}

func invalid(r resource, name string, causes []cause) *failure {
	var parts []string
	for _, c := range causes {
		parts = append(parts, c.Field+": "+c.Message)
	}
	text := strings.Join(parts, ", ")
	if len(parts) > 1 {
		text = "[" + text + "]"
	}
	kind := r.kind
	if r.group != "" {
		kind += "." + r.group
	}
	return &failure{code: http.StatusUnprocessableEntity, reason: "Invalid", message: fmt.Sprintf("%s %q is invalid: %s", kind, name, text), on: r, object: name, causes: causes}
}

func badRequest(message string) *failure {
	return &failure{code: http.StatusBadRequest, reason: "BadRequest", message: message}
}

func unauthorized() *failure {
	return &failure{code: http.StatusUnauthorized, reason: "Unauthorized", message: "Unauthorized"}
}

func tooMany() *failure {
	return &failure{code: http.StatusTooManyRequests, reason: "TooManyRequests", message: "Too many requests, please try again later.", after: 1}
}

func internalError() *failure {
	return &failure{code: http.StatusInternalServerError, reason: "InternalError", message: "Internal error occurred: etcdserver: request timed out"}
}

// unsupportedMedia also names server-side apply, which the stand-in does not have.
func unsupportedMedia() *failure {
	return &failure{code: http.StatusUnsupportedMediaType, reason: "UnsupportedMediaType", message: "the body of the request was in an unknown format - accepted media types include: " +
		"application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"}
}

func notAllowed() *failure {
	return &failure{code: http.StatusMethodNotAllowed, reason: "MethodNotAllowed", message: "the server does not allow this method on the requested resource"}
}

// forbidden is the refusal of RBAC.
func forbidden(q request) *failure {
	r := q.resource
	plural := r.plural
	if q.subresource != "" {
		plural += "/" + q.subresource
	}
	name := r.name() + " is forbidden"
	if q.name != "" {
		name = fmt.Sprintf("%s %q is forbidden", r.name(), q.name)
	}
	where := "at the cluster scope"
	if q.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", q.namespace)
	}
	return &failure{code: http.StatusForbidden, reason: "Forbidden", on: r, object: q.name, message: fmt.Sprintf(
		"%s: User %q cannot %s resource %q in API group %q %s", name, q.user, q.verb, plural, r.group, where)}
}
