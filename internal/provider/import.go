package provider

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// importEntry is an entry point of an import id, "web=<id>+<id>".
type importEntry struct {
	name string
	ids  []string
}

// parseEntries parses "web=<id>[+<id>...][,api=<id>...]". It returns the part that has
// another form, empty if there is none.
func parseEntries(text string) (entries []importEntry, malformed string) {
	for part := range strings.SplitSeq(text, ",") {
		name, ids, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name == "" || ids == "" {
			return nil, part
		}
		entries = append(entries, importEntry{name, strings.Split(ids, "+")})
	}
	return entries, ""
}

// parseImport parses the import id of a switch: entry points with their routes.
func parseImport(id string) ([]traffic.Route, diag.Diagnostics) {
	entries, malformed := parseEntries(id)
	if entries == nil {
		return nil, diag.Diagnostics{malformedImport(id, malformed)}
	}
	var routes []traffic.Route
	for _, entry := range entries {
		for _, route := range entry.ids {
			if fault := platform.Of(route).RouteFault(route); fault != "" {
				return nil, diag.Diagnostics{importNotARoute(id, route, fault)}
			}
			if slices.ContainsFunc(routes, func(r traffic.Route) bool { return r.ID == route }) {
				return nil, diag.Diagnostics{importTwice(id, route)}
			}
			routes = append(routes, traffic.Route{Entry: entry.name, ID: route})
		}
	}
	return routes, nil
}

// parseEnvironmentImport parses "green,web=<id>,api=<id>": the name, and one group for
// each entry point.
func parseEnvironmentImport(id string) (string, map[string]string, diag.Diagnostics) {
	name, rest, _ := strings.Cut(id, ",")
	name = strings.TrimSpace(name)
	entries, malformed := parseEntries(rest)
	if name == "" || strings.Contains(name, "=") || malformed != "" || entries == nil {
		return "", nil, diag.Diagnostics{malformedEnvironmentImport(id)}
	}
	groups := map[string]string{}
	for _, entry := range entries {
		if len(entry.ids) > 1 {
			return "", nil, diag.Diagnostics{malformedEnvironmentImport(id)}
		}
		if _, twice := groups[entry.name]; twice {
			return "", nil, diag.Diagnostics{importEntryTwice(id, entry.name)}
		}
		group := entry.ids[0]
		if fault := platform.Of(group).GroupFault(group); fault != "" {
			return "", nil, diag.Diagnostics{importNotAGroup(id, group, fault)}
		}
		groups[entry.name] = group
	}
	return name, groups, nil
}
