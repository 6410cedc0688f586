package wire

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Flatten encodes a document as form parameters, which gives the journal and the faults one form for all protocols:
// AlarmNames.member.1, MetricDataQueries.member.1.MetricStat.Stat.
func Flatten(document any) url.Values {
	form := url.Values{}
	flattenAt("", document, form)
	return form
}

func flattenAt(at string, from any, into url.Values) {
	switch v := from.(type) {
	case map[string]any:
		for name, member := range v {
			flattenAt(join(at, name), member, into)
		}
	case []any:
		for i, member := range v {
			flattenAt(join(at, "member."+strconv.Itoa(i+1)), member, into)
		}
	case time.Time:
		into.Set(at, v.UTC().Round(time.Millisecond).Format(time.RFC3339Nano))
	case nil:
	default:
		into.Set(at, fmt.Sprint(v))
	}
}

// Unflatten decodes form parameters into a document. It is the inverse of Flatten, except that all values are strings.
func Unflatten(form url.Values) (any, error) {
	root := map[string]any{}
	for key, values := range form {
		if key == "Action" || key == "Version" || len(values) == 0 {
			continue
		}
		at, names := root, strings.Split(key, ".")
		for _, name := range names[:len(names)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			inner, ok := at[name].(map[string]any)
			if !ok {
				return nil, BadRequest("MalformedQueryString", "The parameter %s is inside of one that has a value", key)
			}
			at = inner
		}
		last := names[len(names)-1]
		if at[last] != nil {
			return nil, BadRequest("MalformedQueryString", "The parameter %s has a value and others inside of it", key)
		}
		at[last] = values[0]
	}
	return collapseLists(root), nil
}

// collapseLists recursively converts structures with only numbered members into lists.
func collapseLists(v any) any {
	members, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, member := range members {
		members[name] = collapseLists(member)
	}
	inner, ok := members["member"].(map[string]any)
	if !ok || len(members) > 1 {
		return members
	}
	list := []any{}
	for _, name := range slices.SortedFunc(maps.Keys(inner), byNumber) {
		list = append(list, inner[name])
	}
	return list
}

func byNumber(a, b string) int {
	m, _ := strconv.Atoi(a) // an invalid number sorts first
	n, _ := strconv.Atoi(b)
	return m - n
}
