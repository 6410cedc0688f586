package elbv2

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// CanonicalZone is the ID of the hosted zone of all load balancers, to which alias records refer.
const CanonicalZone = "Z0LOCALAWS0000"

// dnsName returns the DNS name of a load balancer.
func (b *balancer) dnsName() string { return b.name + "-" + b.id + "." + b.region + ".elb.localhost" }

// Resolve returns the address of the load balancer with a DNS name, and whether it is healthy for alias records that
// evaluate the health of their target. It reports false for a name that is not that of a load balancer.
func (s *Service) Resolve(name string) (address netip.Addr, healthy, ok bool) {
	now := s.current.Load()
	for _, b := range now.balancers {
		if strings.EqualFold(strings.TrimSuffix(name, "."), b.dnsName()) {
			return netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.healthy(now, b), true
		}
	}
	return netip.Addr{}, false, false
}

// healthy reports whether every target group in an action of the load balancer, at any weight, has a healthy target: a
// group without targets is not healthy. The documentation does not say what a load balancer without groups is; here, it
// is healthy, so that one with fixed responses only is resolved.
func (s *Service) healthy(now *state, b *balancer) bool {
	for arn, of := range now.balancersByGroup() {
		if of.arn != b.arn {
			continue
		}
		if !slices.ContainsFunc(s.plane.Health(arn), func(h dataplane.TargetHealth) bool { return h.State == "healthy" || h.State == "unavailable" }) {
			return false
		}
	}
	return true
}
