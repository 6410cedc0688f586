package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// trafficKey is the key of the environment's memory in private state.
const trafficKey = "traffic"

// environmentMemory is what Read found, for the plan that follows.
type environmentMemory struct {
	Traffic []trafficMemory `json:"traffic,omitempty"` // empty: idle
}

// trafficMemory is a listener or rule that sends user traffic.
type trafficMemory struct {
	Route  string      `json:"route"`
	Text   string      `json:"text"`
	Group  string      `json:"group"`
	Share  shift.Share `json:"share"`
	Sticky bool        `json:"sticky,omitempty"`
}

// carriesTraffic reports whether users reach the environment.
func (m environmentMemory) carriesTraffic() bool { return len(m.Traffic) > 0 }

// rememberReferences returns the references that carry user traffic.
func rememberReferences(users []traffic.Reference) environmentMemory {
	var m environmentMemory
	for _, u := range users {
		if u.CarriesTraffic() {
			m.Traffic = append(m.Traffic, trafficMemory{Route: u.Route, Text: u.Text, Group: u.Group, Share: u.Share, Sticky: u.Sticky})
		}
	}
	return m
}

func recallEnvironment(ctx context.Context, from private) (environmentMemory, diag.Diagnostics) {
	var m environmentMemory
	if diags := recall(ctx, from, trafficKey, &m); diags.HasError() {
		return m, diag.Diagnostics{trafficNotRead()}
	}
	return m, nil
}

func rememberEnvironment(ctx context.Context, to privateSetter, m *environmentMemory) diag.Diagnostics {
	return remember(ctx, to, trafficKey, m)
}

// refresh reads which routes send traffic to an environment. Missing target groups have no
// traffic; only an import reports them.
func (r *environmentResource) refresh(ctx context.Context, state environmentModel) (*environmentMemory, diag.Diagnostics) {
	groups := state.groups()
	if len(groups) == 0 {
		return &environmentMemory{}, nil
	}
	c, err := r.backend.connect(ctx, groups[0])
	if err != nil {
		return nil, diag.Diagnostics{environmentUnreadable(state, err)}
	}
	existing, users, err := referencesOf(ctx, c.Reader, groups)
	if err != nil {
		return nil, diag.Diagnostics{environmentUnreadable(state, err)}
	}
	if state.isImported() && len(existing) < len(groups) {
		return nil, diag.Diagnostics{importedGroupMissing(state, groups, existing)}
	}
	m := rememberReferences(users)
	return &m, nil
}

// referencesOf returns those of the groups that exist, and the routes that have them.
func referencesOf(ctx context.Context, finder traffic.References, groups []string) (existing []string, users []traffic.Reference, err error) {
	existing = slices.Clone(groups)
	for len(existing) > 0 {
		users, err = finder.References(ctx, existing)
		gone, is := traffic.Missing(err)
		if !is || !slices.Contains(existing, gone) {
			return existing, users, err
		}
		existing = slices.DeleteFunc(existing, func(group string) bool { return group == gone })
	}
	return nil, nil, nil
}
