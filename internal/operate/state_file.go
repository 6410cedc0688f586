package operate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/routers"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	switchType      = "bluegreen_switch"
	environmentType = "bluegreen_environment"
	stateVersion    = 4 // of Terraform and OpenTofu
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
		Index      any             `json:"index_key"`
		Deposed    string          `json:"deposed"`
		Attributes json.RawMessage `json:"attributes"`
	} `json:"instances"`
}

type shownModule struct {
	Resources []shownResource `json:"resources"`
	Children  []shownModule   `json:"child_modules"`
}

type shownResource struct {
	Address string          `json:"address"`
	Mode    string          `json:"mode"`
	Type    string          `json:"type"`
	Deposed string          `json:"deposed_key"`
	Values  json.RawMessage `json:"values"`
}

// switchAttributes is the part of a switch that the command needs.
type switchAttributes struct {
	Routers      map[string][]routesBlock // by the name of the block
	Environments map[string]environmentAttributes
	Rejected     *Rejection
	Saved        []shift.Weights
}

// trafficAttributes is what a switch says of its traffic, in percent by environment.
type trafficAttributes struct {
	Active  string             `json:"active"`
	Weights map[string]float64 `json:"weights"`
	Stable  struct {
		Weights map[string]float64 `json:"weights"`
	} `json:"stable"`
}

// saved returns the weights that the last completed shift left, if the state has them, and those that the last apply or
// refresh read.
func (a trafficAttributes) saved() []shift.Weights {
	var all []shift.Weights
	for _, percent := range []map[string]float64{a.Stable.Weights, a.Weights} {
		if w, err := shift.FromPercent(percent); err == nil {
			all = append(all, w)
		}
	}
	if a.Active != "" {
		all = append(all, shift.Sole(a.Active))
	}
	return all
}

// routesBlock is a block of a switch with its routes by entry point.
type routesBlock struct {
	Routes map[string][]string `json:"routes"`
}

// UnmarshalJSON implements json.Unmarshaler: each router has a block.
func (a *switchAttributes) UnmarshalJSON(text []byte) error {
	var known struct {
		Environments map[string]environmentAttributes `json:"environments"`
		Rejected     *Rejection                       `json:"rejected"`
		trafficAttributes
	}
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &known), json.Unmarshal(text, &all)); err != nil {
		return err
	}
	*a = switchAttributes{Routers: map[string][]routesBlock{}, Environments: known.Environments, Rejected: known.Rejected, Saved: known.saved()}
	for _, router := range routers.All() {
		if all[router.Block] == nil {
			continue
		}
		var blocks []routesBlock
		if err := json.Unmarshal(all[router.Block], &blocks); err != nil {
			return fmt.Errorf("%s: %w", router.Block, err)
		}
		a.Routers[router.Block] = blocks
	}
	return nil
}

// environmentAttributes is the part of an environment that the command needs.
type environmentAttributes struct {
	Name     string
	Version  string
	Backends map[string]map[string]string // by the name of the argument, then by entry point
}

// UnmarshalJSON implements json.Unmarshaler: each router has an argument.
func (a *environmentAttributes) UnmarshalJSON(text []byte) error {
	var known struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &known), json.Unmarshal(text, &all)); err != nil {
		return err
	}
	*a = environmentAttributes{Name: known.Name, Version: known.Version, Backends: map[string]map[string]string{}}
	for _, router := range routers.All() {
		if all[router.Backends] == nil && all[router.Sets] == nil {
			continue
		}
		var values map[string]string
		if err := json.Unmarshal([]byte(cmp.Or(string(all[router.Backends]), "null")), &values); err != nil {
			return fmt.Errorf("%s: %w", router.Backends, err)
		}
		var sets map[string]map[string]string
		if err := json.Unmarshal([]byte(cmp.Or(string(all[router.Sets]), "null")), &sets); err != nil {
			return fmt.Errorf("%s: %w", router.Sets, err)
		}
		a.Backends[router.Backends] = map[string]string{}
		maps.Copy(a.Backends[router.Backends], values)
		for entry, set := range sets {
			a.Backends[router.Backends][entry] = routers.Labels(set)
		}
	}
	return nil
}

// resources are the switches of a file, by address, and its environments.
type resources struct {
	switches     map[string]switchAttributes
	environments []environmentAttributes
}

// add reads a resource. Others than switches and environments may have attributes of any form.
func (r *resources) add(mode, kind, address string, attributes json.RawMessage) error {
	if mode == "data" {
		return nil
	}
	switch kind {
	case switchType:
		var s switchAttributes
		if err := json.Unmarshal(attributes, &s); err != nil {
			return err
		}
		r.switches[address] = s
	case environmentType:
		var e environmentAttributes
		if json.Unmarshal(attributes, &e) == nil { // its version is only shown: no reason to refuse a rollback
			r.environments = append(r.environments, e)
		}
	}
	return nil
}

// version is the version of an environment of a switch. The resource of the environment has it as
// soon as it is applied, the switch only after a shift to it.
func (r *resources) version(name, argument string, known environmentAttributes) string {
	values := known.Backends[argument]
	for _, e := range r.environments {
		if e.Name == name && e.Version != "" && len(values) > 0 && maps.Equal(e.Backends[argument], values) {
			return e.Version
		}
	}
	return known.Version
}

const cannotReadState = "Cannot read the state file"

// ErrNoSwitch reports a state without a switch, as before the first apply and after a destroy.
var ErrNoSwitch = errors.New("the state has no switch")

