package console

import (
	"math"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// The colors are those of the terminal, so that its theme decides how they look.
var (
	plainStyle   = lipgloss.NewStyle()
	headingStyle = lipgloss.NewStyle().Bold(true)
	faintStyle   = lipgloss.NewStyle().Faint(true)
	goodStyle    = lipgloss.NewStyle().Foreground(lipgloss.Green)
	unsureStyle  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	badStyle     = lipgloss.NewStyle().Foreground(lipgloss.Red)
	barStyle     = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

// barWidth is how many columns 100 % has.
const barWidth = 20

// bar shows a share.
func bar(percent float64) string {
	n := int(math.Round(percent / 100 * barWidth))
	if percent > 0 { // a small share is visible, and so is what is missing of all
		n = max(n, 1)
	}
	if percent < 100 {
		n = min(n, barWidth-1)
	}
	return barStyle.Render(strings.Repeat("█", n)) + faintStyle.Render(strings.Repeat("░", barWidth-n))
}

// StatusStyle is the style of a status.
func StatusStyle() operate.Style {
	return operate.Style{
		Heading: func(text string) string { return headingStyle.Render(text) },
		Faint:   func(text string) string { return faintStyle.Render(text) },
		Warning: func(text string) string { return unsureStyle.Render(text) },
		Phase:   func(phase string) string { return phaseStyle(phase).Render(phase) },
		Health: func(g operate.GroupStatus, text string) string {
			if g.Healthy == nil || g.Targets == nil {
				return unsureStyle.Render(text)
			}
			return healthStyle(*g.Healthy, *g.Targets).Render(text)
		},
		Bar:   func(g operate.GroupStatus) string { return bar(g.Percent) + "  " },
		Width: ansi.StringWidth,
	}
}

func phaseStyle(phase string) lipgloss.Style {
	switch phase {
	case "completed":
		return goodStyle
	case "open":
		return barStyle
	}
	return badStyle
}

func healthStyle(healthy, all int) lipgloss.Style {
	switch {
	case all == 0:
		return faintStyle
	case healthy == all:
		return goodStyle
	case healthy == 0:
		return badStyle
	}
	return unsureStyle
}

// Line returns the line of an entry with color.
func Line(e report.Entry, line string) string { return entryStyle(e).Render(line) }

func entryStyle(e report.Entry) lipgloss.Style {
	switch e.Event {
	case string(rollout.GateEvaluated):
		return verdictStyle(e.Status)
	case string(rollout.WeightsWritten), string(rollout.RouteRead):
		if e.Error != "" {
			return badStyle
		}
		return barStyle
	case string(rollout.RollbackStarted):
		return badStyle
	case string(rollout.HealthDegraded), string(rollout.SourceEmpty), operate.ReadFailed:
		return unsureStyle
	case string(rollout.HealthRecovered):
		return goodStyle
	case string(rollout.PhaseStarted):
		return headingStyle
	case report.Ended:
		if e.Result != nil && e.Result.Outcome == "completed" {
			return goodStyle
		}
		return badStyle
	}
	return plainStyle
}

func verdictStyle(status string) lipgloss.Style {
	switch rollout.Status(status) {
	case rollout.Pass:
		return goodStyle
	case rollout.Inconclusive:
		return unsureStyle
	default:
		return badStyle
	}
}
