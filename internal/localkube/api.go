package localkube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// endpoint answers the requests to a Server.
type endpoint struct{ *Server }

// request is a request on a resource.
type request struct {
	resource    resource
	version     string
	namespace   string
	name        string
	subresource string
	verb        string
	user        string // its name
}

func (q request) writes() bool { return q.verb != "get" && q.verb != "list" }

func (q request) entry(r *http.Request, code int) Request {
	entry := Request{Verb: q.verb, Resource: q.resource.plural, Namespace: q.namespace, Name: q.name, Code: code}
	if q.subresource != "" {
		entry.Resource += "/" + q.subresource
	}
	if q.writes() {
		entry.Manager = managerName(r)
	}
	return entry
}

// managerName is the field manager of a request: by default the beginning of the user agent.
func managerName(r *http.Request) string {
	if name := r.URL.Query().Get("fieldManager"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(r.UserAgent(), "/")
	return name
}

// parse returns the request on a resource; false: there is no such path.
func (s *endpoint) parse(r *http.Request, parts []string) (request, bool) {
	var group string
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[1:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[2:]
	default:
		return request{}, false
	}
	q := request{version: parts[0]}
	parts = parts[1:]
	if len(parts) > 2 && parts[0] == "namespaces" {
		q.namespace, parts = parts[1], parts[2:]
	}
	var found bool
	if q.resource, found = s.find(group, q.version, parts[0]); !found || len(parts) > 3 {
		return request{}, false
	}
	if len(parts) > 1 {
		q.name = parts[1]
	}
	if len(parts) > 2 {
		q.subresource = parts[2]
	}
	q.verb = verbOf(r.Method, q.name)
	return q, (q.subresource == "" || q.subresource == "status" && q.resource.status) && (q.name == "" || q.namespace != "")
}

func verbOf(method, name string) string {
	switch {
	case method == http.MethodGet && name == "":
		return "list"
	case method == http.MethodGet:
		return "get"
	case method == http.MethodPost:
		return "create"
	case method == http.MethodPut:
		return "update"
	}
	return strings.ToLower(method)
}

// ServeHTTP implements http.Handler.
func (s *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, known := s.authenticate(r)
	if !known {
		s.respond(w, nil, unauthorized())
		return
	}
	parts := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	if found := s.discover(parts); found != nil && r.Method == http.MethodGet {
		s.respond(w, found, nil)
		return
	}
	q, ok := s.parse(r, parts)
	if !ok {
		http.Error(w, "404 page not found", http.StatusNotFound) // as the real server says it, which is no Status
		return
	}
	s.journal.before(q.entry(r, 0))
	delay, kind := s.faults.effects(q)
	if !s.wait(r, delay) {
		panic(http.ErrAbortHandler)
	}
	if kind == "" && !who.may(q) {
		kind = Forbidden
	}
	q.user = who.name
	code := s.serve(w, r, q, kind)
	s.journal.add(q.entry(r, code))
	if code == 0 {
		panic(http.ErrAbortHandler)
	}
}

// wait pauses; false: the client or the server is gone.
func (s *endpoint) wait(r *http.Request, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// serve answers a request and returns the status; 0: the connection is to be closed.
func (s *endpoint) serve(w http.ResponseWriter, r *http.Request, q request, kind Kind) int {
	switch kind {
	case DropConnection:
		return 0
	case TooManyRequests:
		return s.respond(w, nil, tooMany())
	case ServerError:
		return s.respond(w, nil, internalError())
	case Unauthorized:
		return s.respond(w, nil, unauthorized())
	case Forbidden:
		return s.respond(w, nil, forbidden(q))
	case Conflict:
		return s.respond(w, nil, conflict(q.resource, q.name))
	default: // the request is executed
	}
	answer, err := s.execute(r, q, kind == LostWrite)
	switch kind {
	case DropAnswer:
		return 0
	case HTMLBody:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Please sign in</body></html>")
		return http.StatusOK
	case EmptyBody:
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	default: // it changes nothing here
	}
	if q.verb == "create" && err == nil {
		answer = created{answer}
	}
	return s.respond(w, answer, err)
}

// created is the answer of a request that created an object.
type created struct{ object any }

// respond writes an answer or a Status, and returns its code.
func (s *endpoint) respond(w http.ResponseWriter, answer any, err error) int {
	code := http.StatusOK
	if made, is := answer.(created); is {
		answer, code = made.object, http.StatusCreated
	}
	if failed, is := errors.AsType[*failure](err); is {
		answer, code = failed.body(), failed.code
		if failed.after > 0 {
			w.Header().Set("Retry-After", "1")
		}
	} else if err != nil {
		answer, code = badRequest(err.Error()).body(), http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
	return code
}

// execute does what a request asks for. A lost write is answered only.
func (s *endpoint) execute(r *http.Request, q request, lost bool) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if lost {
		before, version := s.store.objects[key{q.resource.name(), q.namespace, q.name}], s.store.version
		k := key{q.resource.name(), q.namespace, q.name}
		defer func() { s.store.objects[k], s.store.version = before, version }()
	}
	switch q.verb {
	case "get":
		return s.get(q)
	case "list":
		return s.list(r, q)
	case "create", "update", "patch":
		return s.write(r, q, body)
	case "delete":
		return s.delete(q)
	}
	return nil, notAllowed()
}

func (s *endpoint) get(q request) (any, error) {
	object := s.store.objects[key{q.resource.name(), q.namespace, q.name}]
	if object == nil {
		return nil, notFound(q.resource, q.name)
	}
	return s.shown(q, copied(object)), nil
}

// shown is an object in the version of the request: the versions of a resource differ in nothing else.
func (s *endpoint) shown(q request, object map[string]any) map[string]any {
	object["kind"], object["apiVersion"] = q.resource.kind, q.version
	if q.resource.group != "" {
		object["apiVersion"] = q.resource.group + "/" + q.version
	}
	return object
}

func (s *endpoint) list(r *http.Request, q request) (any, error) {
	query := r.URL.Query()
	if query.Get("watch") == "true" || query.Get("watch") == "1" {
		return nil, notAllowed()
	}
	labels := map[string]string{}
	for part := range strings.SplitSeq(query.Get("labelSelector"), ",") {
		if part == "" {
			continue
		}
		name, value, is := strings.Cut(part, "=")
		if !is {
			return nil, badRequest("unable to parse requirement: localkube knows only name=value, not " + part)
		}
		labels[name] = strings.TrimPrefix(value, "=")
	}
	items := s.store.list(q.resource, q.namespace, labels)
	for _, item := range items {
		if object, is := item.(map[string]any); is {
			s.shown(q, object)
		}
	}
	list := map[string]any{"metadata": map[string]any{"resourceVersion": "1"}, "items": items}
	s.shown(q, list)["kind"] = q.resource.kind + "List"
	return list, nil
}

func (s *endpoint) write(r *http.Request, q request, body []byte) (any, error) {
	w := write{resource: q.resource, namespace: q.namespace, name: q.name, manager: managerName(r), subresource: q.subresource}
	var err error
	if q.verb == "patch" {
		body, err = s.patched(r, q, body)
	}
	if err != nil {
		return nil, err
	}
	if w.object, err = decode(body); err != nil {
		return nil, badRequest("couldn't get version/kind; json parse error: " + err.Error())
	}
	save := s.store.update
	if q.verb == "create" {
		w.name, save = text(meta(w.object), "name"), s.store.create
	}
	if err := s.check(w, q); err != nil {
		return nil, err
	}
	saved, err := save(w, time.Now())
	if err != nil {
		return nil, err
	}
	s.reconcile(w.key())
	return s.shown(q, saved), nil
}

// check checks what a write says about itself.
func (s *endpoint) check(w write, q request) error {
	m, kind := meta(w.object), text(w.object, "kind")
	name, namespace := text(m, "name"), text(m, "namespace")
	_, exists := s.store.objects[w.key()]
	switch {
	case name != w.name || name == "":
		return badRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, w.name))
	case namespace != "" && namespace != w.namespace:
		return badRequest("the namespace of the provided object does not match the namespace sent on the request")
	case w.resource.group != "" && kind != w.resource.kind:
		other := w.resource
		other.kind = kind
		return invalid(other, name, []cause{invalidValue("kind", strconv.Quote(kind), "must be "+w.resource.kind)})
	case w.resource.group != "" && q.verb == "update" && exists && text(m, "resourceVersion") == "":
		named := w.resource // the server names the resource here
		named.kind = named.plural
		return invalid(named, name, []cause{invalidValue("metadata.resourceVersion", "0", "must be specified for an update")})
	}
	if w.resource.plural == "services" {
		for _, value := range part(part(w.object, "spec"), "selector") {
			if _, is := value.(string); !is {
				return badRequest(`Service in version "v1" cannot be handled as a Service: json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type string`)
			}
		}
	}
	return nil
}

// patched returns an object with a patch applied.
func (s *endpoint) patched(r *http.Request, q request, patch []byte) ([]byte, error) {
	object := s.store.objects[key{q.resource.name(), q.namespace, q.name}]
	if object == nil {
		return nil, notFound(q.resource, q.name)
	}
	current, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	switch r.Header.Get("Content-Type") {
	case "application/merge-patch+json":
		return jsonpatch.MergePatch(current, patch)
	case "application/json-patch+json":
		operations, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, badRequest(err.Error())
		}
		next, err := operations.Apply(current)
		if err != nil {
			return nil, &failure{code: http.StatusUnprocessableEntity, reason: "Invalid", message: "the server rejected our request due to an error in our request", details: true}
		}
		return next, nil
	default:
		return nil, unsupportedMedia()
	}
}

func (s *endpoint) delete(q request) (any, error) {
	k := key{q.resource.name(), q.namespace, q.name}
	if s.store.objects[k] == nil {
		return nil, notFound(q.resource, q.name)
	}
	s.remove(k)
	return map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Success", "details": map[string]any{"name": q.name, "kind": q.resource.plural}}, nil
}
