package localkube

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	maxWeight = 1_000_000
	maxRefs   = 16
	maxRules  = 16
	// maxAnnotations is the length of all annotations, with their keys.
	maxAnnotations = 256 << 10
)

var sectionName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// elements returns a list of objects in an object.
func elements(object map[string]any, field string) []map[string]any {
	list, _ := object[field].([]any)
	var all []map[string]any
	for _, x := range list {
		one, _ := x.(map[string]any)
		all = append(all, one)
	}
	return all
}

// part returns an object in an object, which is empty where it is missing.
func part(object map[string]any, field string) map[string]any {
	inner, _ := object[field].(map[string]any)
	return inner
}

func text(object map[string]any, field string) string {
	value, _ := object[field].(string)
	return value
}

// number returns a number; false: it is missing or none.
func number(object map[string]any, field string) (int64, bool) {
	switch n := object[field].(type) {
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	}
	return 0, false
}

func invalidValue(field string, value any, message string) cause {
	return cause{"FieldValueInvalid", fmt.Sprintf("Invalid value: %v: %s", value, message), field}
}

// broken is a rule of a definition that an object breaks. The server does not print the value.
func broken(field, message string) cause {
	return cause{"FieldValueInvalid", "Invalid value: " + message, field}
}

func tooManyItems(field string, n, limit int) cause {
	items := "items"
	if limit == 1 {
		items = "item"
	}
	return cause{"FieldValueTooMany", fmt.Sprintf("Too many: %d: must have at most %d %s", n, limit, items), field}
}

// nowhere is the field of a cause that has none.
const nowhere = "<nil>"

// unchecked adds what the server adds where an object does not have the form of its definition, so that not all
// rules were checked.
func unchecked(causes []cause) []cause {
	if slices.ContainsFunc(causes, func(c cause) bool { return c.Reason != "FieldValueInvalid" }) {
		causes = append(causes, invalidValue(nowhere, "null", "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
	}
	return causes
}

// validateMetadata checks labels and annotations.
func validateMetadata(object map[string]any) []cause {
	var causes []cause
	m, size := part(object, "metadata"), 0
	check := func(field, value string, wrong []string) {
		for _, message := range wrong {
			causes = append(causes, invalidValue("metadata."+field, `"`+value+`"`, message))
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		all := part(m, field)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			check(field, key, validation.IsQualifiedName(key))
			if field == "labels" {
				check(field, text(all, key), validation.IsValidLabelValue(text(all, key)))
			} else {
				size += len(key) + len(text(all, key))
			}
		}
	}
	if size > maxAnnotations {
		causes = append(causes, cause{"FieldValueTooLong", fmt.Sprintf("Too long: may not be more than %d bytes", maxAnnotations), "metadata.annotations"})
	}
	return causes
}

// validateRoute checks a route of Gateway API as its CRD does. Names of rules may be the same: only the
// experimental CRD refuses that.
func validateRoute(object map[string]any) []cause {
	rules := elements(part(object, "spec"), "rules")
	limit := maxRules
	if text(object, "kind") == "TCPRoute" {
		limit = 1
	}
	if len(rules) > limit {
		return []cause{tooManyItems("spec.rules", len(rules), limit)}
	}
	var causes []cause
	for i, rule := range rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		if name := text(rule, "name"); name != "" && !sectionName.MatchString(name) {
			causes = append(causes, invalidValue(at+".name", `"`+name+`"`, at+".name in body should match '"+sectionName.String()+"'"))
		}
		causes = append(causes, validateRefs(at, rule)...)
	}
	return causes
}

func validateRefs(at string, rule map[string]any) []cause {
	refs := elements(rule, "backendRefs")
	if len(refs) > maxRefs {
		return []cause{tooManyItems(at+".backendRefs", len(refs), maxRefs)}
	}
	for _, filter := range elements(rule, "filters") {
		if text(filter, "type") == "RequestRedirect" && len(refs) > 0 {
			return []cause{broken(at, "RequestRedirect filter must not be used together with backendRefs")}
		}
	}
	var causes []cause
	for i, ref := range refs {
		one := fmt.Sprintf("%s.backendRefs[%d]", at, i)
		if text(ref, "name") == "" {
			causes = append(causes, cause{"FieldValueRequired", "Required value", one + ".name"})
		}
		_, hasPort := number(ref, "port")
		if kind := text(ref, "kind"); !hasPort && (kind == "" || kind == "Service") && text(ref, "group") == "" {
			causes = append(causes, broken(one, "Must have port for Service reference"))
		}
		causes = append(causes, validateWeight(one+".weight", ref, maxWeight)...)
	}
	return causes
}

// validateWeight checks a weight, which is an int32.
func validateWeight(at string, ref map[string]any, limit int64) []cause {
	value, has := ref["weight"]
	if !has {
		return nil
	}
	n, whole := number(ref, "weight")
	_, isText := value.(string)
	kind, format := "integer", "string"
	if !isText {
		kind, format = "int32", "float64"
	}
	checked := invalidValue(nowhere, `""`, "Checked value must be of type integer with format int32 in "+at)
	switch {
	case !whole:
		causes := []cause{{"FieldValueTypeInvalid", fmt.Sprintf("Invalid value: %q: %s in body must be of type %s: %q", format, at, kind, format), at}}
		if !isText {
			causes = append(causes, checked)
		}
		return causes
	case n < math.MinInt32 || n > math.MaxInt32:
		return []cause{checked}
	case n < 0:
		return []cause{invalidValue(at, n, at+" in body should be greater than or equal to 0")}
	case n > limit:
		return []cause{invalidValue(at, n, fmt.Sprintf("%s in body should be less than or equal to %d", at, limit))}
	}
	return nil
}

// validateVirtualService checks the destinations. The weights of Istio have no maximum but that of their type.
func validateVirtualService(object map[string]any) []cause {
	var causes []cause
	for i, rule := range elements(part(object, "spec"), "http") {
		for j, route := range elements(rule, "route") {
			at := fmt.Sprintf("spec.http[%d].route[%d]", i, j)
			if text(part(route, "destination"), "host") == "" {
				causes = append(causes, cause{"FieldValueRequired", "Required value", at + ".destination.host"})
			}
			causes = append(causes, validateWeight(at+".weight", route, math.MaxInt32)...)
		}
	}
	return causes
}

func validateService(object map[string]any) []cause {
	var causes []cause
	selector := part(part(object, "spec"), "selector")
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		value := text(selector, key)
		for _, message := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...) {
			causes = append(causes, invalidValue("spec.selector", `"`+value+`"`, message))
		}
	}
	return causes
}
