package lambda

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Kind is what an ARN of Lambda names, for people.
type Kind string

// The kinds.
const (
	Alias       Kind = "alias"
	Version     Kind = "version"
	Latest      Kind = "unpublished version $LATEST"
	Unqualified Kind = "function without a qualifier"
)

// Errors of an ARN.
var (
	// ErrMalformed says that a text is not the ARN of a Lambda function, a version or an alias.
	ErrMalformed = errors.New("not the ARN of a Lambda function, a version or an alias")
	// ErrWrongKind says that an ARN names another kind of resource than expected.
	ErrWrongKind = errors.New("wrong kind of ARN")
	// ErrOtherFunction says that routes and groups do not belong to the same function.
	ErrOtherFunction = errors.New("another function")
	// ErrVersion says that a text is not the number of a published version.
	ErrVersion = errors.New("not the number of a published version")
)

// ARN is the ARN of a function, a version or an alias. It is comparable, and String returns exactly what
// was parsed.
type ARN struct {
	Partition string // such as "aws" or "aws-cn"
	Region    string
	Account   string
	Function  string // its name
	Qualifier string // the name of the alias or the number of the version; empty: none
}

var (
	arnForm    = regexp.MustCompile(`^arn:(aws[a-z-]*):lambda:([a-z0-9-]+):([0-9]{12}):function:([a-zA-Z0-9_-]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$`)
	numberForm = regexp.MustCompile(`^[1-9][0-9]*$`)
	digits     = regexp.MustCompile(`^[0-9]+$`)
)

// Parse parses an ARN. It returns ErrMalformed unless the text is the ARN of a function, a version or an
// alias.
func Parse(text string) (ARN, error) {
	m := arnForm.FindStringSubmatch(text)
	if m == nil || digits.MatchString(m[5]) && !numberForm.MatchString(m[5]) {
		return ARN{}, fmt.Errorf("%q: %w", text, ErrMalformed)
	}
	return ARN{Partition: m[1], Region: m[2], Account: m[3], Function: m[4], Qualifier: m[5]}, nil
}

// ParseRoute parses the ARN of an alias. Besides ErrMalformed it returns ErrWrongKind, together with the
// ARN.
func ParseRoute(text string) (ARN, error) { return parseKind(text, Alias) }

// ParseGroup parses the ARN of a published version. Besides ErrMalformed it returns ErrWrongKind, together
// with the ARN.
func ParseGroup(text string) (ARN, error) { return parseKind(text, Version) }

func parseKind(text string, want Kind) (ARN, error) {
	a, err := Parse(text)
	if err == nil && a.Kind() != want {
		return a, fmt.Errorf("%s: %w: %s instead of %s", text, ErrWrongKind, a.Kind(), want)
	}
	return a, err
}

// Kind returns what the ARN names.
func (a ARN) Kind() Kind {
	switch {
	case a.Qualifier == "":
		return Unqualified
	case strings.HasPrefix(a.Qualifier, "$"):
		return Latest
	case numberForm.MatchString(a.Qualifier):
		return Version
	}
	return Alias
}

// String returns the ARN.
func (a ARN) String() string {
	text := "arn:" + a.Partition + ":lambda:" + a.Region + ":" + a.Account + ":function:" + a.Function
	if a.Qualifier != "" {
		text += ":" + a.Qualifier
	}
	return text
}

// Of returns the ARN of the function.
func (a ARN) Of() ARN { return a.with("") }

func (a ARN) with(qualifier string) ARN {
	a.Qualifier = qualifier
	return a
}

// Display returns a name for people without account and region: "alias live of shop", "shop:12".
func (a ARN) Display() string {
	switch a.Kind() {
	case Alias:
		return "alias " + a.Qualifier + " of " + a.Function
	case Unqualified:
		return "function " + a.Function
	default:
		return a.Function + ":" + a.Qualifier
	}
}

// Label is Display for a text that may not be an ARN, which it returns as it is.
func Label(id string) string {
	a, err := Parse(id)
	if err != nil {
		return id
	}
	return a.Display()
}

// Group returns the ARN of a version for routes. All routes must be aliases of one function. It returns the
// errors of ParseRoute, ErrOtherFunction and ErrVersion.
func Group(routes []string, version string) (string, error) {
	if !numberForm.MatchString(version) {
		return "", fmt.Errorf("%q: %w", version, ErrVersion)
	}
	if len(routes) == 0 {
		return "", fmt.Errorf("version %s: %w: there is no route", version, ErrOtherFunction)
	}
	first, err := ParseRoute(routes[0])
	for _, route := range routes {
		var a ARN
		if a, err = ParseRoute(route); err != nil {
			return "", err
		}
		if a.Of() != first.Of() {
			return "", fmt.Errorf("%s: %w than that of %s", route, ErrOtherFunction, routes[0])
		}
	}
	return first.with(version).String(), err
}

// VersionOf returns the number of the version that a group is; empty where it is none.
func VersionOf(group string) string {
	a, err := ParseGroup(group)
	if err != nil {
		return ""
	}
	return a.Qualifier
}
