package route53

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Errors in ids.
var (
	// ErrMalformed says that a text is not the id of a route or group.
	ErrMalformed = errors.New("not an id of a Route 53 record")
	// ErrNotNormal says that an id has another form than the normal one; see IDError.
	ErrNotNormal = errors.New("not in normal form")
	// ErrType says that a record has a type that cannot be shifted.
	ErrType = errors.New("not of type A, AAAA or CNAME")
)

// IDError is a text that is not the id of a route or group.
type IDError struct {
	ID     string
	Normal string // the normal form, with ErrNotNormal
	Err    error
}

// Error implements error.
func (e *IDError) Error() string {
	if e.Normal != "" {
		return fmt.Sprintf("%q: %s, use %q", e.ID, e.Err, e.Normal)
	}
	return fmt.Sprintf("%q: %s", e.ID, e.Err)
}

// Unwrap returns the sentinel.
func (e *IDError) Unwrap() error { return e.Err }

// Types returns the record types of routes.
func Types() []string { return []string{"A", "AAAA", "CNAME"} }

// Route is the record sets of a name and type.
type Route struct{ Zone, Name, Type string }

// String returns the id, such as "Z0123456789ABC/app.example.com/A".
func (r Route) String() string { return r.Zone + "/" + r.Name + "/" + r.Type }

// Display names the route for people: "app.example.com A".
func (r Route) Display() string { return r.Name + " " + r.Type }

func (r Route) place() place { return place{r.Zone, r.Name} }

// GroupID identifies the record sets of a set identifier under a name.
type GroupID struct{ Zone, Name, Identifier string }

// String returns the id, such as "Z0123456789ABC/app.example.com#blue".
func (g GroupID) String() string { return g.Zone + "/" + g.Name + "#" + g.Identifier }

func (g GroupID) place() place { return place{g.Zone, g.Name} }

// place is a name in a zone, whose record sets one call lists.
type place struct{ zone, name string }

func (p place) String() string { return p.zone + "/" + p.name }

func (p place) route(kind string) Route { return Route{p.zone, p.name, kind} }

func (p place) group(identifier string) string { return GroupID{p.zone, p.name, identifier}.String() }

var (
	zonePattern = regexp.MustCompile(`^[A-Z0-9]{1,32}$`)
	namePattern = regexp.MustCompile(`^(?:(?:[a-z0-9_*-]|\\[0-7]{3}){1,63}\.)*(?:[a-z0-9_*-]|\\[0-7]{3}){1,63}$`)
)

// maxIdentifier is the longest set identifier, in characters.
const maxIdentifier = 128

// ParseRoute returns the route of an id. It returns an IDError with ErrMalformed, ErrType or
// ErrNotNormal.
func ParseRoute(id string) (Route, error) {
	zone, rest, _ := strings.Cut(withoutPrefix(id), "/")
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return Route{}, &IDError{ID: id, Err: ErrMalformed}
	}
	r := Route{Zone: zone, Name: normalName(rest[:slash]), Type: strings.ToUpper(rest[slash+1:])}
	switch {
	case !isPlace(r.place()):
		return Route{}, &IDError{ID: id, Err: ErrMalformed}
	case !slices.Contains(Types(), r.Type):
		return Route{}, &IDError{ID: id, Err: ErrType}
	case r.String() != id:
		return Route{}, &IDError{ID: id, Normal: r.String(), Err: ErrNotNormal}
	}
	return r, nil
}

// ParseGroup returns the group of an id. It returns an IDError with ErrMalformed or ErrNotNormal.
func ParseGroup(id string) (GroupID, error) {
	zone, rest, _ := strings.Cut(withoutPrefix(id), "/")
	name, identifier, _ := strings.Cut(rest, "#")
	g := GroupID{Zone: zone, Name: normalName(name), Identifier: identifier}
	switch {
	case !isPlace(g.place()) || !isIdentifier(identifier):
		return GroupID{}, &IDError{ID: id, Err: ErrMalformed}
	case g.String() != id:
		return GroupID{}, &IDError{ID: id, Normal: g.String(), Err: ErrNotNormal}
	}
	return g, nil
}

// Owns reports whether an id is one of a route or group, or would be in normal form.
func Owns(id string) bool {
	_, route := ParseRoute(id)
	_, group := ParseGroup(id)
	return !errors.Is(route, ErrMalformed) || !errors.Is(group, ErrMalformed)
}

// Errors in the routes of an entry point.
var (
	// ErrNoRoutes says that an entry point has no routes.
	ErrNoRoutes = errors.New("no routes")
	// ErrSeveralNames says that the routes of an entry point have several names or zones.
	ErrSeveralNames = errors.New("the routes of an entry point must have the same zone and name")
	// ErrIdentifier says that a text is not a set identifier.
	ErrIdentifier = errors.New("a set identifier has 1 to 128 characters")
)

// Group returns the group of a set identifier behind the routes of an entry point. It returns the
// errors of ParseRoute, ErrNoRoutes, ErrSeveralNames and ErrIdentifier.
func Group(routes []string, identifier string) (string, error) {
	if len(routes) == 0 {
		return "", ErrNoRoutes
	}
	var at place
	for i, id := range routes {
		r, err := ParseRoute(id)
		if err != nil {
			return "", err
		}
		if i > 0 && r.place() != at {
			return "", fmt.Errorf("%w: %s and %s", ErrSeveralNames, at, r.place())
		}
		at = r.place()
	}
	if !isIdentifier(identifier) {
		return "", fmt.Errorf("%w: %q", ErrIdentifier, identifier)
	}
	return at.group(identifier), nil
}

// Identifier returns the set identifier of a group, or the text itself where it is not one.
func Identifier(group string) string {
	g, err := ParseGroup(group)
	if err != nil {
		return group
	}
	return g.Identifier
}

// Label names a route ("app.example.com A") or group ("blue") for people. It returns any other text
// as it is.
func Label(id string) string {
	if r, err := ParseRoute(id); err == nil {
		return r.Display()
	}
	return Identifier(id)
}

// withoutPrefix accepts a zone as the API returns it.
func withoutPrefix(id string) string {
	return strings.TrimPrefix(strings.TrimPrefix(id, "/"), "hostedzone/")
}

// normalName returns a name in lower case, without the trailing dot and with "*" for its escape,
// in which the API returns it.
func normalName(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.ToLower(name), "."), `\052`, "*")
}

func isPlace(p place) bool {
	return zonePattern.MatchString(p.zone) && len(p.name) <= 255 && namePattern.MatchString(p.name)
}

func isIdentifier(text string) bool {
	n := len([]rune(text))
	return n > 0 && n <= maxIdentifier
}
