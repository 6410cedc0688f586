package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// Header shows where a shift is: its phase, weights, target health, and the last result of each
// gate.
func Header(s *report.Story, now time.Time) []string {
	if s.Started.IsZero() {
		return []string{faintStyle.Render("Reading the shift")}
	}
	lines := []string{title(s, now)}
	lines = append(lines, weights(s)...)
	for _, h := range s.Health {
		last := h.Changes[len(h.Changes)-1]
		text := fmt.Sprintf("%d healthy", last.Healthy)
		for _, x := range []struct {
			n    int
			what string
		}{{last.Unhealthy, "unhealthy"}, {last.Initial, "initial"}, {last.Draining, "draining"}, {last.Unused, "unused"}} {
			if x.n > 0 {
				text += fmt.Sprintf(", %d %s", x.n, x.what)
			}
		}
		all := last.Healthy + last.Unhealthy + last.Initial
		lines = append(lines, fmt.Sprintf("  targets of %s (%s): %s", h.Environment, h.Entry, healthStyle(last.Healthy, all).Render(text)))
	}
	for _, g := range s.Gates {
		text := fmt.Sprintf("gate %s: not evaluated", g.Name)
		if len(g.Runs) > 0 {
			text = Line(g.Latest, g.Latest.Line())
		}
		if g.DryRun {
			text += faintStyle.Render(" (report-only)")
		}
		lines = append(lines, "  "+text)
	}
	return append(lines, "")
}

// title is the shift, its phase, and how long it has taken.
func title(s *report.Story, now time.Time) string {
	what := "Shift"
	if len(s.Shift.Entries) > 0 {
		what += " of " + schedule.And(s.Shift.Entries)
	}
	phase := s.Phase
	if phase == "" && len(s.Moments) > 0 {
		phase = s.Moments[len(s.Moments)-1].Text
	}
	if s.Ended {
		phase, now = s.Result.Outcome, s.Last
	}
	phase = strings.ReplaceAll(cmp.Or(phase, "started"), "_", " ")
	return fmt.Sprintf("%s  %s  %s", headingStyle.Render(what), headingStyle.Render(phase), faintStyle.Render(schedule.FormatDuration(max(0, now.Sub(s.Started)).Round(time.Second))+"  "+s.Shift.ID))
}

// weights shows the share of each environment.
func weights(s *report.Story) []string {
	shares := s.Weights()
	if s.Ended && len(s.Result.Routes) == 1 && s.Result.Routes[0].Weights != nil {
		shares = s.Result.Routes[0].Weights
	}
	names := slices.Sorted(maps.Keys(shares))
	title := func(name string) string {
		if version := s.Shift.Versions[name]; version != "" {
			return name + " " + version
		}
		return name
	}
	width := 0
	for _, name := range names {
		width = max(width, ansi.StringWidth(title(name)))
	}
	var lines []string
	for _, name := range names {
		padded := title(name) + strings.Repeat(" ", width-ansi.StringWidth(title(name)))
		lines = append(lines, fmt.Sprintf("  %s  %5s %%  %s", padded, fmt.Sprintf("%g", shares[name]), bar(shares[name])))
	}
	return lines
}
