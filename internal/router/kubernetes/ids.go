package kubernetes

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Errors of an id.
var (
	// ErrMalformed says that a text is not the id of a route or a group.
	ErrMalformed = errors.New("not a route or a backend of Kubernetes")
	// ErrNamespaces says that the routes of an entry point are in several namespaces, so that a Service without
	// a namespace is ambiguous.
	ErrNamespaces = errors.New("the routes are in several namespaces")
	// ErrKinds says that selectors and Services are mixed.
	ErrKinds = errors.New("a selector is only for routes of kind service, and a Service only for the others")
)

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	ruleForm  = regexp.MustCompile(`^([0-9]+|[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)$`)
	labelForm = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?=([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`)
)

// Route is a rule of an object, or the selector of a Service. It is comparable, and String returns exactly
// what was parsed.
type Route struct {
	Kind      Kind
	Namespace string
	Name      string
	Rule      string // its name or index; empty: the only one
}

// ParseRoute parses the id of a route, such as "httproute/shop/web#v2-rule". It returns ErrMalformed.
func ParseRoute(text string) (Route, error) {
	id, rule, hasRule := strings.Cut(text, "#")
	parts := strings.Split(id, "/")
	if len(parts) != 3 || hasRule && !ruleForm.MatchString(rule) || !nameForm.MatchString(parts[1]) || !nameForm.MatchString(parts[2]) {
		return Route{}, fmt.Errorf("%q: %w", text, ErrMalformed)
	}
	r := Route{Kind(parts[0]), parts[1], parts[2], rule}
	if !slices.Contains(Kinds(), r.Kind) || hasRule && r.Kind == Service {
		return Route{}, fmt.Errorf("%q: %w", text, ErrMalformed)
	}
	return r, nil
}

// String returns the id.
func (r Route) String() string {
	text := string(r.Kind) + "/" + r.Namespace + "/" + r.Name
	if r.Rule != "" {
		text += "#" + r.Rule
	}
	return text
}

// Display names the route for people: "HTTPRoute shop/web, rule v2-rule".
func (r Route) Display() string {
	text := r.Kind.info().kind + " " + r.Namespace + "/" + r.Name
	if r.Rule != "" {
		text += ", rule " + r.Rule
	}
	return text
}

// GroupID is a port of a Service, or the selector of a Service. It is not comparable.
type GroupID struct {
	Namespace string
	Service   string
	Port      int
	Selector  map[string]string // instead of Service and Port
}

// ParseGroup parses the id of a group, such as "service/shop/web-blue:8080" or
// "selector/shop/app=web,color=blue". It returns ErrMalformed.
func ParseGroup(text string) (GroupID, error) {
	malformed := fmt.Errorf("%q: %w", text, ErrMalformed)
	parts := strings.SplitN(text, "/", 3)
	if len(parts) != 3 || !nameForm.MatchString(parts[1]) {
		return GroupID{}, malformed
	}
	g := GroupID{Namespace: parts[1]}
	switch parts[0] {
	case "service":
		name, port, _ := strings.Cut(parts[2], ":")
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port || !nameForm.MatchString(name) {
			return GroupID{}, malformed
		}
		g.Service, g.Port = name, n
	case "selector":
		g.Selector = map[string]string{}
		for label := range strings.SplitSeq(parts[2], ",") {
			if !labelForm.MatchString(label) {
				return GroupID{}, malformed
			}
			key, value, _ := strings.Cut(label, "=")
			g.Selector[key] = value
		}
	}
	if g.String() != text { // also labels that are not sorted, or are there twice
		return GroupID{}, malformed
	}
	return g, nil
}

// String returns the id.
func (g GroupID) String() string {
	switch {
	case g.Selector != nil:
		return "selector/" + g.Namespace + "/" + g.labels()
	case g.Service != "":
		return "service/" + g.Namespace + "/" + g.Service + ":" + strconv.Itoa(g.Port)
	}
	return ""
}

// labels is the selector as a list requests has it, sorted.
func (g GroupID) labels() string {
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(g.Selector)) {
		labels = append(labels, key+"="+g.Selector[key])
	}
	return strings.Join(labels, ",")
}

// Display names the group for people: "shop/web-blue:8080", "pods color=blue in shop".
func (g GroupID) Display() string {
	if g.Selector != nil {
		return "pods " + g.labels() + " in " + g.Namespace
	}
	return g.Namespace + "/" + g.Service + ":" + strconv.Itoa(g.Port)
}

// Label names a route or group for people. It returns a text that is neither as it is.
func Label(id string) string {
	if r, err := ParseRoute(id); err == nil {
		return r.Display()
	}
	if g, err := ParseGroup(id); err == nil {
		return g.Display()
	}
	return id
}

// Group returns the group that a value of services means behind routes: "web-blue:8080" in the namespace of the
// routes, or "shop/web-blue:8080". It returns the errors of ParseRoute and ParseGroup, ErrNamespaces and
// ErrKinds.
func Group(routes []string, value string) (string, error) {
	namespace, rest, has := strings.Cut(value, "/")
	if !has {
		rest = value
	}
	at, err := namespaceOf(routes, func(k Kind) bool { return k != Service })
	if err != nil && (!has || !errors.Is(err, ErrNamespaces)) {
		return "", err
	}
	if !has {
		namespace = at
	}
	g, err := ParseGroup("service/" + namespace + "/" + rest)
	if err != nil {
		return "", fmt.Errorf("%q: %w", value, ErrMalformed)
	}
	return g.String(), nil
}

// SelectorGroup returns the group that a value of selectors means behind routes, which are Services of one
// namespace. It returns the errors of Group.
func SelectorGroup(routes []string, selector map[string]string) (string, error) {
	namespace, err := namespaceOf(routes, func(k Kind) bool { return k == Service })
	if err != nil {
		return "", err
	}
	g, err := ParseGroup(GroupID{Namespace: namespace, Selector: selector}.String())
	return g.String(), err
}

// namespaceOf returns the namespace of routes, which are of kinds that fit.
func namespaceOf(routes []string, fits func(Kind) bool) (string, error) {
	namespace := ""
	var several error
	for _, id := range routes {
		r, err := ParseRoute(id)
		switch {
		case err != nil:
			return "", err
		case !fits(r.Kind):
			return "", fmt.Errorf("%s: %w", r.Display(), ErrKinds)
		case namespace != "" && namespace != r.Namespace:
			several = fmt.Errorf("%w: %s and %s", ErrNamespaces, namespace, r.Namespace)
		}
		namespace = r.Namespace
	}
	return namespace, several
}
