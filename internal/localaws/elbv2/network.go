package elbv2

import (
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	crossZone             = "load_balancing.cross_zone.enabled"
	connectionTermination = "deregistration_delay.connection_termination.enabled"
	unhealthyTermination  = "target_health_state.unhealthy.connection_termination.enabled"
	idleTimeoutTCP        = "tcp.idle_timeout.seconds"
	sourceStickiness      = "source_ip"
	cookieStickiness      = "lb_cookie"
)

// isNetwork reports whether a protocol is one of network load balancers and their target groups.
func isNetwork(protocol string) bool { return slices.Contains(networkProtocols(), protocol) }

func networkProtocols() []string { return []string{"TCP", "TLS", "UDP", "TCP_UDP"} }

// groupProtocols returns the protocols of the target groups to which a listener of a network load balancer can forward.
func groupProtocols(listener string) []string {
	switch listener {
	case "TCP":
		return []string{"TCP", "TCP_UDP"}
	case "TLS":
		return []string{"TCP", "TLS"}
	case "UDP":
		return []string{"UDP", "TCP_UDP"}
	}
	return []string{"TCP_UDP"}
}

// checkNetworkAction rejects what a listener of a network load balancer cannot do: it only forwards, and the group
// stickiness of a forward has no duration.
func (ar actionReader) checkNetworkAction(a action) error {
	if ar.balancer.kind != network {
		return nil
	}
	if a.Type != forwardType {
		return wire.BadRequest("InvalidLoadBalancerAction", "Actions of type '%s' are not supported for listeners with the %s protocol", a.Type, ar.protocol)
	}
	sticky := a.ForwardConfig.TargetGroupStickinessConfig
	if sticky.DurationSeconds != nil {
		return wire.BadRequest("InvalidLoadBalancerAction", "A target group stickiness duration is not supported for listeners with the %s protocol", ar.protocol)
	}
	if sticky.Enabled {
		return wire.BadRequest("InvalidConfigurationRequest", "Target group stickiness of network load balancers is not simulated here")
	}
	return nil
}

// networkGroupAttributes returns the attributes of the target groups of network load balancers.
func networkGroupAttributes(g *group) []attribute {
	keepsClient := strconv.FormatBool(g.targetType == "instance" || g.protocol == "UDP" || g.protocol == "TCP_UDP")
	return append(sharedGroupAttributes(),
		attribute{key: connectionTermination, value: "false", allowed: booleans()},
		attribute{key: "preserve_client_ip.enabled", value: keepsClient, allowed: booleans()},
		attribute{key: "proxy_protocol_v2.enabled", value: "false", allowed: []string{"false"}}, // true is not simulated
		attribute{key: stickyEnabled, value: "false", allowed: booleans()},
		attribute{key: stickyType, value: sourceStickiness},
		attribute{key: unhealthyTermination, value: "true", allowed: booleans()},
		attribute{key: "target_health_state.unhealthy.draining_interval_seconds", value: "0", low: 0, high: 360000},
	)
}

// checkNetworkStickiness restricts the stickiness of a target group of a network load balancer. Terraform sends the type
// even where stickiness is off.
func checkNetworkStickiness(g *group) error {
	if kind := g.attributes[stickyType]; kind != "" && kind != sourceStickiness {
		return wire.BadRequest("InvalidConfigurationRequest", "Stickiness type '%s' is not supported for target groups with the %s protocol", kind, g.protocol)
	}
	if g.attributes[stickyEnabled] == "true" {
		return wire.BadRequest("InvalidConfigurationRequest", "Source IP stickiness is not simulated here")
	}
	return nil
}

// networkListener adds the settings of a listener of a network load balancer.
func (s *state) networkListener(l *listener, b *balancer, into *dataplane.Listener) {
	for _, subnet := range b.subnets {
		into.Zones = append(into.Zones, b.region+s.zones[subnet])
	}
	into.IdleTimeout = time.Duration(attributeNumber(listenerAttributes(l.protocol), l.attributes, idleTimeoutTCP)) * time.Second
}

// networkGroup adds the settings of a group behind a network load balancer.
func networkGroup(g *group, b *balancer, into *dataplane.Group) {
	into.Zonal = !crossesZones(g, b)
	into.CutDrained = g.attributes[connectionTermination] == "true"
	into.CutUnhealthy = g.attributes[unhealthyTermination] != "false"
}

// crossesZones reports whether a group gets connections of all zones. The group's setting precedes the load balancer's.
func crossesZones(g *group, b *balancer) bool {
	if own := g.attributes[crossZone]; own == "true" || own == "false" {
		return own == "true"
	}
	return b.attributes[crossZone] == "true"
}
