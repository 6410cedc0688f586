package kubernetes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// place is the part of an object that a route is. It belongs to that object, which set changes.
type place struct {
	route  Route
	object map[string]any
	index  int // of the rule
}

// part returns an object in an object; nil: it is missing.
func part(object map[string]any, field string) map[string]any {
	inner, _ := object[field].(map[string]any)
	return inner
}

func list(object map[string]any, field string) []any {
	all, _ := object[field].([]any)
	return all
}

// objects returns the elements of a list, which are objects.
func objects(object map[string]any, field string) []map[string]any {
	var all []map[string]any
	for _, x := range list(object, field) {
		one, _ := x.(map[string]any)
		all = append(all, one)
	}
	return all
}

func text(object map[string]any, field string) string {
	value, _ := object[field].(string)
	return value
}

// number returns an integer of an object, also one that is written as a fraction.
func number(object map[string]any, field string) (int, bool) {
	switch n := object[field].(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), n == float64(int(n))
	}
	return 0, false
}

// placeIn finds a route in its object. It returns a RuleError.
func placeIn(route Route, object map[string]any) (place, error) {
	p := place{route: route, object: object}
	if route.Kind == Service {
		return p, nil
	}
	rules := p.rules()
	var names []string
	var same []int
	for i, rule := range rules {
		one, _ := rule.(map[string]any)
		name := text(one, "name")
		if name == "" {
			name = strconv.Itoa(i)
		}
		if names = append(names, name); name == route.Rule {
			same = append(same, i)
		}
	}
	switch {
	case route.Rule == "" && len(rules) == 1:
		return p, p.checkPorts()
	case route.Rule == "" && len(rules) > 1:
		return p, &RuleError{Route: route.String(), Rules: names, Err: ErrAmbiguous}
	case len(same) > 1:
		return p, &RuleError{Route: route.String(), Rules: names, Same: same, Err: ErrSameName}
	case len(same) == 1:
		p.index = same[0]
		return p, p.checkPorts()
	}
	i, err := strconv.Atoi(route.Rule)
	if err != nil || i >= len(rules) {
		return p, &RuleError{Route: route.String(), Rules: names, Err: ErrNoRule}
	}
	p.index = i
	return p, p.checkPorts()
}

// checkPorts checks that the destinations of a VirtualService have ports, without which they are no groups.
func (p place) checkPorts() error {
	if p.route.Kind != VirtualService {
		return nil
	}
	for _, x := range p.refs() {
		ref, _ := x.(map[string]any)
		destination := part(ref, "destination")
		if _, has := number(part(destination, "port"), "number"); !has {
			return fmt.Errorf("%s: %w: %s", p.route.Display(), ErrNoDestinationPort, text(destination, "host"))
		}
	}
	return nil
}

func (p place) rules() []any { return list(part(p.object, "spec"), p.route.Kind.info().rules) }

func (p place) rule() map[string]any {
	rules := p.rules()
	if p.index >= len(rules) {
		return nil
	}
	rule, _ := rules[p.index].(map[string]any)
	return rule
}

// refs returns the backends of the rule.
func (p place) refs() []any { return list(p.rule(), p.route.Kind.info().refs) }

func (p place) selector() map[string]any { return part(part(p.object, "spec"), "selector") }

// set changes the backends, or the selector.
func (p place) set(next raw) {
	if p.route.Kind == Service {
		if spec := part(p.object, "spec"); spec != nil {
			spec["selector"] = runtime.DeepCopyJSON(next.Field)
		}
		return
	}
	if rule := p.rule(); rule != nil {
		rule[p.route.Kind.info().refs] = copyRefs(next.Refs)
	}
}

func copyRefs(refs []any) []any {
	copied, _ := runtime.DeepCopyJSONValue(refs).([]any)
	return copied
}

// raw returns a copy of what the place has.
func (p place) raw() *raw {
	k := &raw{Route: p.route.String(), Index: p.index, Refs: copyRefs(p.refs())}
	if match, has := p.rule()[p.route.Kind.info().match]; has {
		k.Match = runtime.DeepCopyJSONValue(match)
	}
	if p.route.Kind == Service {
		k.Refs, k.Field = nil, runtime.DeepCopyJSON(p.selector())
	}
	return k
}

// state returns what the place does with requests.
func (p place) state() traffic.State {
	k := p.raw()
	s := traffic.State{Weights: k.weights(p.route), Label: p.route.Display(), Raw: k}
	if len(s.Weights) > 0 {
		return s
	}
	s.Weights = nil
	switch {
	case p.route.Kind == Service:
		s.Response = "no selector"
	case p.redirects():
		s.Response = "redirect"
	default:
		s.Response, s.FixedError = "no backend with a weight", true
	}
	return s
}

// redirects reports whether the rule answers requests itself.
func (p place) redirects() bool {
	rule := p.rule()
	if part(rule, "redirect") != nil || part(rule, "directResponse") != nil { // of a VirtualService
		return true
	}
	return slices.ContainsFunc(list(rule, "filters"), func(x any) bool {
		filter, _ := x.(map[string]any)
		return text(filter, "type") == "RequestRedirect"
	})
}

// weightOf is the weight of one of some backends.
func weightOf(route Route, ref map[string]any, of int) int {
	n, has := number(ref, "weight")
	switch {
	case route.Kind == VirtualService && of == 1:
		return max(n, allTraffic) // the only destination gets all requests, whatever its weight
	case !has && route.Kind == VirtualService:
		return 0
	case !has:
		return 1 // the default of Gateway API
	}
	return n
}

