package elbv2

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

const (
	// CanonicalZone is the ID of the hosted zone of all load balancers, to which alias records refer.
	CanonicalZone = "Z0LOCALAWS0000"
	// BalancerDomain is the domain of the names of all load balancers.
	BalancerDomain = "elb.localhost"
)

// ownAddresses is the number of addresses with the same third byte that load balancers get.
const ownAddresses = 250

// newAddress returns the address of a new load balancer.
func (c *call) newAddress() netip.Addr {
	if !c.service.opts.OwnAddresses {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	n := c.state.addresses
	c.state.addresses++
	return netip.AddrFrom4([4]byte{127, 0, byte(n / ownAddresses), byte(n%ownAddresses + 2)})
}

// dnsName returns the DNS name of a load balancer.
func (b *balancer) dnsName() string {
	return b.name + "-" + b.id + "." + b.region + "." + BalancerDomain
}

// Resolve returns the address of the load balancer with a DNS name, and whether it is healthy for alias records that
// evaluate the health of their target. It reports false for a name that is not that of a load balancer.
func (s *Service) Resolve(name string) (address netip.Addr, healthy, ok bool) {
	now := s.current.Load()
	for _, b := range now.balancers {
		if strings.EqualFold(strings.TrimSuffix(name, "."), b.dnsName()) {
			return b.address, s.healthy(now, b), true
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
