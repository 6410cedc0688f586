package provider

import (
	"maps"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// stateOf is a state with environments that have one entry point, web.
func stateOf(groups map[string]string) *switchModel {
	m := nullModel()
	environments := map[string]map[string]string{}
	for name, group := range groups {
		environments[name] = map[string]string{"web": group}
	}
	m.Environments = environmentsValue(environments)
	return &m
}

func desiredOf(groups map[string]string) desired {
	w := desired{environments: map[string]*desiredEnvironment{}, routes: []desiredRoute{{"web", webARN}}}
	for name, group := range groups {
		w.environments[name] = &desiredEnvironment{groups: map[string]string{"web": group}, version: "1"}
	}
	return w
}

func TestPrior_matchesEnvironmentsByGroup(t *testing.T) {
	for name, c := range map[string]struct {
		state, config map[string]string
		names         map[string]string
		leaving       map[string]string
	}{
		"unchanged": {
			map[string]string{"blue": "b", "green": "g"}, map[string]string{"blue": "b", "green": "g"},
			map[string]string{"blue": "blue", "green": "green"}, nil,
		},
		"renamed": {
			map[string]string{"blue": "b", "green": "g"}, map[string]string{"azure": "b", "green": "g"},
			map[string]string{"blue": "azure", "green": "green"}, nil,
		},
		"names swapped": {
			map[string]string{"blue": "b", "green": "g"}, map[string]string{"blue": "g", "green": "b"},
			map[string]string{"blue": "green", "green": "blue"}, nil,
		},
		"taken out": {
			map[string]string{"blue": "b", "green": "g"}, map[string]string{"green": "g"},
			map[string]string{"blue": "blue", "green": "green"}, map[string]string{"blue": "b"},
		},
		"other machines under the same name": {
			map[string]string{"blue": "b", "green": "g"}, map[string]string{"blue": "b", "green": "g2"},
			map[string]string{"blue": "blue", "green": "green (old target groups)"}, map[string]string{"green (old target groups)": "g"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrior(desiredOf(c.config), stateOf(c.state), memory{})
			if !maps.Equal(p.names, c.names) {
				t.Errorf("names are %v, want %v", p.names, c.names)
			}
			leaving := map[string]string{}
			for name, groups := range p.removed {
				leaving[name] = groups["web"]
			}
			if !maps.Equal(leaving, c.leaving) {
				t.Errorf("leaving are %v, want %v", leaving, c.leaving)
			}
		})
	}
}

func TestPrior_renamesMemory(t *testing.T) {
	m := memory{
		Previous: &identityMemory{Environment: "blue", Version: "1", Groups: map[string]string{"web": "b"}},
		Rejected: &identityMemory{Environment: "green", Version: "1", Groups: map[string]string{"web": "g"}},
	}
	w := desiredOf(map[string]string{"azure": "b", "lime": "g"})
	p := newPrior(w, stateOf(map[string]string{"blue": "b", "green": "g"}), m)
	if id := p.previous(w); !id.Matches(shift.Environment{Name: "azure", Version: "1", Groups: w.environments["azure"].groupsID()}) {
		t.Errorf("previous is %+v", id)
	}
	if r := p.rejection(w); !r.Matches(shift.Environment{Name: "lime", Version: "1", Groups: w.environments["lime"].groupsID()}) {
		t.Errorf("rejected is %+v", r)
	}
	// The same version on other machines is not the version that was live, but it is
	// still the rejected version.
	w = desiredOf(map[string]string{"blue": "b2", "green": "g2"})
	p = newPrior(w, stateOf(map[string]string{"blue": "b", "green": "g"}), m)
	if p.previous(w).Matches(shift.Environment{Name: "blue", Version: "1", Groups: w.environments["blue"].groupsID()}) {
		t.Error("new machines count as those that were live before")
	}
	if !p.rejection(w).Matches(shift.Environment{Name: "green", Version: "1", Groups: w.environments["green"].groupsID()}) {
		t.Error("new machines make a rejected version good")
	}
}

func TestPrior_unmanagedGroupWithTheNameOfAnEnvironment(t *testing.T) {
	owners := ownersOf(map[string]map[string]string{"app-blue": {"web": "other"}}, nil)
	if got := owners.Owner("web", blueARN); got != "app-blue (target group)" {
		t.Error(got)
	}
	if got := owners.Owner("web", greenARN); got != "app-green" {
		t.Error(got)
	}
}

func TestDesiredOf(t *testing.T) {
	weights := func(blue, green shift.Share) types.Map {
		return weightsValue(shift.Weights{"blue": blue, "green": green}, nil)
	}
	null, unknown := types.MapNull(types.NumberType), types.MapUnknown(types.NumberType)
	for name, c := range map[string]struct {
		active         types.String
		weights        types.Map
		byActive, both bool
		leave          bool
	}{
		"active":                 {types.StringValue("blue"), null, true, true, false},
		"weights":                {types.StringNull(), weights(500, 500), false, true, false},
		"neither":                {types.StringNull(), null, false, true, true},
		"both agree":             {types.StringValue("blue"), weights(1000, 0), false, true, true},
		"both and they disagree": {types.StringValue("blue"), weights(500, 500), false, false, true},
		"weights not known yet":  {types.StringValue("blue"), unknown, false, true, false},
	} {
		got, agree := trafficConfigOf(switchModel{Active: c.active, Weights: c.weights})
		if agree != c.both || got.ignored != c.leave || (got.active != nil) != c.byActive {
			t.Errorf("%s: %+v, %v", name, got, agree)
		}
	}
}

// A computed share equals the number that Terraform parses from text.
func TestShareValue_isExact(t *testing.T) {
	for s := range shift.Full + 1 {
		again := sharesOf(types.MapValueMust(types.NumberType, map[string]attr.Value{"x": shareValue(s)}))["x"]
		if again != s {
			t.Fatalf("%d became %d", s, again)
		}
	}
	if got := shareValue(333).String(); got != "33.3" {
		t.Error(got)
	}
}