// FromState reads a state file, or the output of "terraform show -json". address chooses one of
// several switches; empty: there is only one.
func FromState(r io.Reader, address string) (Target, error) {
	found, names, err := readState(r)
	switch {
	case err != nil:
		return Target{}, err
	case address == "" && len(names) > 1:
		return Target{}, refuse("The state has several switches", "It has "+strings.Join(names, ", ")+".", "Choose one with --switch.")
	case address == "":
		address = names[0]
	}
	chosen, is := found.switches[address]
	if !is {
		return Target{}, refuse("The state has no such switch", fmt.Sprintf("It has %s, and not %s.", strings.Join(names, ", "), address), "Choose one of them with --switch.")
	}
	return chosen.target(address, found)
}

// AllFromState is FromState for all switches of a state, in the order of their addresses.
func AllFromState(r io.Reader) ([]Target, error) {
	found, names, err := readState(r)
	if err != nil {
		return nil, err
	}
	var all []Target
	for _, address := range names {
		t, err := found.switches[address].target(address, found)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// readState reads the switches of a state and their addresses, of which there is at least one.
func readState(r io.Reader) (*resources, []string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, refuse(cannotReadState, sentence(err.Error()), "Check the file.")
	}
	var file stateFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, nil, refuse(cannotReadState, sentence("it is not valid JSON: "+err.Error()),
			"Use a state file, or the output of \"terraform show -json\": terraform show -json | bluegreen status -f -")
	}
	found, p := file.read()
	if p != nil {
		return nil, nil, p
	}
	if len(found.switches) == 0 {
		p := refuse("The state has no switch", "It has no resource of type "+switchType+".", "Use the state of the configuration that has the switch, or name the routes with --route.")
		p.Err = ErrNoSwitch
		return nil, nil, p
	}
	return found, slices.Sorted(maps.Keys(found.switches)), nil
}

// read returns the switches and environments of a file.
func (f *stateFile) read() (*resources, *Problem) {
	found := &resources{switches: map[string]switchAttributes{}}
	switch {
	case f.Encrypted != nil:
		return nil, refuse(cannotReadState, "OpenTofu has encrypted it.", "Use the output of \"tofu show -json\": tofu show -json | bluegreen status -f -")
	case f.PriorState != nil:
		return f.PriorState.read()
	case f.FormatVersion != "":
		if f.Values == nil {
			return found, nil
		}
		return found, unreadable(f.Values.RootModule.collect(found))
	case f.Version != stateVersion:
		return nil, refuse(cannotReadState, fmt.Sprintf("It is neither a state of version %d nor the output of \"terraform show -json\".", stateVersion),
			"Use a state file, or pipe \"terraform show -json\" into -f -.")
	}
	for _, r := range f.Resources {
		if err := r.collect(found); err != nil {
			return nil, unreadable(err)
		}
	}
	return found, nil
}

// unreadable is a switch or environment whose attributes have another form; nil: there is none.
func unreadable(err error) *Problem {
	if err == nil {
		return nil
	}
	return refuse(cannotReadState, sentence("it has a form that this command does not know: "+err.Error()), "Use the bluegreen command of the version of the provider.")
}

func (r stateResource) collect(found *resources) error {
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
		if err := found.add(r.Mode, r.Type, address, i.Attributes); err != nil {
			return err
		}
	}
	return nil
}

func (m shownModule) collect(found *resources) error {
	for _, r := range m.Resources {
		if r.Deposed != "" {
			continue
		}
		if err := found.add(r.Mode, r.Type, r.Address, r.Values); err != nil {
			return err
		}
	}
	for _, child := range m.Children {
		if err := child.collect(found); err != nil {
			return err
		}
	}
	return nil
}

// target returns the routes of a switch, by entry point, and its environments.
func (a switchAttributes) target(address string, all *resources) (Target, error) {
	t := Target{Switch: address, Environments: map[string]Environment{}, Saved: a.Saved}
	for _, router := range routers.All() {
		for _, block := range a.Routers[router.Block] {
			t.addRoutes(block)
		}
	}
	if len(t.Routes) == 0 {
		return Target{}, refuse(cannotReadState, address+" has no routes.", "Name the routes with --route.")
	}
	for _, route := range t.Routes {
		if fault := routers.CheckRoute(route.ID); fault != nil {
			return Target{}, refuse(cannotReadState, sentence(fault.Err.Error()), "Check the routes of "+address+".")
		}
	}
	for name, e := range a.Environments {
		argument := t.router().Backends
		groups, err := t.compose(e.Backends[argument])
		if err != nil {
			return Target{}, refuse(cannotReadState, sentence(fmt.Sprintf("the environment %s: %s", name, err)), "Check the environments of "+address+".")
		}
		t.Environments[name] = Environment{Version: all.version(name, argument, e), Groups: groups}
	}
	if a.Rejected != nil && a.Rejected.Version != "" {
		t.Rejected = a.Rejected
	}
	return t.ofOneRouter(cannotReadState, "Check the routes of "+address+".")
}

func (t *Target) addRoutes(block routesBlock) {
	for _, entry := range slices.Sorted(maps.Keys(block.Routes)) {
		for _, id := range block.Routes[entry] {
			t.Routes = append(t.Routes, traffic.Route{Entry: entry, ID: id})
		}
	}
}

// compose returns the groups that the values of an environment mean behind the routes of their entry
// points. A value of an entry point without routes is left out.
func (t Target) compose(values map[string]string) (map[string]string, error) {
	groups := map[string]string{}
	for entry, value := range values {
		var behind []string
		for _, route := range t.Routes {
			if route.Entry == entry {
				behind = append(behind, route.ID)
			}
		}
		if len(behind) == 0 {
			continue
		}
		group, err := t.router().Group(behind, value)
		if err != nil {
			return nil, err
		}
		groups[entry] = group
	}
	return groups, nil
}
