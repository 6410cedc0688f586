package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Status is where the traffic is, and what shifts left.
type Status struct {
	Switch string        `json:"switch,omitempty"` // address in the state file
	Routes []RouteStatus `json:"routes"`
	Shifts []ShiftStatus `json:"shifts"`
	// Unrecorded says that the routes have no place for the record of a shift, so that Shifts says
	// nothing; empty: they have.
	Unrecorded string     `json:"unrecorded,omitempty"`
	Rejected   *Rejection `json:"rejected,omitempty"`
	Warnings   []string   `json:"warnings,omitempty"`
}

// RouteStatus is a route, such as a listener or a record.
type RouteStatus struct {
	ID         string        `json:"id"`
	Label      string        `json:"label"`
	EntryPoint string        `json:"entry_point,omitempty"`
	Response   string        `json:"response,omitempty"` // where it does not forward
	Stickiness string        `json:"stickiness,omitempty"`
	TTL        float64       `json:"ttl_seconds,omitempty"` // how long resolvers keep an answer; 0: the route has none
	Groups     []GroupStatus `json:"backends"`
}

// GroupStatus is what a route sends traffic to, such as a target group or a record.
type GroupStatus struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Environment string  `json:"environment,omitempty"`
	Version     string  `json:"version,omitempty"`
	Percent     float64 `json:"percent"`
	Healthy     *int    `json:"healthy_targets,omitempty"` // nil: not read
	Targets     *int    `json:"targets,omitempty"`
	Health      string  `json:"health,omitempty"`
}

// ShiftStatus is a shift that left a record.
type ShiftStatus struct {
	ID          string     `json:"id"`
	Phase       string     `json:"phase"`
	Owner       string     `json:"owner,omitempty"`
	PID         int        `json:"pid,omitempty"`
	Guardian    int        `json:"guardian_pid,omitempty"` // 0: the shift has none
	Run         string     `json:"run,omitempty"`          // URL of the CI run
	Since       *time.Time `json:"since,omitempty"`
	Renewed     time.Time  `json:"renewed_at"`
	Expires     time.Time  `json:"expires_at"`
	Reached     float64    `json:"reached_percent"`
	Routes      int        `json:"routes"`
	Environment string     `json:"environment,omitempty"`
	Version     string     `json:"version,omitempty"`
	Reason      string     `json:"reason,omitempty"`    // why the version is rejected
	Abandoned   *bool      `json:"abandoned,omitempty"` // nil: not known, or it has ended
}

// Status reads where the traffic is.
func (o *Operator) Status(ctx context.Context) (Status, error) {
	s, p := o.read(ctx, "Cannot read the traffic")
	if p != nil {
		return Status{}, p
	}
	st := Status{Switch: o.Target.Switch, Rejected: o.Target.Rejected, Shifts: []ShiftStatus{}, Unrecorded: o.unrecorded()}
	if s.unread != nil {
		st.Warnings = append(st.Warnings, "The records of shifts could not be read: "+s.unread.Error())
	}
	health, err := o.health(ctx, s.states)
	if err != nil {
		st.Warnings = append(st.Warnings, "The health of some targets could not be read: "+oneLine(err.Error()))
	}
	for i, state := range s.states {
		st.Routes = append(st.Routes, o.routeStatus(i, state, health))
	}
	for _, x := range s.shifts {
		st.releases(x)
	}
	for _, x := range s.shifts {
		st.Shifts = append(st.Shifts, o.shiftStatus(x))
		if x.Reason != "" {
			st.Rejected = &Rejection{Environment: x.Environment, Version: x.Version, Reason: x.Reason}
		}
	}
	return st, nil
}

// releases sets the version that a record has for its environment: a state that was saved before
// the shift has the version before it.
func (s *Status) releases(x traffic.Left) {
	for _, r := range s.Routes {
		for i, g := range r.Groups {
			if x.Version != "" && g.Environment == x.Environment {
				r.Groups[i].Version = x.Version
			}
		}
	}
}

