// Package schedule words what an apply will do: the text of the plan's schedule with its
// warnings, and the forms of durations and routes that other texts share. It decides
// nothing; package shift does.
package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// plan is a schedule that is being worded.
type plan struct{ shift.Schedule }

// Text returns the schedule for a reviewer of the plan, one item per line. Equal
// schedules give equal text.
func Text(decided shift.Schedule) string {
	s := plan{decided}
	lines := s.notForwardingText()
	if lines != nil {
		return strings.Join(lines, "\n")
	}
	switch s.Kind {
	case shift.Rejected:
		lines = s.rejectedText()
	case shift.ExternalChange:
		lines = s.externalChangeText()
	case shift.NoChange:
		lines = s.noChangeText()
	case shift.Rollback:
		lines = s.rollbackText()
	case shift.Forward, shift.Revert:
		lines = s.shiftText()
	}
	lines = append(lines, s.routeLines()...)
	for _, warning := range slices.Concat(s.unmanagedText(), s.gateWarnings(), s.Request.Notes) {
		lines = append(lines, "Warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// notForwardingText names the routes whose action is neither a forward nor
// something that this switch may replace: a redirect, or a fixed response that
// replaced the traffic.
func (s plan) notForwardingText() []string {
	var lines []string
	for _, x := range s.Request.Routes {
		if x.Response != "" && (!x.FixedError || !x.Joining) {
			lines = append(lines, fmt.Sprintf("Route %s does not forward to target groups (%s). The apply fails without moving traffic until it does.", x.Name, x.Response))
		}
	}
	return lines
}

func (s plan) rejectedText() []string {
	r := s.Request.Rejected
	return []string{
		fmt.Sprintf("%s is rejected: %s.", s.label(r.Environment), r.Reason),
		fmt.Sprintf("The apply fails without moving traffic. Ship another version, %s, or change retry to allow this version again.", s.acceptText()),
	}
}

func (s plan) externalChangeText() []string {
	by := "outside Terraform"
	if !s.Certain {
		by = "outside Terraform or by an apply that did not finish"
	}
	return []string{
		fmt.Sprintf("Traffic was moved off %s %s since the last completed shift. Observed: %s.", s.weightsText(s.Desired), by, s.weightsText(s.Request.ObservedMean())),
		fmt.Sprintf("The apply fails without moving traffic. To accept the change, %s. To move the traffic again, ship another version or change retry.", s.acceptText()),
	}
}

// acceptText is the edit that accepts the observed weights.
func (s plan) acceptText() string {
	live, ok := s.Request.ObservedMean().Sole()
	switch e := s.Request.Environment(live); {
	case ok && e.Removed:
		return fmt.Sprintf("restore environment %q and set active = %q", live, live)
	case ok && !e.Unmanaged:
		return fmt.Sprintf("set active = %q", live)
	}
	return "set active or weights to what the routes have now"
}

func (s plan) noChangeText() []string {
	lines := append([]string{"No traffic is moved: " + s.weightsText(s.Desired) + "."}, s.attachmentText()...)
	if s.Request.StickinessChanges {
		lines = append(lines, "Change the group stickiness of the forward action.")
	}
	if s.IsEmpty() {
		return lines
	}
	return append(lines, fmt.Sprintf("API calls: %d (1 per route).", len(s.Request.Routes)))
}

func (s plan) rollbackText() []string {
	return append([]string{
		fmt.Sprintf("Observed: %s, which differs from the weights left by the last completed shift.", s.weightsText(s.Request.ObservedMean())),
		fmt.Sprintf("Roll back to %s immediately: %s, no steps, no gates; then settle %s.",
			s.weightsText(s.Desired), callsText(differing(s.Schedule)), FormatDuration(s.Request.Strategy.Settle)),
	}, s.attachmentText()...)
}

// differing counts the routes that do not have the desired weights.
func differing(s shift.Schedule) int {
	n := 0
	for _, x := range s.Request.Routes {
		if !x.Observed.Equal(s.Desired) {
			n++
		}
	}
	return n
}

// attachmentText lists what is attached and detached where no traffic moves by steps.
func (s plan) attachmentText() []string {
	var lines []string
	if names := s.Attach(); len(names) > 0 {
		lines = append(lines, "Attach "+s.labels(names)+" at weight 0.")
	}
	if names := s.Detach(); len(names) > 0 {
		lines = append(lines, "Detach "+s.labels(names)+".")
	}
	return lines
}

// routeLines lists the weights of each route where they differ.
func (s plan) routeLines() []string {
	routes := s.Request.Routes
	if s.Request.Unobserved || s.Request.AllRoutes(func(x shift.Route) bool { return !x.Missing && x.Observed.Equal(routes[0].Observed) }) {
		return nil
	}
	var lines []string
	for _, x := range routes {
		observed := x.Observed.String()
		switch {
		case x.Missing:
			observed = "does not exist; the apply fails until it exists again or is removed from load_balancer.routes"
		case x.FixedError:
			observed = "fixed error response"
		case x.Attached == nil:
			observed = "read at apply"
		}
		lines = append(lines, fmt.Sprintf("Route %s: %s.", x.Name, observed))
	}
	return lines
}

// unmanagedText names the target groups on the routes that belong to no
// environment, with the largest share that they have.
func (s plan) unmanagedText() []string {
	var lines []string
	for _, e := range s.Request.Environments {
		if !e.Unmanaged {
			continue
		}
		largest := shift.Share(0)
		for _, x := range s.Request.Routes {
			largest = max(largest, x.Observed[e.Name])
		}
		text := fmt.Sprintf("target group %s belongs to no environment of this switch and has %s of the traffic", e.Name, largest)
		if slices.Contains(s.Detach(), e.Name) {
			text += "; this apply detaches it"
		}
		lines = append(lines, text+".")
	}
	return lines
}

// label is an environment with its version: "green (1.5.0)".
func (s plan) label(name string) string {
	if v := s.Request.Environment(name).Version; v != "" {
		return fmt.Sprintf("%s (%s)", name, v)
	}
	return name
}

func (s plan) labels(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, s.label(name))
	}
	return strings.Join(parts, ", ")
}

func (s plan) weightsText(w shift.Weights) string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, s.label(name)+" "+w[name].String())
	}
	if parts == nil {
		return "no traffic"
	}
	return strings.Join(parts, ", ")
}
