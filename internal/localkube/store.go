package localkube

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// key identifies an object.
type key struct{ resource, namespace, name string }

// store holds the objects. The caller holds the lock of the server.
type store struct {
	objects map[key]map[string]any
	version int64
}

// decode reads an object without changing its numbers.
func decode(data []byte) (map[string]any, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err := d.Decode(&object)
	return object, err
}

// copied returns a deep copy, in the form that decode gives.
func copied(object map[string]any) map[string]any {
	data, err := json.Marshal(object)
	if err != nil {
		panic("localkube: an object is not JSON: " + err.Error())
	}
	object, err = decode(data)
	if err != nil {
		panic("localkube: an object is not JSON: " + err.Error())
	}
	return object
}

// meta returns the metadata of an object, which it adds where they are missing.
func meta(object map[string]any) map[string]any {
	if _, is := object["metadata"].(map[string]any); !is {
		object["metadata"] = map[string]any{}
	}
	return part(object, "metadata")
}

// write is a write of an object.
type write struct {
	resource    resource
	namespace   string
	name        string
	object      map[string]any
	manager     string
	subresource string
}

func (w write) key() key { return key{w.resource.name(), w.namespace, w.name} }

// validate checks the object.
func (w write) validate() error {
	causes := validateMetadata(w.object)
	if w.resource.validate != nil {
		causes = append(causes, w.resource.validate(w.object)...)
	}
	if w.resource.group != "" {
		causes = unchecked(causes)
	}
	if causes != nil {
		return invalid(w.resource, w.name, causes)
	}
	return nil
}

// create stores a new object.
func (s *store) create(w write, now time.Time) (map[string]any, error) {
	if s.objects[w.key()] != nil {
		return nil, alreadyExists(w.resource, w.name)
	}
	if err := w.validate(); err != nil {
		return nil, err
	}
	object := copied(w.object)
	w.resource.setDefaults(object)
	m := meta(object)
	m["namespace"], m["name"], m["uid"] = w.namespace, w.name, uuid.NewString()
	m["creationTimestamp"] = now.UTC().Format(time.RFC3339)
	if w.resource.generation {
		m["generation"] = int64(1)
	}
	if w.manager != "" {
		setManager(m, map[string]any{}, object, w.managerOf(object, now))
	}
	s.keep(w.key(), object)
	return copied(object), nil
}

// update replaces an object. It keeps what a write cannot change.
func (s *store) update(w write, now time.Time) (map[string]any, error) {
	old := s.objects[w.key()]
	if old == nil {
		return nil, notFound(w.resource, w.name)
	}
	if uid := text(meta(w.object), "uid"); uid != "" && uid != text(meta(old), "uid") {
		return nil, otherUID(w, text(meta(old), "uid"))
	}
	if version := text(meta(w.object), "resourceVersion"); version != "" && version != text(meta(old), "resourceVersion") {
		return nil, conflict(w.resource, w.name)
	}
	if err := w.validate(); err != nil {
		return nil, err
	}
	next := w.merged(old)
	w.resource.setDefaults(next)
	for _, fixed := range []string{"namespace", "name", "uid", "creationTimestamp", "generation", "resourceVersion", "managedFields"} {
		meta(next)[fixed] = meta(old)[fixed]
		if meta(old)[fixed] == nil {
			delete(meta(next), fixed)
		}
	}
	next = copied(next)
	if reflect.DeepEqual(next, copied(old)) {
		return next, nil // no new resourceVersion
	}
	if w.resource.generation && !reflect.DeepEqual(withoutStatus(next), withoutStatus(copied(old))) {
		generation, _ := number(meta(old), "generation")
		meta(next)["generation"] = generation + 1
	}
	if w.manager != "" {
		setManager(meta(next), old, next, w.managerOf(next, now))
	}
	s.keep(w.key(), next)
	return copied(next), nil
}

// merged is the object after a write. Without the subresource, the status is the old one; with it, everything else is.
func (w write) merged(old map[string]any) map[string]any {
	next := copied(w.object)
	if !w.resource.status {
		return next
	}
	from, to := old, next
	if w.subresource == "status" {
		from, to = next, copied(old)
	}
	if status, has := from["status"]; has {
		to["status"] = status
	} else {
		delete(to, "status")
	}
	return to
}

// withoutStatus is an object without its status and metadata.
func withoutStatus(object map[string]any) map[string]any {
	spec := maps.Clone(object)
	delete(spec, "status")
	delete(spec, "metadata")
	return spec
}

func (s *store) keep(k key, object map[string]any) {
	s.version++
	meta(object)["resourceVersion"] = strconv.FormatInt(s.version, 10)
	s.objects[k] = copied(object)
}

// list returns the objects of a namespace, or of all, that have the labels, in the order of their names.
func (s *store) list(r resource, namespace string, labels map[string]string) []any {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(s.objects)), func(k key) bool {
		return k.resource != r.name() || namespace != "" && k.namespace != namespace || !hasLabels(s.objects[k], labels)
	})
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name) })
	found := []any{}
	for _, k := range keys {
		found = append(found, copied(s.objects[k]))
	}
	return found
}

func hasLabels(object map[string]any, labels map[string]string) bool {
	of := part(meta(object), "labels")
	for name, value := range labels {
		if text(of, name) != value {
			return false
		}
	}
	return true
}

// manager is an entry of managedFields.
type manager struct {
	name, operation, apiVersion, subresource, time string
}

func (w write) managerOf(object map[string]any, now time.Time) manager {
	return manager{w.manager, "Update", text(object, "apiVersion"), w.subresource, now.UTC().Format(time.RFC3339)}
}

// setManager makes a manager the only owner of the top-level fields that changed, also in addition to those that it
// owns.
func setManager(m, old, next map[string]any, by manager) {
	taken := map[string][]string{} // by section
	for _, section := range []string{"spec", "status"} {
		before, after := part(old, section), part(next, section)
		for _, field := range slices.Sorted(maps.Keys(after)) {
			if !reflect.DeepEqual(before[field], after[field]) {
				taken["f:"+section] = append(taken["f:"+section], "f:"+field)
			}
		}
	}
	fields := map[string]any{}
	var others []any
	for _, entry := range elements(m, "managedFields") {
		if text(entry, "manager") == by.name && text(entry, "operation") == by.operation && text(entry, "subresource") == by.subresource {
			maps.Copy(fields, part(entry, "fieldsV1"))
			continue
		}
		if disown(part(entry, "fieldsV1"), taken) {
			others = append(others, entry)
		}
	}
	for section, names := range taken {
		owned := maps.Clone(part(fields, section))
		if owned == nil {
			owned = map[string]any{}
		}
		for _, name := range names {
			owned[name] = map[string]any{}
		}
		fields[section] = owned
	}
	entry := map[string]any{"manager": by.name, "operation": by.operation, "apiVersion": by.apiVersion, "time": by.time, "fieldsType": "FieldsV1", "fieldsV1": fields}
	if by.subresource != "" {
		entry["subresource"] = by.subresource
	}
	m["managedFields"] = append(others, entry)
}

// disown removes fields of which somebody else is the owner now; false: nothing is left.
func disown(fields map[string]any, taken map[string][]string) bool {
	for section, names := range taken {
		owned := part(fields, section)
		for _, name := range names {
			delete(owned, name)
		}
		if len(owned) == 0 {
			delete(fields, section)
		}
	}
	return len(fields) > 0
}
