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

// environmentImport is an import id of an environment.
type environmentImport struct {
	name     string
	platform platform.Entry
	values   map[string]string // of the platform's argument, by entry point
}

// parseEnvironmentImport parses "green,web=<ARN>,api=<ARN>": the name, and one group for each entry point. Where the
// platform composes groups, the entry point follows the argument: "green,records.web=blue". The labels
// of a set are joined as routes are: "green,selectors.web=app=web+color=blue".
func parseEnvironmentImport(id string) (e environmentImport, diags diag.Diagnostics) {
	name, rest, _ := strings.Cut(id, ",")
	e = environmentImport{name: strings.TrimSpace(name), values: map[string]string{}}
	entries, malformed := parseEntries(rest)
	if e.name == "" || strings.Contains(e.name, "=") || malformed != "" || entries == nil {
		return e, diag.Diagnostics{malformedEnvironmentImport(id)}
	}
	for i, entry := range entries {
		p, name := platformOfEntry(entry.name)
		if p.Sets != "" && p.Argument(entry.ids[0]) == p.Sets { // the labels of a set
			slices.Sort(entry.ids)
			entry.ids = []string{strings.Join(entry.ids, ",")}
		}
		if len(entry.ids) > 1 || i > 0 && p.Block != e.platform.Block {
			return e, diag.Diagnostics{malformedEnvironmentImport(id)}
		}
		e.platform = p
		if _, twice := e.values[name]; twice {
			return e, diag.Diagnostics{importEntryTwice(id, name)}
		}
		if fault := p.ValueFault(entry.ids[0]); fault != "" {
			return e, diag.Diagnostics{importNotAGroup(id, entry.ids[0], fault)}
		}
		e.values[name] = entry.ids[0]
	}
	return e, nil
}

// platformOfEntry returns the platform whose argument precedes an entry point, and the entry point.
func platformOfEntry(text string) (platform.Entry, string) {
	all := platform.All()
	for _, p := range all {
		for _, argument := range p.Arguments() {
			if name, is := strings.CutPrefix(text, argument+"."); is && p.Composes() {
				return p, name
			}
		}
	}
	return all[0], text
}
