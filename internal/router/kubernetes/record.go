package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The annotations of a route: a prefix, the id of the shift or the verb of the request, and, where the route
// names a rule, a dot and the key of that name, because the rules of an object share its annotations. The value
// is JSON.
const (
	recordPrefix  = "bluegreen/shift-"
	requestPrefix = "bluegreen/request-"
)

func annotation(route Route, prefix, name string) string {
	if route.Rule != "" {
		name += "." + traffic.GroupKey(route.Rule)
	}
	return prefix + name
}

// named returns the name in the key of an annotation of the route; false: it is none of this route.
func named(route Route, prefix, key string) (string, bool) {
	name, is := strings.CutPrefix(key, prefix)
	name, rule, _ := strings.Cut(name, ".")
	want := ""
	if route.Rule != "" {
		want = traffic.GroupKey(route.Rule)
	}
	return name, is && rule == want
}

var (
	_ traffic.Recorder = (*Recorder)(nil)
	_ traffic.Observer = (*Recorder)(nil)
)

// Recorder is traffic.Recorder with annotations. Every change is an update with the resourceVersion of a read,
// so that two owners cannot both believe that they were the last.
type Recorder struct{ router *Router }

// NewRecorder returns a Recorder with the client of a Router. Writes of that Router, and of the one that
// NewRouters returned with it, add a record that is missing in the update of the weights.
func NewRecorder(router *Router) *Recorder { return &Recorder{router} }

// recordMemory is what this process has recorded, by route and annotation.
type recordMemory struct {
	mu  sync.Mutex
	put map[Route]map[string]string
}

func (m *recordMemory) keep(route Route, key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.put == nil {
		m.put = map[Route]map[string]string{}
	}
	if m.put[route] == nil {
		m.put[route] = map[string]string{}
	}
	m.put[route][key] = value
}

func (m *recordMemory) drop(route Route, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.put[route], key)
}

// restore adds the records of this process that the object does not have: somebody removed them.
func (m *recordMemory) restore(route Route, object *unstructured.Unstructured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	annotations := object.GetAnnotations()
	for key, value := range m.put[route] {
		if _, has := annotations[key]; has {
			continue
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = value
	}
	if len(annotations) > 0 {
		object.SetAnnotations(annotations)
	}
}

// Records implements traffic.Recorder with one request per route. A route that does not exist has no records.
func (r *Recorder) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	records, _, err := r.Observe(ctx, routes)
	return records, err
}

// Observe implements traffic.Observer with one request per route. A route whose rule does not exist has no state.
func (r *Recorder) Observe(ctx context.Context, routes []string) (map[string][]traffic.Record, map[string]traffic.State, error) {
	found, err := r.readings(ctx, routes)
	if err != nil {
		return nil, nil, err
	}
	records, states := map[string][]traffic.Record{}, map[string]traffic.State{}
	for id, x := range found {
		if all := decodeRecords(x.route, x.annotations); len(all) > 0 {
			records[id] = all
		}
		if x.state != nil {
			states[id] = *x.state
		}
	}
	return records, states, nil
}

// reading is what the object of a route says.
type reading struct {
	route       Route
	annotations map[string]string
	state       *traffic.State // nil: there is no such object or rule
}

// readings reads the objects of routes. The router does not learn of their weights: a Write rests on those of Read.
func (r *Recorder) readings(ctx context.Context, routes []string) (map[string]reading, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found, errs := awscall.Each(known(routes), maxConcurrent, func(id string) (reading, error) {
		route, err := ParseRoute(id)
		if err != nil {
			return reading{}, err
		}
		written := r.router.seen.writes(route)
		object, err := r.router.object(ctx, route)
		if errors.Is(err, traffic.ErrNotFound) {
			return reading{route: route}, nil
		}
		if err != nil {
			return reading{}, err
		}
		x := reading{route: route, annotations: object.GetAnnotations()}
		if p, err := placeIn(route, object.Object); err == nil {
			s := p.state()
			s.Fresh, x.state = written == r.router.seen.writes(route), &s
		}
		return x, nil
	})
	return found, awscall.FirstOf(routes, errs)
}

// known returns the ids that are routes.
func known(routes []string) []string {
	return slices.DeleteFunc(slices.Clone(routes), func(id string) bool { _, err := ParseRoute(id); return err != nil })
}

// decodeRecords returns the records in the annotations of a route, in the order of their ids.
func decodeRecords(route Route, annotations map[string]string) []traffic.Record {
	var records []traffic.Record
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		id, is := named(route, recordPrefix, key)
		if !is {
			continue
		}
		record := decodeRecord(id, annotations[key])
		for _, verb := range traffic.Verbs() {
			if q, ok := decodeRequest(verb, annotations[annotation(route, requestPrefix, string(verb))]); ok && q.Shift == id {
				record.Requests = append(record.Requests, q)
			}
		}
		records = append(records, record)
	}
	return records
}

// decodeRecord returns a record. What cannot be read is a record of which nothing is known: it is never taken
// for none.
func decodeRecord(id, value string) traffic.Record {
	var record traffic.Record
	if err := json.Unmarshal([]byte(value), &record); err != nil {
		record = traffic.Record{}
	}
	record.Shift, record.Expires = id, record.Expires.UTC()
	return record
}

