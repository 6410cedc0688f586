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
	if s.RollsBackFirst {
		lines = s.rollsBackFirstText()
	}
	lines = slices.Concat(advice{s}.resetText(), lines, s.kindText(), s.routeLines())
	for _, warning := range slices.Concat(s.unmanagedText(), warner{s}.unfinishedWarnings(), warner{s}.idleWarnings(), warner{s}.gateWarnings(), s.Request.Notes) {
		lines = append(lines, "Warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// resetText names the routes that another resource seems to have reset, before anything else: until
// that resource leaves them alone, whatever the apply does is undone.
func (s advice) resetText() []string {
	var names []string
	for _, x := range s.Request.Routes {
		if s.Request.IsReset(x) {
			names = append(names, x.Name)
		}
	}
	if names == nil || s.Request.Managed == "" {
		return nil
	}
	return []string{fmt.Sprintf("One %s alone is attached on: %s. A resource that manages the route leaves it like that. %s", s.backend(), And(names), s.Request.Managed)}
}

// kindText is what the apply does, after any rollback that comes first.
func (s plan) kindText() []string {
	switch s.Kind {
	case shift.Rejected:
		return s.rejectedText()
	case shift.ExternalChange:
		return s.externalChangeText()
	case shift.OtherSwitch:
		return s.otherSwitchText()
	case shift.RouteMissing:
		return nil // routeLines names it
	case shift.NoChange:
		return s.noChangeText()
	case shift.Accept:
		return s.acceptedText()
	case shift.Rollback:
		return s.rollbackText()
	case shift.Join:
		return s.joinText()
	case shift.Forward, shift.Revert:
	}
	return s.shiftText()
}

// notForwardingText names the routes whose action is neither a forward nor
// something that this switch may replace: a redirect, or a fixed response that
// replaced the traffic.
func (s plan) notForwardingText() []string {
	var lines []string
	for _, x := range s.Request.Routes {
		if x.Response != "" && (!x.FixedError || !x.Joining) {
			lines = append(lines, fmt.Sprintf("Route %s does not forward to %ss (%s). The apply fails without moving traffic until it does.", x.Name, advice{s}.backend(), x.Response))
		}
	}
	return lines
}

func (s plan) rejectedText() []string {
	r := s.Request.Rejected
	edit := advice{s}.awayText(r.Environment)
	if edit != "" {
		edit = " " + edit + ","
	}
	fails := "The apply fails without moving traffic."
	if s.RollsBackFirst {
		fails = "Then the apply fails."
	}
	return []string{
		fmt.Sprintf("%s is rejected: %s.", s.label(r.Environment), r.Reason),
		fmt.Sprintf("%s Ship another version,%s or change retry to allow this version again.", fails, edit),
	}
}

// rollsBackFirstText is about traffic that an unfinished shift left.
func (s plan) rollsBackFirstText() []string {
	var back []shift.Weights
	var written []shift.Route
	for _, x := range s.Request.Routes {
		if x.Back == nil {
			continue
		}
		back = append(back, x.Back)
		if !x.Back.Equal(x.Found) {
			written = append(written, x)
		}
	}
	return []string{
		fmt.Sprintf("A shift did not finish. Observed: %s.", versions{s}.carriedText(s.foundMean())),
		fmt.Sprintf("First roll back to %s immediately: %s, no steps, no gates.", s.weightsText(shift.Mean(back)), callsText(written)),
	}
}

// foundMean is the mean of the weights that were observed.
func (s plan) foundMean() shift.Weights {
	var all []shift.Weights
	for _, x := range s.Request.Routes {
		all = append(all, x.Found)
	}
	return shift.Mean(all)
}

// responds reports whether a route that the switch had before does not forward: it has no weights to shift from.
func (s plan) responds() bool {
	return slices.ContainsFunc(s.Request.Routes, func(x shift.Route) bool { return !x.Joining && x.Response != "" })
}

// externalChangeText names the one step for each intent. The error of the apply also has
// the call that shifts back at once.
func (s plan) externalChangeText() []string {
	if s.responds() {
		return []string{"To keep that, set lifecycle { ignore_changes = [active, weights] }. To shift back at once, run the command in the error of the apply."}
	}
	accept := advice{s}.acceptText(advice{s}.movedTo())
	if accept != "" {
		accept = fmt.Sprintf("To accept the change, %s. ", accept)
	}
	return []string{
		fmt.Sprintf("Traffic was moved off %s outside Terraform since the last completed shift. Observed: %s.", s.weightsText(s.Desired), s.weightsText(s.Request.ObservedMean())),
		"The apply fails without moving traffic.",
		accept + "To shift back at once, run the command in the error of the apply. To shift back by steps, change retry.",
	}
}

func (s plan) otherSwitchText() []string {
	return []string{
		fmt.Sprintf("A shift of another switch was abandoned on a route of this one by %s.", s.Request.OtherSwitch),
		"The apply fails without moving traffic. Apply the configuration of that switch first: it completes the shift or rolls it back.",
	}
}

func (s plan) acceptedText() []string {
	lines := []string{
		fmt.Sprintf("Traffic was moved to %s outside Terraform since the last completed shift, which this configuration accepts.", s.weightsText(s.Desired)),
		"No traffic is moved, and there is no previous version to revert to afterwards.",
	}
	if gates := s.Request.Strategy.ReportOnly().GatesFor(shift.After, shift.Step{}); len(gates) > 0 {
		lines = append(lines, fmt.Sprintf("Settle %s; %s.", FormatDuration(s.Request.Strategy.Settle), gatesText(gates)))
	}
	return append(lines, s.attachmentText()...)
}

// joinText names the routes that join and are written at once.
func (s plan) joinText() []string {
	lines := []string{fmt.Sprintf("%s stays as it is on the other routes.", s.weightsText(s.Desired))}
	if s.Request.AllRoutes(func(x shift.Route) bool { return x.Joining }) {
		lines = nil
	}
	for i, x := range s.Request.Routes {
		if !s.Joins[i] {
			continue
		}
		now := "its weights are read at apply"
		if x.Observed != nil {
			now = "now " + s.weightsText(x.Observed)
		}
		lines = append(lines, fmt.Sprintf("Route %s joins (%s): forward it to %s with 1 API call, after %s (up to %s).",
			x.Name, now, s.weightsText(s.Desired), healthyText(s.Desired.Names(), ""), FormatDuration(s.Request.Strategy.HealthTimeout)))
	}
	if s.Request.AllRoutes(func(x shift.Route) bool { return !x.Joining || x.Attached != nil }) {
		return lines
	}
	return append(lines, fmt.Sprintf("A route that still forwards to %ss of no environment is shifted by steps instead.", advice{s}.backend()))
}

// without is the split of the traffic among the other environments; nil: none has any.
func without(w shift.Weights, excluded string) shift.Weights {
	others := map[string]int{}
	for _, name := range w.Names() {
		if name != excluded {
			others[name] = int(w[name])
		}
	}
	return shift.FromRaw(others)
}

func (s plan) noChangeText() []string {
	lines := append([]string{"No traffic is moved: " + s.weightsText(s.Desired) + "."}, s.attachmentText()...)
	if s.Request.StickinessChanges {
		lines = append(lines, "Change the group stickiness of the forward action.")
	}
	if id := s.Request.ClosedRecord; id != "" {
		lines = append(lines, fmt.Sprintf("Remove the record of shift %s, which ended.", id))
	}
	if u := s.Request.Unfinished; u != nil && s.Request.Desired != nil {
		lines = append(lines, fmt.Sprintf("Remove the record of shift %s, which did not finish.", u.Shift))
	}
	if len(s.Attach()) == 0 && len(s.Detach()) == 0 && !s.Request.StickinessChanges {
		return lines
	}
	return append(lines, fmt.Sprintf("API calls: %d (1 per route).", len(s.Request.Routes)))
}

func (s plan) rollbackText() []string {
	cause := "A shift did not finish, or the traffic was moved outside Terraform." // without a record
	if u := s.Request.Unfinished; u != nil && u.Shift != "" {
		cause = fmt.Sprintf("Shift %s did not finish.", u.Shift)
		if u.Running != "" {
			cause = fmt.Sprintf("Shift %s has not finished.", u.Shift)
		}
	}
	return slices.Concat([]string{
		fmt.Sprintf("%s Observed: %s.", cause, versions{s}.carriedText(s.Request.ObservedMean())),
		fmt.Sprintf("Roll back to %s immediately: %s, no steps, no gates; then settle %s.",
			s.weightsText(s.Desired), callsText(differing(s.Schedule)), FormatDuration(s.Request.Strategy.Settle)),
	}, connectionsText(s.Request.Routes), cachedText(s.Request.Routes), s.attachmentText())
}

// differing returns the routes that do not have the desired weights.
func differing(s shift.Schedule) (routes []shift.Route) {
	for _, x := range s.Request.Routes {
		if !x.Observed.Equal(s.Desired) {
			routes = append(routes, x)
		}
	}
	return routes
}

// attachmentText lists what is attached and detached where no traffic moves by steps.
func (s plan) attachmentText() []string {
	var lines []string
	idle := func(name string) bool { return s.Desired[name] == 0 } // the others get their weight in the same write
	if names := slices.DeleteFunc(s.Attach(), func(name string) bool { return !idle(name) }); len(names) > 0 {
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
			observed = "does not exist; the apply fails until it exists again or is removed from routes"
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
		text := fmt.Sprintf("%s %s belongs to no environment of this switch and has %s of the traffic", advice{s}.backend(), e.Name, largest)
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

func (s plan) weightsText(w shift.Weights) string { return labeledText(w, s.label) }

// versions names the versions that have or had traffic.
type versions struct{ plan }

// carriedText is weightsText of traffic that is there before the apply. What the last completed
// shift left is named by the version that had the traffic, which the configuration may have
// changed since.
func (s versions) carriedText(w shift.Weights) string {
	return labeledText(w, func(name string) string {
		e := s.Request.Environment(name)
		stable := slices.ContainsFunc(s.Request.Routes, func(x shift.Route) bool { return x.Stable[name] > 0 })
		if stable && e.VersionChanged {
			return fmt.Sprintf("%s (%s)", name, e.VersionBefore)
		}
		return s.label(name)
	})
}

func labeledText(w shift.Weights, label func(name string) string) string {
	var parts []string
	for _, name := range w.Names() {
		parts = append(parts, label(name)+" "+w[name].String())
	}
	if parts == nil {
		return "no traffic"
	}
	return strings.Join(parts, ", ")
}
