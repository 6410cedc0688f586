package elbv2

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// state is everything that the control plane holds. A record in a state is immutable: a write works on a clone
// of the state and puts new records in it. A state that was read earlier therefore never changes, a failed write
// has no effect, and a lost write is a clone that is discarded.
type state struct {
	balancers map[string]*balancer
	groups    map[string]*group
	listeners map[string]*listener
	rules     map[string]*rule
	tags      map[string]tagHistory
	zones     map[string]string // subnet id -> zone letter
	lastSeq   int               // number of records created; lists are sorted by it
	addresses int               // number of addresses that were given to load balancers
}

type balancer struct {
	arn, name, kind, scheme, region string
	id                              string
	address                         netip.Addr
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
	health                    dataplane.HealthCheck
	targets                   []dataplane.Target
	attributes                map[string]string
	seq                       int
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
	created               []string // groups of the actions that it was created with
	seq                   int
}

func (r *rule) isDefault() bool { return r.priority == 0 }

func newState() *state {
	return &state{
		balancers: map[string]*balancer{},
		groups:    map[string]*group{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		tags:      map[string]tagHistory{},
		zones:     map[string]string{},
	}
}

// clone returns a copy whose maps can be changed without changing s.
func (s *state) clone() *state {
	return &state{
		balancers: maps.Clone(s.balancers),
		groups:    maps.Clone(s.groups),
		listeners: maps.Clone(s.listeners),
		rules:     maps.Clone(s.rules),
		tags:      maps.Clone(s.tags),
		zones:     maps.Clone(s.zones),
		lastSeq:   s.lastSeq,
		addresses: s.addresses,
	}
}

// nextSeq returns the sequence number of a new record.
func (s *state) nextSeq() int {
	s.lastSeq++
	return s.lastSeq
}

// zoneOf returns the Availability Zone of a subnet. Subnets are assigned the zones a to f in the order of their
// first use.
func (s *state) zoneOf(region, subnet string) string {
	letter, ok := s.zones[subnet]
	if !ok {
		letter = string(rune('a' + len(s.zones)%6))
		s.zones[subnet] = letter
	}
	return region + letter
}

// balancerOf returns the load balancer of a rule.
func (s *state) balancerOf(r *rule) *balancer {
	if l := s.listeners[r.listener]; l != nil {
		return s.balancers[l.balancer]
	}
	return nil
}

// balancersByGroup maps every target group in an action, at any weight, to its load balancer.
func (s *state) balancersByGroup() map[string]*balancer {
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

// shownBalancers is balancersByGroup as DescribeTargetGroups returns it.
func (s *state) shownBalancers(stale bool) map[string]*balancer {
	if !stale {
		return s.balancersByGroup()
	}
	out := map[string]*balancer{}
	for _, r := range s.rules {
		for _, arn := range r.created {
			if b := s.balancerOf(r); b != nil {
				out[arn] = b
			}
		}
	}
	return out
}

// listenersOf returns the listeners of a load balancer, oldest first.
func (s *state) listenersOf(balancerARN string) []*listener {
	return sorted(s.listeners, func(l *listener) bool { return l.balancer == balancerARN }, func(l *listener) int { return l.seq })
}

// rulesOf returns the rules of a listener in the order of evaluation, the default rule last.
func (s *state) rulesOf(listenerARN string) []*rule {
	return sorted(s.rules, func(r *rule) bool { return r.listener == listenerARN }, func(r *rule) int {
		if r.isDefault() {
			return 1 << 30
		}
		return r.priority
	})
}

// sorted returns the values of a map that keep accepts, in ascending order.
func sorted[T any](from map[string]T, match func(T) bool, order func(T) int) []T {
	var out []T
	for _, v := range from {
		if match(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(order(a), order(b)) })
	return out
}

// newID returns sixteen hexadecimal digits, the form of the IDs in ELB ARNs.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	return hex.EncodeToString(b[:])
}

func arnOf(region, account, resource string) string {
	return "arn:aws:elasticloadbalancing:" + region + ":" + account + ":" + resource
}

// resourceOf returns the part of an ARN after the account.
func resourceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[5]
}
