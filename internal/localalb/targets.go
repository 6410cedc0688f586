package localalb

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
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
func (c *call) readTargets(g *group) ([]targetRecord, error) {
	var out []targetRecord
	for _, p := range c.structs("Targets") {
		if err := p.require("Id"); err != nil {
			return nil, err
		}
		port, err := p.number("Port", 1, 65535)
		if err != nil {
			return nil, err
		}
		t := targetRecord{id: p.text("Id"), port: g.port, zone: p.text("AvailabilityZone")}
		if port != nil {
			t.port = *port
		}
		if g.targetType == "lambda" {
			t.port = 0
		}
		out = append(out, t)
	}
	return out, nil
}

func (t targetRecord) same(o targetRecord) bool { return t.id == o.id && t.port == o.port }

// registerTargets adds targets. A target that is already registered keeps its health.
func registerTargets(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if err := c.require("Targets"); err != nil {
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
		if at := slices.IndexFunc(changed.targets, t.same); at >= 0 {
			changed.targets[at] = t
			continue
		}
		changed.targets = append(changed.targets, t)
	}
	if len(changed.targets) > maxTargets {
		return nil, badRequest("TooManyTargets", "You've reached the limit on the number of targets: '%d'", maxTargets)
	}
	if g.targetType == "lambda" && len(changed.targets) > 1 {
		return nil, badRequest("TooManyTargets", "You can register only one Lambda function with a target group")
	}
	c.state.groups[g.arn] = &changed
	return empty{}, nil
}

func checkTarget(g *group, t targetRecord) error {
	switch g.targetType {
	case "ip":
		if ip, err := netip.ParseAddr(t.id); err != nil || ip.Is6() != (g.ipType == "ipv6") {
			return validationError("The IP address '%s' is not a valid %s address", t.id, g.ipType)
		}
	case "instance":
		if !strings.HasPrefix(t.id, "i-") {
			return validationError("Instance ID '%s' is not valid", t.id)
		}
		if t.zone != "" {
			return validationError("You cannot specify an Availability Zone for targets of type 'instance'")
		}
	case "lambda":
		if !strings.HasPrefix(t.id, "arn:") {
			return validationError("'%s' is not a valid Lambda function ARN", t.id)
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
	if err := c.require("Targets"); err != nil {
		return nil, err
	}
	sent, err := c.readTargets(g)
	if err != nil {
		return nil, err
	}
	changed := *g
	changed.targets = slices.DeleteFunc(slices.Clone(g.targets), func(t targetRecord) bool { return slices.ContainsFunc(sent, t.same) })
	c.state.groups[g.arn] = &changed
	return empty{}, nil
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
	health := c.server.plane.health(g.arn)
	if len(requested) > 0 {
		health = selectTargets(health, requested)
	}
	include := c.list("Include")
	var out struct {
		TargetHealthDescriptions list[healthDescription]
	}
	for _, h := range health {
		d := showHealth(g, h)
		if slices.Contains(include, "AnomalyDetection") || slices.Contains(include, "All") {
			d.AnomalyDetection = &anomalyShape{Result: "normal", MitigationInEffect: "no"}
		}
		out.TargetHealthDescriptions.Members = append(out.TargetHealthDescriptions.Members, d)
	}
	return out, nil
}

// selectTargets returns the health of every requested target. A target that is not registered is reported as such.
func selectTargets(health []targetHealth, requested []targetRecord) []targetHealth {
	return mapTo(requested, func(t targetRecord) targetHealth {
		at := slices.IndexFunc(health, func(v targetHealth) bool { return v.target.same(t) })
		if at >= 0 {
			return health[at]
		}
		return targetHealth{target: t, state: stateUnused, reason: "Target.NotRegistered", description: "Target is not registered to the target group"}
	})
}

func showHealth(g *group, h targetHealth) healthDescription {
	d := healthDescription{
		Target:          targetShape{ID: h.target.id, Port: h.target.port, AvailabilityZone: h.target.zone},
		HealthCheckPort: g.health.port,
		TargetHealth:    targetHealthShape{State: h.state, Reason: h.reason, Description: h.description},
	}
	if g.targetType == "lambda" {
		d.HealthCheckPort = ""
		return d
	}
	if d.HealthCheckPort == "traffic-port" {
		d.HealthCheckPort = strconv.Itoa(h.target.port)
	}
	d.AdministrativeOverride = &overrideShape{
		State: "no_override", Reason: "AdministrativeOverride.NoOverride", Description: "No override is currently active on target",
	}
	return d
}
