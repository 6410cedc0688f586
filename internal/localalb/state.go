package localalb

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// state is all that the control plane knows. Records are never changed once they stand in a state: a write
// works on a copy and puts new records in it, so that a state read earlier stays what it was, a failed
// write leaves nothing behind, and a lost write is a copy that nobody takes over.
type state struct {
	balancers map[string]*balancer
	groups    map[string]*group
	listeners map[string]*listener
	rules     map[string]*rule
	tags      map[string][]tag
	zones     map[string]string // subnet id => zone letter
	created   int               // how many records were made; gives lists their order
}

type balancer struct {
	arn, name, kind, scheme, region string
	id                              string
	vpc, ipType                     string
	subnets, securityGroups         []string
	attributes                      map[string]string
	at                              time.Time
	seq                             int
}

type group struct {
	arn, name, region         string
	protocol, protocolVersion string
	port                      int
	vpc, targetType, ipType   string
	health                    healthSettings
	targets                   []targetRecord
	attributes                map[string]string
	seq                       int
}

// healthSettings is how a group's targets are checked.
type healthSettings struct {
	enabled            bool
	protocol           string
	port               string
	path               string
	interval           int // seconds
	timeout            int // seconds
	healthy, unhealthy int // consecutive checks
	matcher            string
}

// targetRecord is a registered target. port is 0 for targets that have none (Lambda functions).
type targetRecord struct {
	id   string
	port int
	zone string
}

type listener struct {
	arn, balancer, region string
	id                    string
	port                  int
	protocol              string
	sslPolicy             string
	certificates          []string
	alpn                  []string
	mutualMode            string
	defaultRule           string
	attributes            map[string]string
	seq                   int
}

type rule struct {
	arn, listener, region string
	priority              int // 0 for the default rule
	conditions            []condition
	actions               []action
	seq                   int
}

func (r *rule) isDefault() bool { return r.priority == 0 }

func newState() *state {
	return &state{
		balancers: map[string]*balancer{},
		groups:    map[string]*group{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		tags:      map[string][]tag{},
		zones:     map[string]string{},
	}
}

// clone is a state that can be written to without the first one noticing.
func (s *state) clone() *state {
	return &state{
		balancers: maps.Clone(s.balancers),
		groups:    maps.Clone(s.groups),
		listeners: maps.Clone(s.listeners),
		rules:     maps.Clone(s.rules),
		tags:      maps.Clone(s.tags),
		zones:     maps.Clone(s.zones),
		created:   s.created,
	}
}

// next numbers a new record.
func (s *state) next() int {
	s.created++
	return s.created
}

// zoneOf gives every subnet a zone, the same one each time: subnets get the zones a to f in the order in
// which they are first heard of.
func (s *state) zoneOf(region, subnet string) string {
	letter, ok := s.zones[subnet]
	if !ok {
		letter = string(rune('a' + len(s.zones)%6))
		s.zones[subnet] = letter
	}
	return region + letter
}

// balancerOf is the balancer that a rule belongs to.
func (s *state) balancerOf(r *rule) *balancer {
	if l := s.listeners[r.listener]; l != nil {
		return s.balancers[l.balancer]
	}
	return nil
}

// users maps every group that stands in an action to its balancer. Weight 0 counts as use.
func (s *state) users() map[string]*balancer {
	out := map[string]*balancer{}
	for _, r := range s.rules {
		b := s.balancerOf(r)
		if b == nil {
			continue
		}
		for _, arn := range groupsOf(r.actions) {
			out[arn] = b
		}
	}
	return out
}

// listenersOf is the listeners of a balancer, oldest first.
func (s *state) listenersOf(balancerARN string) []*listener {
	return sorted(s.listeners, func(l *listener) bool { return l.balancer == balancerARN }, func(l *listener) int { return l.seq })
}

// rulesOf is the rules of a listener in the order in which they are tried, the default rule last.
func (s *state) rulesOf(listenerARN string) []*rule {
	return sorted(s.rules, func(r *rule) bool { return r.listener == listenerARN }, func(r *rule) int {
		if r.isDefault() {
			return 1 << 30
		}
		return r.priority
	})
}

// sorted is the values of a map that a test lets through, in the order of a number.
func sorted[T any](from map[string]T, keep func(T) bool, order func(T) int) []T {
	var out []T
	for _, v := range from {
		if keep(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(order(a), order(b)) })
	return out
}

// newID is sixteen hexadecimal digits, as AWS has them in its ARNs.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

func arnOf(region, account, resource string) string {
	return "arn:aws:elasticloadbalancing:" + region + ":" + account + ":" + resource
}

// resourceOf is the part of an ARN after the account.
func resourceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[5]
}
