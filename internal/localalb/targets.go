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

// readTargets reads the targets that a call names. A missing port is the group's.
func (c *call) readTargets(g *group) ([]targetRecord, error) {
	var out []targetRecord
	for _, p := range c.structs("Targets") {
		if err := p.need("Id"); err != nil {
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

// registerTargets adds targets. One that is registered already stays as it is.
func registerTargets(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if err := c.need("Targets"); err != nil {
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
		return nil, refuse("TooManyTargets", "You've reached the limit on the number of targets: '%d'", maxTargets)
	}
	if g.targetType == "lambda" && len(changed.targets) > 1 {
		return nil, refuse("TooManyTargets", "You can register only one Lambda function with a target group")
	}
	c.state.groups[g.arn] = &changed
	return empty{}, nil
}

func checkTarget(g *group, t targetRecord) error {
	switch g.targetType {
	case "ip":
		if ip, err := netip.ParseAddr(t.id); err != nil || ip.Is6() != (g.ipType == "ipv6") {
			return invalid("The IP address '%s' is not a valid %s address", t.id, g.ipType)
		}
	case "instance":
		if !strings.HasPrefix(t.id, "i-") {
			return invalid("Instance ID '%s' is not valid", t.id)
		}
		if t.zone != "" {
			return invalid("You cannot specify an Availability Zone for targets of type 'instance'")
		}
	case "lambda":
		if !strings.HasPrefix(t.id, "arn:") {
			return invalid("'%s' is not a valid Lambda function ARN", t.id)
		}
	}
	return nil
}

// deregisterTargets removes targets. One that is not registered is gone already.
func deregisterTargets(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if err := c.need("Targets"); err != nil {
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

// describeTargetHealth answers all targets, draining ones included, or exactly those that are named.
func describeTargetHealth(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	asked, err := c.readTargets(g)
	if err != nil {
		return nil, err
	}
	seen := c.server.plane.health(g.arn)
	if len(asked) > 0 {
		seen = pick(seen, asked)
	}
	include := c.list("Include")
	var out struct {
		TargetHealthDescriptions list[healthDescription]
	}
	for _, s := range seen {
		d := showHealth(g, s)
		if slices.Contains(include, "AnomalyDetection") || slices.Contains(include, "All") {
			d.AnomalyDetection = &anomalyShape{Result: "normal", MitigationInEffect: "no"}
		}
		out.TargetHealthDescriptions.Members = append(out.TargetHealthDescriptions.Members, d)
	}
	return out, nil
}

// pick answers one verdict for every target asked for; one that is not registered gets a verdict of its own.
func pick(seen []verdict, asked []targetRecord) []verdict {
	return mapTo(asked, func(t targetRecord) verdict {
		at := slices.IndexFunc(seen, func(v verdict) bool { return v.target.same(t) })
		if at >= 0 {
			return seen[at]
		}
		return verdict{target: t, state: stateUnused, reason: "Target.NotRegistered", description: "Target is not registered to the target group"}
	})
}

func showHealth(g *group, v verdict) healthDescription {
	d := healthDescription{
		Target:          targetShape{ID: v.target.id, Port: v.target.port, AvailabilityZone: v.target.zone},
		HealthCheckPort: g.health.port,
		TargetHealth:    targetHealthShape{State: v.state, Reason: v.reason, Description: v.description},
	}
	if g.targetType == "lambda" {
		d.HealthCheckPort = ""
		return d
	}
	if d.HealthCheckPort == "traffic-port" {
		d.HealthCheckPort = strconv.Itoa(v.target.port)
	}
	d.AdministrativeOverride = &overrideShape{
		State: "no_override", Reason: "AdministrativeOverride.NoOverride", Description: "No override is currently active on target",
	}
	return d
}
