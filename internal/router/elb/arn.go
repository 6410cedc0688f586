package elb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Kind is the type of resource that an ARN names, for people.
type Kind string

// The kinds.
const (
	Listener     Kind = "listener"
	Rule         Kind = "listener rule"
	TargetGroup  Kind = "target group"
	LoadBalancer Kind = "load balancer"
)

// BalancerType is the type of a load balancer, for people. It is empty for a target group, whose
// ARN does not contain it.
type BalancerType string

// The types.
const (
	Application BalancerType = "Application Load Balancer"
	Network     BalancerType = "Network Load Balancer"
	Gateway     BalancerType = "Gateway Load Balancer"
	Classic     BalancerType = "Classic Load Balancer"
)

// Errors of an ARN.
var (
	// ErrMalformed says that a text is not the ARN of an ELB resource.
	ErrMalformed = errors.New("not the ARN of a listener, a listener rule, a target group or a load balancer")
	// ErrWrongKind says that an ARN names another kind of resource than expected.
	ErrWrongKind = errors.New("wrong kind of ARN")
	// ErrNotRoutable says that an ARN is neither a listener or rule of an Application Load Balancer nor a listener of a
	// Network Load Balancer.
	ErrNotRoutable = errors.New("not a listener or listener rule of an Application Load Balancer, nor a listener of a Network Load Balancer")
)

// ARN is the ARN of a listener, a rule, a target group or a load balancer. It is comparable, and
// String returns exactly what was parsed.
type ARN struct {
	Partition string // such as "aws" or "aws-cn"
	Region    string
	Account   string
	Kind      Kind
	Type      BalancerType
	Name      string // of the target group or the load balancer
	// Suffix is the last part of the ARN, as in CloudWatch dimensions: "app/web/50dc6c495c0c9188" of
	// a load balancer, "targetgroup/blue/73e2d6bc24d8a067" of a target group,
	// "app/web/50dc6c495c0c9188/f2f7dc8efc522ab2" of a listener, and one more ID for a rule.
	Suffix string
}

var (
	arnForm = regexp.MustCompile(`^arn:(aws[a-z-]*):elasticloadbalancing:([a-z0-9-]+):([0-9]{12}):([a-z-]+)/(.+)$`)
	part    = regexp.MustCompile(`^[0-9A-Za-z-]+$`)
)

// resources are the resource types of ELB ARNs, with the number of parts that follow.
var resources = []struct {
	word  string
	kind  Kind
	parts int
}{
	{"listener", Listener, 4},
	{"listener-rule", Rule, 5},
	{"targetgroup", TargetGroup, 2},
	{"loadbalancer", LoadBalancer, 3},
	{"loadbalancer", LoadBalancer, 1},
}

var balancerTypes = map[string]BalancerType{"app": Application, "net": Network, "gwy": Gateway}

// Parse parses an ARN. It returns ErrMalformed unless the text is the ARN of a listener, rule,
// target group or load balancer.
func Parse(text string) (ARN, error) {
	m := arnForm.FindStringSubmatch(text)
	if m == nil {
		return ARN{}, fmt.Errorf("%q: %w", text, ErrMalformed)
	}
	a := ARN{Partition: m[1], Region: m[2], Account: m[3], Suffix: m[5]}
	parts := strings.Split(m[5], "/")
	for _, r := range resources {
		if r.word == m[4] && r.parts == len(parts) {
			a.Kind = r.kind
		}
	}
	for _, p := range parts {
		if a.Kind == "" || !part.MatchString(p) {
			return ARN{}, fmt.Errorf("%q: %w", text, ErrMalformed)
		}
	}
	return a.named(text, parts)
}

// named sets the name and type from the parts after the resource type.
func (a ARN) named(text string, parts []string) (ARN, error) {
	switch {
	case a.Kind == TargetGroup:
		a.Name, a.Suffix = parts[0], "targetgroup/"+a.Suffix
	case len(parts) == 1:
		a.Name, a.Type = parts[0], Classic
	default:
		a.Name, a.Type = parts[1], balancerTypes[parts[0]]
		if a.Type == "" {
			return ARN{}, fmt.Errorf("%q: %w", text, ErrMalformed)
		}
	}
	return a, nil
}

// ParseRoute parses the ARN of a listener or rule of an Application Load Balancer, or of a listener
// of a Network Load Balancer. Besides the errors of Parse it returns ErrWrongKind and
// ErrNotRoutable, together with the ARN.
func ParseRoute(text string) (ARN, error) {
	a, err := Parse(text)
	if err != nil {
		return a, err
	}
	if a.Kind != Listener && a.Kind != Rule {
		return a, fmt.Errorf("%s: %w: %s instead of listener or listener rule", text, ErrWrongKind, a.Kind)
	}
	if a.Type != Application && !a.isNetworkListener() {
		return a, fmt.Errorf("%s: %w: %s of a %s", text, ErrNotRoutable, a.Kind, a.Type)
	}
	return a, nil
}

// isNetworkListener reports whether the ARN is that of a listener of a Network Load Balancer.
func (a ARN) isNetworkListener() bool { return a.Kind == Listener && a.Type == Network }

// IsNetwork reports whether a route is a listener of a Network Load Balancer, which forwards
// connections and not requests.
func IsNetwork(route string) bool {
	a, err := ParseRoute(route)
	return err == nil && a.isNetworkListener()
}

// ParseGroup parses the ARN of a target group. Besides the errors of Parse it returns
// ErrWrongKind, together with the ARN.
func ParseGroup(text string) (ARN, error) {
	a, err := Parse(text)
	if err == nil && a.Kind != TargetGroup {
		return a, fmt.Errorf("%s: %w: %s instead of target group", text, ErrWrongKind, a.Kind)
	}
	return a, err
}

// String returns the ARN.
func (a ARN) String() string {
	prefix := "arn:" + a.Partition + ":elasticloadbalancing:" + a.Region + ":" + a.Account + ":"
	for _, r := range resources {
		if r.kind == a.Kind && a.Kind != TargetGroup {
			return prefix + r.word + "/" + a.Suffix
		}
	}
	return prefix + a.Suffix
}

// Display returns a name for people without account and region:
// "listener app/web/50dc6c495c0c9188/f2f7dc8efc522ab2", "target group blue".
func (a ARN) Display() string {
	if a.Kind == TargetGroup {
		return string(a.Kind) + " " + a.Name
	}
	return string(a.Kind) + " " + a.Suffix
}

// Listener returns the listener of a rule or a listener itself, and false for everything else.
func (a ARN) Listener() (ARN, bool) {
	switch a.Kind {
	case Listener:
		return a, true
	case Rule:
		return a.cut(Listener, 4), true
	default:
		return ARN{}, false
	}
}

// LoadBalancer returns the load balancer of a listener or rule or a load balancer itself, and
// false for a target group, whose ARN does not contain it.
func (a ARN) LoadBalancer() (ARN, bool) {
	switch a.Kind {
	case LoadBalancer:
		return a, true
	case Listener, Rule:
		return a.cut(LoadBalancer, 3), true
	default:
		return ARN{}, false
	}
}

// cut shortens the suffix to the parts of the enclosing resource.
func (a ARN) cut(kind Kind, parts int) ARN {
	a.Kind = kind
	a.Suffix = strings.Join(strings.Split(a.Suffix, "/")[:parts], "/")
	return a
}

// displayARN is Display for a text that may not be an ARN.
func displayARN(text string) string {
	a, err := Parse(text)
	if err != nil {
		return fmt.Sprintf("%q", text)
	}
	return a.Display()
}