// health reads the health of the groups of all states, each on its own.
func (o *Operator) health(ctx context.Context, states []traffic.State) (map[string]traffic.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var groups []string
	for _, state := range states {
		groups = append(groups, state.Groups()...)
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	all, err := o.Router.Health(ctx, groups)
	if err == nil || len(groups) < 2 {
		return all, err
	}
	all = map[string]traffic.Health{}
	var errs []error
	for _, group := range groups {
		one, err := o.Router.Health(ctx, []string{group})
		if errs = append(errs, err); err == nil {
			all[group] = one[group]
		}
	}
	return all, errors.Join(errs...)
}

func (o *Operator) routeStatus(i int, s traffic.State, health map[string]traffic.Health) RouteStatus {
	route := o.Target.Routes[i]
	r := RouteStatus{ID: route.ID, Label: label(route.ID, s), EntryPoint: route.Entry, Response: s.Response, TTL: s.Cached.Seconds(), Groups: []GroupStatus{}}
	if s.Stickiness > 0 {
		r.Stickiness = schedule.FormatDuration(s.Stickiness)
	}
	shares := shift.FromRaw(s.Weights)
	for _, group := range s.Groups() {
		g := GroupStatus{ID: group, Name: groupName(group), Environment: o.Target.owner(route.Entry, group), Percent: shares[group].Percent()}
		g.Version = o.Target.Environments[g.Environment].Version
		if h, read := health[group]; read {
			g.Healthy, g.Targets, g.Health = new(h.Serving()), new(len(h.Targets)), h.String()
		}
		r.Groups = append(r.Groups, g)
	}
	return r
}

func (o *Operator) shiftStatus(x traffic.Left) ShiftStatus {
	owner := x.Owner
	owner.Run = ""
	s := ShiftStatus{ID: x.Shift, Phase: string(x.Phase), Owner: owner.String(), PID: x.Owner.PID, Guardian: x.Owner.Guardian.PID, Run: x.Owner.Run, Renewed: rollout.RenewedAt(x), Expires: x.Expires,
		Reached: x.Reached.Percent(), Routes: x.Routes, Environment: x.Environment, Version: x.Version, Reason: x.Reason}
	if at, err := time.Parse("20060102T150405Z", strings.SplitN(x.Shift, "-", 2)[0]); err == nil {
		s.Since = &at
	}
	if !x.IsOpen() {
		return s
	}
	if _, known := o.Abandoned(x.Owner); known || o.isAbandoned(x) {
		s.Abandoned = new(o.isAbandoned(x))
	}
	return s
}

// Text returns the status for people.
func (s Status) Text(now time.Time) string { return s.Styled(now, Style{}) }

// Styled is Text with a style.
func (s Status) Styled(now time.Time, style Style) string {
	style = style.complete()
	var b strings.Builder
	if s.Switch != "" {
		fmt.Fprintf(&b, "%s\n", style.Heading(s.Switch))
	}
	for _, r := range s.Routes {
		b.WriteString(r.text(style))
	}
	switch {
	case s.Unrecorded != "":
		fmt.Fprintf(&b, "%s: a shift in progress is not shown. Its apply and its journal show it.\n", s.Unrecorded)
	case len(s.Shifts) == 0 && len(s.Warnings) == 0:
		b.WriteString("No shift is in progress.\n")
	}
	for _, x := range s.Shifts {
		b.WriteString(x.text(now, style))
	}
	if r := s.Rejected; r != nil {
		fmt.Fprintf(&b, "%s version %s of %s: %s\n", style.Warning("Rejected:"), r.Version, r.Environment, r.Reason)
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "%s %s\n", style.Warning("Warning:"), warning)
	}
	return b.String()
}

func (r RouteStatus) text(style Style) string {
	head := r.Label
	if r.EntryPoint != "" {
		head = r.EntryPoint + ", " + head
	}
	if r.Stickiness != "" {
		head += ", sticky for " + r.Stickiness
	}
	if r.TTL > 0 {
		head += ", TTL " + schedule.FormatDuration(time.Duration(r.TTL*float64(time.Second)))
	}
	text := fmt.Sprintf("%s  %s\n", style.Heading(head), style.Faint(r.ID))
	if r.Response != "" {
		return text + "  " + r.Response + "\n"
	}
	width := 0
	for _, g := range r.Groups {
		width = max(width, style.Width(g.title()))
	}
	for _, g := range r.Groups {
		health := g.Health
		if g.Healthy == nil {
			health = "health not read"
		}
		padded := g.title() + strings.Repeat(" ", width-style.Width(g.title()))
		text += fmt.Sprintf("  %s  %5s %%  %s%s  %s\n", padded, fmt.Sprintf("%g", g.Percent), style.Bar(g), style.Health(g, health), style.Faint(g.ID))
	}
	return text
}

// title names a group with its environment and version.
func (g GroupStatus) title() string {
	switch {
	case g.Environment == "":
		return g.Name
	case g.Version == "":
		return fmt.Sprintf("%s (%s)", g.Environment, g.Name)
	}
	return fmt.Sprintf("%s %s (%s)", g.Environment, g.Version, g.Name)
}

func (s ShiftStatus) text(now time.Time, style Style) string {
	text := fmt.Sprintf("Shift %s: %s, at %g %%", s.ID, style.Phase(s.Phase), s.Reached)
	if s.Version != "" {
		text += fmt.Sprintf(", releases version %s of %s", s.Version, s.Environment)
	}
	text += "\n"
	if s.Owner != "" {
		text += "  owner    " + s.Owner + "\n"
	}
	if s.PID > 0 {
		text += fmt.Sprintf("  process  %d%s\n", s.PID, s.guardianText())
	}
	if s.Run != "" {
		text += "  run      " + s.Run + "\n"
	}
	if s.Since != nil {
		text += fmt.Sprintf("  since    %s (%s ago)\n", s.Since.Format(time.RFC3339), seconds(now.Sub(*s.Since)))
	}
	lease := fmt.Sprintf("expires in %s", seconds(s.Expires.Sub(now)))
	if now.After(s.Expires) {
		lease = fmt.Sprintf("expired %s ago", seconds(now.Sub(s.Expires)))
	}
	text += fmt.Sprintf("  lease    %s (%s)\n", s.Expires.Format(time.RFC3339), lease)
	switch {
	case s.Abandoned != nil && *s.Abandoned:
		text += "  " + style.Warning("Abandoned:") + " its process has ended. bluegreen recover returns the traffic.\n"
	case s.Abandoned != nil:
		text += "  Its process is running.\n"
	}
	return text
}

// guardianText names the guardian, and what it can do while the shift is open.
func (s ShiftStatus) guardianText() string {
	if s.Guardian == 0 {
		return ", without a guardian"
	}
	text := fmt.Sprintf(", guardian %d", s.Guardian)
	if s.Phase == string(traffic.PhaseOpen) && (s.Abandoned == nil || !*s.Abandoned) {
		text += " (SIGTERM to it rolls back at once)"
	}
	return text
}

func seconds(d time.Duration) string { return schedule.FormatDuration(max(d, 0).Round(time.Second)) }