// groupOf returns the group that a backend is. What is no port of a Service has an id that is no group's.
func groupOf(route Route, ref map[string]any) string {
	if route.Kind == VirtualService {
		return destinationGroup(route, part(ref, "destination"))
	}
	namespace, kind := text(ref, "namespace"), text(ref, "kind")
	if namespace == "" {
		namespace = route.Namespace
	}
	port, _ := number(ref, "port")
	if (kind == "" || kind == "Service") && text(ref, "group") == "" {
		return GroupID{Namespace: namespace, Service: text(ref, "name"), Port: port}.String()
	}
	return fmt.Sprintf("%s.%s/%s/%s", kind, text(ref, "group"), namespace, text(ref, "name"))
}

// destinationGroup returns the group of a destination of Istio. A subset is a part of a Service, which no
// environment has. A host with a dot is a name in DNS: that of a Service has its namespace and "svc".
func destinationGroup(route Route, destination map[string]any) string {
	port, _ := number(part(destination, "port"), "number")
	name, namespace := text(destination, "host"), route.Namespace
	if parts := strings.Split(name, "."); len(parts) > 2 && parts[2] == "svc" { // name.namespace.svc.cluster.local
		name, namespace = parts[0], parts[1]
	} else if len(parts) > 1 {
		return fmt.Sprintf("host/%s:%d", name, port)
	}
	id := GroupID{Namespace: namespace, Service: name, Port: port}.String()
	if subset := text(destination, "subset"); subset != "" {
		return "subset/" + id + "/" + subset
	}
	return id
}

func selectorGroup(route Route, selector map[string]any) string {
	g := GroupID{Namespace: route.Namespace, Selector: map[string]string{}}
	for key, value := range selector {
		g.Selector[key], _ = value.(string)
	}
	return g.String()
}

// sharesIn returns the groups with a share of a state that is to be written to a route which had some backends. What
// it had is within its limits. It returns ErrInvalid, ErrKinds and the errors of ParseGroup.
func sharesIn(route Route, want traffic.State, had *raw) (map[string]int, error) {
	if want.Stickiness != 0 {
		return nil, fmt.Errorf("%w: a route has no stickiness of groups", ErrInvalid)
	}
	before := had.weights(route)
	if (traffic.State{Weights: before}).EqualTraffic(traffic.State{Weights: want.Weights}) && len(before) > 0 {
		return before, nil
	}
	weights, limits := map[string]int{}, Limits()
	if route.Kind == Service {
		limits = SelectorLimits()
	}
	for _, group := range want.Groups() {
		g, err := ParseGroup(group)
		if err != nil && !had.has(route, group) && (!isOpaque(group) || want.Weights[group] > 0) {
			return nil, err
		}
		n := want.Weights[group]
		switch {
		case n < 0 || n > limits.Weight && route.Kind != Service || n > int(shift.Full) && route.Kind == Service:
			return nil, fmt.Errorf("%w: weight %d of %s, 0 to %d are allowed", ErrInvalid, n, Label(group), limits.Weight)
		case err == nil && n > 0 && (g.Selector != nil) != (route.Kind == Service):
			return nil, fmt.Errorf("%s: %w", Label(group), ErrKinds)
		case n > 0 && route.Kind == Service && g.Namespace != route.Namespace:
			return nil, fmt.Errorf("%w: %s is in another namespace than %s", ErrInvalid, Label(group), route.Display())
		case n > 0:
			weights[group] = n
		}
	}
	if len(weights) == 0 || len(weights) > limits.Groups {
		return nil, fmt.Errorf("%w: %d backends with a share, 1 to %d are allowed", ErrInvalid, len(weights), limits.Groups)
	}
	return weights, nil
}

// isOpaque reports whether an id is that of a backend which is no port of a Service.
func isOpaque(id string) bool {
	_, err := ParseGroup(id)
	return err != nil && strings.Contains(id, "/")
}

// next returns what a place is to have. It returns ErrInvalid where there is no room for another backend.
func (p place) next(want map[string]int, known *raw) (raw, error) {
	k := raw{Route: p.route.String(), Index: p.index}
	if p.route.Kind == Service {
		for group := range want {
			g, err := ParseGroup(group)
			if err != nil {
				return k, err
			}
			k.Field = map[string]any{}
			for key, value := range g.Selector {
				k.Field[key] = value
			}
		}
		return k, nil
	}
	now, done := p.raw(), map[string]int{}
	for _, x := range copyRefs(p.refs()) {
		ref, _ := x.(map[string]any)
		group := groupOf(p.route, ref)
		ref["weight"] = int64(now.divided(known, p.route, group, want[group])[done[group]])
		done[group]++
		k.Refs = append(k.Refs, ref)
	}
	for _, group := range sorted(want) {
		if done[group] == 0 {
			k.Refs = append(k.Refs, newRef(p.route, group, known, want[group]))
		}
	}
	if p.route.Kind == VirtualService {
		return k, nil
	}
	return k, p.checkCount(len(k.Refs))
}

// newRef returns a backend for a group: the one that was read before, with its filters, or a new one.
func newRef(route Route, group string, known *raw, weight int) map[string]any {
	for _, x := range known.Refs {
		if ref, _ := x.(map[string]any); groupOf(route, ref) == group {
			again := runtime.DeepCopyJSON(ref)
			again["weight"] = int64(weight)
			return again
		}
	}
	g, _ := ParseGroup(group) // it was checked
	if route.Kind == VirtualService {
		host := g.Service
		if g.Namespace != route.Namespace {
			host += "." + g.Namespace + ".svc.cluster.local"
		}
		return map[string]any{"destination": map[string]any{"host": host, "port": map[string]any{"number": int64(g.Port)}}, "weight": int64(weight)}
	}
	ref := map[string]any{"name": g.Service, "port": int64(g.Port), "weight": int64(weight)}
	if g.Namespace != route.Namespace {
		ref["namespace"] = g.Namespace
	}
	return ref
}
