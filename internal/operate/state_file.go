package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	switchType   = "bluegreen_switch"
	stateVersion = 4 // of Terraform and OpenTofu
)

// stateFile is a state file, or the output of "terraform show -json".
type stateFile struct {
	// Of a state file:
	Version   int             `json:"version"`
	Resources []stateResource `json:"resources"`
	Encrypted json.RawMessage `json:"encrypted_data"` // by OpenTofu
	// Of "terraform show -json":
	FormatVersion string `json:"format_version"`
	Values        *struct {
		RootModule shownModule `json:"root_module"`
	} `json:"values"`
	PriorState *stateFile `json:"prior_state"` // of a plan
}

type stateResource struct {
	Module    string `json:"module"`
	Mode      string `json:"mode"`
	Type      string `json:"type"`
	Name      string `json:"name"`
	Instances []struct {
		Index      any              `json:"index_key"`
		Deposed    string           `json:"deposed"`
		Attributes switchAttributes `json:"attributes"`
	} `json:"instances"`
}

// UnmarshalJSON reads only switches: other resources may have attributes of any form.
func (r *stateResource) UnmarshalJSON(text []byte) error {
	var head struct {
		Type string `json:"type"`
		Mode string `json:"mode"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Type != switchType || head.Mode == "data" {
		return err
	}
	type plain stateResource
	return json.Unmarshal(text, (*plain)(r))
}

type shownModule struct {
	Resources []shownResource `json:"resources"`
	Children  []shownModule   `json:"child_modules"`
}

type shownResource struct {
	Address string           `json:"address"`
	Values  switchAttributes `json:"values"`
}

// UnmarshalJSON reads only switches.
func (r *shownResource) UnmarshalJSON(text []byte) error {
	var head struct {
		Type string `json:"type"`
		Mode string `json:"mode"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Type != switchType || head.Mode == "data" {
		return err
	}
	type plain shownResource
	return json.Unmarshal(text, (*plain)(r))
}

// switchAttributes is the part of a switch that the command needs.
type switchAttributes struct {
	LoadBalancer []struct {
		Routes map[string][]string `json:"routes"`
	} `json:"load_balancer"`
	Environments map[string]struct {
		Version      string            `json:"version"`
		TargetGroups map[string]string `json:"target_groups"`
	} `json:"environments"`
	Rejected *Rejection `json:"rejected"`
}

const cannotReadState = "Cannot read the state file"

// FromState reads a state file, or the output of "terraform show -json". address chooses one of
// several switches; empty: there is only one.
func FromState(r io.Reader, address string) (Target, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Target{}, refuse(cannotReadState, sentence(err.Error()), "Check the file.")
	}
	var file stateFile
	if err := json.Unmarshal(text, &file); err != nil {
		return Target{}, refuse(cannotReadState, sentence("it is not valid JSON: "+err.Error()),
			"Use a state file, or the output of \"terraform show -json\": terraform show -json | bluegreen status -f -")
	}
	switches, p := file.switches()
	if p != nil {
		return Target{}, p
	}
	names := slices.Sorted(maps.Keys(switches))
	switch {
	case len(names) == 0:
		return Target{}, refuse("The state has no switch", "It has no resource of type "+switchType+".", "Use the state of the configuration that has the switch, or name the routes with --route.")
	case address == "" && len(names) > 1:
		return Target{}, refuse("The state has several switches", "It has "+strings.Join(names, ", ")+".", "Choose one with --switch.")
	case address == "":
		address = names[0]
	}
	found, is := switches[address]
	if !is {
		return Target{}, refuse("The state has no such switch", fmt.Sprintf("It has %s, and not %s.", strings.Join(names, ", "), address), "Choose one of them with --switch.")
	}
	return found.target(address)
}

// switches returns the switches of a file by address.
func (f *stateFile) switches() (map[string]switchAttributes, *Problem) {
	found := map[string]switchAttributes{}
	switch {
	case f.Encrypted != nil:
		return nil, refuse(cannotReadState, "OpenTofu has encrypted it.", "Use the output of \"tofu show -json\": tofu show -json | bluegreen status -f -")
	case f.PriorState != nil:
		return f.PriorState.switches()
	case f.FormatVersion != "":
		if f.Values != nil {
			f.Values.RootModule.collect(found)
		}
		return found, nil
	case f.Version != stateVersion:
		return nil, refuse(cannotReadState, fmt.Sprintf("It is neither a state of version %d nor the output of \"terraform show -json\".", stateVersion),
			"Use a state file, or pipe \"terraform show -json\" into -f -.")
	}
	for _, r := range f.Resources {
		for _, i := range r.Instances {
			if i.Deposed != "" {
				continue
			}
			address := r.Type + "." + r.Name
			if r.Module != "" {
				address = r.Module + "." + address
			}
			switch key := i.Index.(type) {
			case string:
				address += fmt.Sprintf("[%q]", key)
			case float64:
				address += fmt.Sprintf("[%d]", int(key))
			}
			found[address] = i.Attributes
		}
	}
	return found, nil
}

func (m shownModule) collect(found map[string]switchAttributes) {
	for _, r := range m.Resources {
		if r.Address != "" {
			found[r.Address] = r.Values
		}
	}
	for _, child := range m.Children {
		child.collect(found)
	}
}

// target returns the routes of a switch, by entry point.
func (a switchAttributes) target(address string) (Target, error) {
	t := Target{Switch: address, Environments: map[string]Environment{}}
	for _, block := range a.LoadBalancer {
		for _, entry := range slices.Sorted(maps.Keys(block.Routes)) {
			for _, arn := range block.Routes[entry] {
				if _, err := elb.ParseRoute(arn); err != nil {
					return Target{}, refuse(cannotReadState, sentence(err.Error()), "Check the routes of "+address+".")
				}
				t.Routes = append(t.Routes, traffic.Route{Entry: entry, ID: arn})
			}
		}
	}
	if len(t.Routes) == 0 {
		return Target{}, refuse(cannotReadState, address+" has no routes.", "Name the routes with --route.")
	}
	for name, e := range a.Environments {
		t.Environments[name] = Environment{Version: e.Version, Groups: e.TargetGroups}
	}
	if a.Rejected != nil && a.Rejected.Version != "" {
		t.Rejected = a.Rejected
	}
	return t, nil
}
