package localkube

import (
	"encoding/json"
	"fmt"
	"regexp"
)

const (
	maxWeight = 1_000_000
	maxRefs   = 16
	maxRules  = 16
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

// validateRoute checks a route of Gateway API as its CRD does.
func validateRoute(object map[string]any) []cause {
	rules := elements(part(object, "spec"), "rules")
	if len(rules) > maxRules {
		return []cause{{"FieldValueTooMany", fmt.Sprintf("Too many: %d: must have at most %d items", len(rules), maxRules), "spec.rules"}}
	}
	var causes []cause
	names := map[string]bool{}
	for i, rule := range rules {
		at := fmt.Sprintf("spec.rules[%d]", i)
		if name := text(rule, "name"); name != "" {
			if !sectionName.MatchString(name) {
				causes = append(causes, invalidValue(at+".name", `"`+name+`"`, at+".name in body should match '"+sectionName.String()+"'"))
			}
			if names[name] {
				causes = append(causes, invalidValue("spec.rules", `"array"`, "Rule name must be unique within the route"))
			}
			names[name] = true
		}
		causes = append(causes, validateRefs(at, rule)...)
	}
	return causes
}

func validateRefs(at string, rule map[string]any) []cause {
	refs := elements(rule, "backendRefs")
	at += ".backendRefs"
	if len(refs) > maxRefs {
		return []cause{{"FieldValueTooMany", fmt.Sprintf("Too many: %d: must have at most %d items", len(refs), maxRefs), at}}
	}
	for _, filter := range elements(rule, "filters") {
		if text(filter, "type") == "RequestRedirect" && len(refs) > 0 {
			return []cause{invalidValue(at, `"object"`, "RequestRedirect filter must not be used together with backendRefs")}
		}
	}
	var causes []cause
	for i, ref := range refs {
		one := fmt.Sprintf("%s[%d]", at, i)
		if text(ref, "name") == "" {
			causes = append(causes, cause{"FieldValueRequired", "Required value", one + ".name"})
		}
		_, hasPort := number(ref, "port")
		if kind := text(ref, "kind"); !hasPort && (kind == "" || kind == "Service") && text(ref, "group") == "" {
			causes = append(causes, invalidValue(one, `"object"`, "Must have port for Service reference"))
		}
		if n, has := number(ref, "weight"); has && n < 0 {
			causes = append(causes, invalidValue(one+".weight", n, one+".weight in body should be greater than or equal to 0"))
		} else if n > maxWeight {
			causes = append(causes, invalidValue(one+".weight", n, fmt.Sprintf("%s.weight in body should be less than or equal to %d", one, maxWeight)))
		}
	}
	return causes
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
			if n, has := number(route, "weight"); has && (n < 0 || n > 1<<31-1) {
				causes = append(causes, invalidValue(at+".weight", n, at+".weight in body must be of type int32"))
			}
		}
	}
	return causes
}

func validateService(object map[string]any) []cause {
	var causes []cause
	for key, value := range part(part(object, "spec"), "selector") {
		if _, is := value.(string); !is || key == "" {
			causes = append(causes, invalidValue("spec.selector", value, "must be a map of strings"))
		}
	}
	return causes
}
