package elbv2

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const maxTargets = 1000

type targetShape struct {
	ID               string `xml:"Id"`
	Port             int    `xml:",omitempty"`
	AvailabilityZone string `xml:",omitempty"`
}

type targetHealthShape struct {
	State       string
	Reason      string `xml:",omitempty"`
	Description string `xml:",omitempty"`
}

type overrideShape struct {
	State       string
	Reason      string
	Description string
}

type anomalyShape struct {
	Result             string
	MitigationInEffect string
}

type healthDescription struct {
	Target                 targetShape
	HealthCheckPort        string `xml:",omitempty"`
	TargetHealth           targetHealthShape
	AnomalyDetection       *anomalyShape  `xml:",omitempty"`
	AdministrativeOverride *overrideShape `xml:",omitempty"`
}

// readTargets parses the targets in a call. The default port is the group's.
func (c *call) readTargets(g *group) ([]dataplane.Target, error) {
	var out []dataplane.Target
	for _, p := range c.Structs("Targets") {
		if err := p.Require("Id"); err != nil {
			return nil, err
		}
		port, err := p.Number("Port", 1, 65535)
		if err != nil {
			return nil, err
		}
		t := dataplane.Target{ID: p.Text("Id"), Port: g.port, Zone: p.Text("AvailabilityZone")}
		if port != nil {
			t.Port = *port
		}
		c.setAddress(g, &t)
		out = append(out, t)
	}
	return out, nil
}

// setAddress sets where the target is reached. A Lambda function has neither address nor port.
func (c *call) setAddress(g *group, t *dataplane.Target) {
	host := t.ID
	switch g.targetType {
	case "lambda":
		t.Port = 0
		return
	case "instance":
		host = cmp.Or(c.service.opts.Instances[t.ID], "127.0.0.1")
	}
	t.Address = net.JoinHostPort(host, strconv.Itoa(t.Port))
}

// registerTargets adds targets. A target that is already registered keeps its health.
func registerTargets(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if err := c.Require("Targets"); err != nil {
		return nil, err
	}
	sent, err := c.readTargets(g)
	if err != nil {
		return nil, err
	}
	changed := *g
	changed.targets = slices.Clone(g.targets)
	for _, t := range sent {
		if err := checkTarget(g, t); err != nil {
			return nil, err
		}
		if at := slices.IndexFunc(changed.targets, t.Same); at >= 0 {
			changed.targets[at] = t
			continue
		}
		changed.targets = append(changed.targets, t)
	}
	if len(changed.targets) > maxTargets {
		return nil, wire.BadRequest("TooManyTargets", "You've reached the limit on the number of targets: '%d'", maxTargets)
	}
	if g.targetType == "lambda" && len(changed.targets) > 1 {
		return nil, wire.BadRequest("TooManyTargets", "You can register only one Lambda function with a target group")
	}
	c.state.groups[g.arn] = &changed
	return wire.Empty{}, nil
}

func checkTarget(g *group, t dataplane.Target) error {
	switch g.targetType {
	case "ip":
		if ip, err := netip.ParseAddr(t.ID); err != nil || ip.Is6() != (g.ipType == "ipv6") {
			return wire.ValidationError("The IP address '%s' is not a valid %s address", t.ID, g.ipType)
		}
	case "instance":
		if !strings.HasPrefix(t.ID, "i-") {
			return wire.ValidationError("Instance ID '%s' is not valid", t.ID)
		}
		if t.Zone != "" {
			return wire.ValidationError("You cannot specify an Availability Zone for targets of type 'instance'")
		}
	case "lambda":
		if !strings.HasPrefix(t.ID, "arn:") {
			return wire.ValidationError("'%s' is not a valid Lambda function ARN", t.ID)
		}
	}
	return nil
}

// deregisterTargets removes targets. A target that is not registered is ignored.
func deregisterTargets(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if err := c.Require("Targets"); err != nil {
		return nil, err
	}
	sent, err := c.readTargets(g)
	if err != nil {
		return nil, err
	}
	changed := *g
	changed.targets = slices.DeleteFunc(slices.Clone(g.targets), func(t dataplane.Target) bool { return slices.ContainsFunc(sent, t.Same) })
	c.state.groups[g.arn] = &changed
	return wire.Empty{}, nil
}

// describeTargetHealth returns all targets, draining ones included, or exactly the requested ones.
func describeTargetHealth(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	requested, err := c.readTargets(g)
	if err != nil {
		return nil, err
	}
	include := c.List("Include")
	var out struct {
		TargetHealthDescriptions wire.List[healthDescription]
	}
	for _, h := range c.service.plane.Health(g.arn, requested...) {
		d := showHealth(g, h)
		if slices.Contains(include, "AnomalyDetection") || slices.Contains(include, "All") {
			d.AnomalyDetection = &anomalyShape{Result: "normal", MitigationInEffect: "no"}
		}
		out.TargetHealthDescriptions.Members = append(out.TargetHealthDescriptions.Members, d)
	}
	return out, nil
}

func showHealth(g *group, h dataplane.TargetHealth) healthDescription {
	d := healthDescription{
		Target:          targetShape{ID: h.Target.ID, Port: h.Target.Port, AvailabilityZone: h.Target.Zone},
		HealthCheckPort: g.health.Port,
		TargetHealth:    targetHealthShape{State: h.State, Reason: h.Reason, Description: h.Description},
	}
	if g.targetType == "lambda" {
		d.HealthCheckPort = ""
		return d
	}
	if d.HealthCheckPort == "traffic-port" {
		d.HealthCheckPort = strconv.Itoa(h.Target.Port)
	}
	d.AdministrativeOverride = &overrideShape{
		State: "no_override", Reason: "AdministrativeOverride.NoOverride", Description: "No override is currently active on target",
	}
	return d
}
