package localkube

import "slices"

// verbs returns what can be done with a resource.
func verbs() []string { return []string{"create", "delete", "get", "list", "patch", "update"} }

// discover answers the paths of discovery; nil: it is none of them.
func (s *endpoint) discover(parts []string) any {
	switch {
	case len(parts) == 1 && parts[0] == "api":
		return map[string]any{"kind": "APIVersions", "versions": []string{"v1"}}
	case len(parts) == 2 && parts[0] == "api":
		return s.resourceList("", parts[1])
	case len(parts) == 1 && parts[0] == "apis":
		list := []any{}
		for _, group := range s.groups() {
			list = append(list, s.group(group))
		}
		return map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": list}
	case len(parts) == 2 && parts[0] == "apis":
		if slices.Contains(s.groups(), parts[1]) {
			return s.group(parts[1])
		}
	case len(parts) == 3 && parts[0] == "apis":
		return s.resourceList(parts[1], parts[2])
	case len(parts) == 1 && parts[0] == "version":
		return map[string]any{"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
	}
	return nil
}

// groups returns the API groups but the core one.
func (s *endpoint) groups() []string {
	var groups []string
	for _, r := range s.resources {
		if r.group != "" && !slices.Contains(groups, r.group) {
			groups = append(groups, r.group)
		}
	}
	return groups
}

// group is an APIGroup. Its versions are those of its resources.
func (s *endpoint) group(name string) map[string]any {
	var versions []string
	for _, r := range s.resources {
		for _, version := range r.versions {
			if r.group == name && !slices.Contains(versions, version) {
				versions = append(versions, version)
			}
		}
	}
	list := []any{}
	for _, version := range versions {
		list = append(list, map[string]any{"groupVersion": name + "/" + version, "version": version})
	}
	return map[string]any{"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": list, "preferredVersion": list[0]}
}

// resourceList is an APIResourceList; nil: there is no such version.
func (s *endpoint) resourceList(group, version string) any {
	list := []any{}
	for _, r := range s.resources {
		if r.group != group || !r.serves(version) {
			continue
		}
		list = append(list, map[string]any{"name": r.plural, "singularName": "", "namespaced": true, "kind": r.kind, "verbs": verbs()})
		if r.status {
			list = append(list, map[string]any{"name": r.plural + "/status", "singularName": "", "namespaced": true, "kind": r.kind, "verbs": []string{"get", "patch", "update"}})
		}
	}
	if len(list) == 0 {
		return nil
	}
	groupVersion := version
	if group != "" {
		groupVersion = group + "/" + version
	}
	return map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": list}
}
