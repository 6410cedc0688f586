package release

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// stateOf is a state with environments that have one entry point, web.
func stateOf(groups map[string]string) *State {
	return &State{Environments: desiredOf(groups).Environments}
}

func desiredOf(groups map[string]string) Desired {
	w := Desired{Environments: map[string]Environment{}, Routes: []traffic.Route{{Entry: "web", ID: "route"}}}
	for name, group := range groups {
		w.Environments[name] = Environment{Groups: map[string]string{"web": group}, Version: "1"}
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
			p := NewPrior(desiredOf(c.config), stateOf(c.state), Memory{}, Platform{})
			if !maps.Equal(p.names, c.names) {
				t.Errorf("names are %v, want %v", p.names, c.names)
			}
			leaving := map[string]string{}
			for name, groups := range p.leaving {
				leaving[name] = groups["web"]
			}
			if !maps.Equal(leaving, c.leaving) {
				t.Errorf("leaving are %v, want %v", leaving, c.leaving)
			}
		})
	}
}

func TestPrior_renamesMemory(t *testing.T) {
	m := Memory{
		Previous: &IdentityMemory{Environment: "blue", Version: "1", Groups: map[string]string{"web": "b"}},
		Rejected: &IdentityMemory{Environment: "green", Version: "1", Groups: map[string]string{"web": "g"}},
	}
	w := desiredOf(map[string]string{"azure": "b", "lime": "g"})
	p := NewPrior(w, stateOf(map[string]string{"blue": "b", "green": "g"}), m, Platform{})
	if id := p.previous(w); !id.Matches(shift.Environment{Name: "azure", Version: "1", Groups: w.Environments["azure"].groupsID()}) {
		t.Errorf("previous is %+v", id)
	}
	if r := p.Rejection(w); !r.Matches(shift.Environment{Name: "lime", Version: "1", Groups: w.Environments["lime"].groupsID()}) {
		t.Errorf("rejected is %+v", r)
	}
	// The same version on other machines is not the version that was live, but it is
	// still the rejected version.
	w = desiredOf(map[string]string{"blue": "b2", "green": "g2"})
	p = NewPrior(w, stateOf(map[string]string{"blue": "b", "green": "g"}), m, Platform{})
	if p.previous(w).Matches(shift.Environment{Name: "blue", Version: "1", Groups: w.Environments["blue"].groupsID()}) {
		t.Error("new machines count as those that were live before")
	}
	if !p.Rejection(w).Matches(shift.Environment{Name: "green", Version: "1", Groups: w.Environments["green"].groupsID()}) {
		t.Error("new machines make a rejected version good")
	}
}

func TestPlatform_unmanagedGroupWithTheNameOfAnEnvironment(t *testing.T) {
	p := Platform{GroupName: func(group string) string { return "app-" + group }}
	owners := p.Owners(map[string]Environment{"app-blue": {Groups: map[string]string{"web": "other"}}})
	if got := owners.Owner("web", "blue"); got != "app-blue (target group)" {
		t.Error(got)
	}
	if got := owners.Owner("web", "green"); got != "app-green" {
		t.Error(got)
	}
}

// 200 identical decisions give one schedule: one of two groups of the live environment
// is replaced, so that two names have the other one.
func TestPrior_oneOfSeveralGroupsReplaced(t *testing.T) {
	routes := []traffic.Route{{Entry: "api", ID: "a"}, {Entry: "web", ID: "w"}}
	state := &State{Routes: routes, Stable: Stable{Weights: shift.Weights{"blue": shift.Full, "green": 0}, Versions: map[string]string{"blue": "1"}},
		Environments: map[string]Environment{
			"blue":  {Groups: map[string]string{"web": "web-blue", "api": "api-blue"}, Version: "1"},
			"green": {Groups: map[string]string{"web": "web-green", "api": "api-green"}, Version: "2"},
		}}
	w := Desired{Routes: routes, Weights: shift.Sole("blue"), Environments: map[string]Environment{
		"blue":  {Groups: map[string]string{"web": "web-blue", "api": "api-new"}, Version: "1"},
		"green": {Groups: map[string]string{"web": "web-green", "api": "api-green"}, Version: "2"},
	}}
	w.Strategy.Steps = []shift.Step{{At: 100, Hold: time.Minute}}
	m := Memory{Routes: map[string]RouteMemory{
		"a": {Weights: map[string]int{"api-blue": 100, "api-green": 0}},
		"w": {Weights: map[string]int{"web-blue": 100, "web-green": 0}},
	}}
	texts := map[string]bool{}
	for range 200 {
		planned, err := NewPrior(w, state, m, Platform{Limits: traffic.Limits{Groups: 5, Weight: 999, AttachesIdle: true}}).Plan(w)
		if err != nil {
			t.Fatal(err)
		}
		texts[schedule.Text(planned.Decided)] = true
	}
	if len(texts) != 1 {
		t.Fatalf("%d schedules of one decision", len(texts))
	}
	for text := range texts {
		golden.Check(t, text)
	}
}

func TestMemory_versions(t *testing.T) {
	text, err := json.Marshal(Memory{Previous: &IdentityMemory{Environment: "blue", Version: "1"}})
	if err != nil || !strings.Contains(string(text), `"version":2`) {
		t.Fatal(string(text), err)
	}
	var m Memory
	if err := json.Unmarshal(text, &m); err != nil || m.Previous == nil || m.Previous.Environment != "blue" {
		t.Errorf("read %+v, %v", m, err)
	}
	if err := json.Unmarshal([]byte(`{"version":3}`), &m); !errors.Is(err, ErrMemoryVersion) {
		t.Errorf("a newer version: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"version":1,"attempt":{"environments":{"blue":{"web":"b"}}}}`), &m); err != nil || !m.Attempt.Unrecorded {
		t.Errorf("version 1: %+v, %v", m.Attempt, err)
	}
	text, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil || !m.Attempt.Unrecorded {
		t.Errorf("version 1, written again: %+v, %v", m.Attempt, err)
	}
}