// Put implements traffic.Recorder with a get and an update per route.
func (r *Recorder) Put(ctx context.Context, routes []string, record traffic.Record, whole bool) error {
	return r.changeEach(ctx, routes, func(route Route, annotations map[string]string) (bool, error) {
		key := annotation(route, recordPrefix, record.Shift)
		next := record
		if before, has := annotations[key]; has && !whole {
			next = renewed(decodeRecord(record.Shift, before), record)
		}
		value, err := json.Marshal(next)
		if err != nil {
			return false, err
		}
		changes := annotations[key] != string(value)
		annotations[key] = string(value)
		r.router.records.keep(route, key, string(value))
		return changes, nil
	})
}

// renewed is a record with the fields of another that change during a shift.
func renewed(before, by traffic.Record) traffic.Record {
	before.Phase, before.Renewal, before.Expires, before.Reached, before.Answers = by.Phase, by.Renewal, by.Expires, by.Reached, by.Answers
	before.Owner, before.Switch, before.Routes = by.Owner, by.Switch, by.Routes
	if by.Reason != "" {
		before.Reason = by.Reason
	}
	return before
}

// Remove implements traffic.Recorder with a get and an update per route.
func (r *Recorder) Remove(ctx context.Context, routes []string, shift string) error {
	return r.changeEach(ctx, routes, func(route Route, annotations map[string]string) (bool, error) {
		key := annotation(route, recordPrefix, shift)
		r.router.records.drop(route, key)
		changes := removeRequests(route, annotations, traffic.Verbs())
		if _, has := annotations[key]; has {
			delete(annotations, key)
			changes = true
		}
		return changes, nil
	})
}

func removeRequests(route Route, annotations map[string]string, verbs []traffic.Verb) (changes bool) {
	for _, verb := range verbs {
		key := annotation(route, requestPrefix, string(verb))
		if _, has := annotations[key]; has {
			delete(annotations, key)
			changes = true
		}
	}
	return changes
}

func decodeRequest(verb traffic.Verb, value string) (traffic.Request, bool) {
	var q traffic.Request
	err := json.Unmarshal([]byte(value), &q)
	q.Verb = verb
	return q, err == nil && q.Shift != "" && q.Nonce != ""
}

// Requests implements traffic.Requester with one request per route.
func (r *Recorder) Requests(ctx context.Context, routes []string) ([]traffic.Request, error) {
	found, err := r.readings(ctx, routes)
	if err != nil {
		return nil, err
	}
	var all []traffic.Request
	for _, verb := range traffic.Verbs() {
		for _, id := range known(routes) {
			route, _ := ParseRoute(id) // known
			q, ok := decodeRequest(verb, found[id].annotations[annotation(route, requestPrefix, string(verb))])
			if ok && !slices.Contains(all, q) {
				all = append(all, q)
			}
		}
	}
	return all, nil
}

// Ask implements traffic.Requester with a get and an update per route.
func (r *Recorder) Ask(ctx context.Context, routes []string, q traffic.Request) error {
	value, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return r.changeEach(ctx, routes, func(route Route, annotations map[string]string) (bool, error) {
		annotations[annotation(route, requestPrefix, string(q.Verb))] = string(value)
		return true, nil
	})
}

// RemoveRequests implements traffic.Requester with a get and an update per route.
func (r *Recorder) RemoveRequests(ctx context.Context, routes []string, verbs []traffic.Verb) error {
	return r.changeEach(ctx, routes, func(route Route, annotations map[string]string) (bool, error) {
		return removeRequests(route, annotations, verbs), nil
	})
}

type changeAnnotations func(route Route, annotations map[string]string) (changes bool, err error)

// changeEach changes the annotations of the object of each route. A route that does not exist has none, which is
// no error. Routes of one object do not wait for each other: a conflict is tried again.
func (r *Recorder) changeEach(ctx context.Context, routes []string, change changeAnnotations) error {
	_, errs := awscall.Each(known(routes), maxConcurrent, func(id string) (struct{}, error) {
		route, err := ParseRoute(id)
		if err != nil {
			return struct{}{}, err
		}
		err = r.change(ctx, route, change)
		if errors.Is(err, traffic.ErrNotFound) {
			err = nil
		}
		if call, is := errors.AsType[*CallError](err); is && call.Refused() {
			err = fmt.Errorf("%w: %w", traffic.ErrRefusedRecord, err)
		}
		return struct{}{}, err
	})
	var all []error
	for _, id := range sorted(errs) {
		all = append(all, errs[id])
	}
	return errors.Join(all...)
}

// An update of annotations without an answer is tried again a few times: if it was executed, they are there, and if it
// is executed late, it is in conflict with the one that was answered.
const (
	maxUnanswered   = 3
	unansweredPause = 200 * time.Millisecond
)

// change changes annotations on the newest object: those of a route are the same whatever else changed.
func (r *Recorder) change(ctx context.Context, route Route, change changeAnnotations) error {
	var err error
	for attempt := range maxConflicts {
		var object *unstructured.Unstructured
		if object, err = r.router.object(ctx, route); err != nil {
			return err
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		changes, failed := change(route, annotations)
		if failed != nil || !changes {
			return failed
		}
		object.SetAnnotations(annotations)
		err = r.router.calls.update(ctx, route.Kind.info(), object, route.String())
		pause := conflictPause(attempt)
		if unanswered := errors.Is(err, traffic.ErrUnanswered); unanswered && attempt < maxUnanswered {
			pause = unansweredPause
		} else if unanswered || !apierrors.IsConflict(err) {
			return err
		}
		if !awscall.WaitFor(ctx, pause) {
			return err
		}
	}
	return err
}
