package report_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// linesOf adds entries to a story and returns their lines.
func linesOf(about report.Shift, entries ...report.Entry) []string {
	story := report.NewStory()
	var lines []string
	for i, e := range append([]report.Entry{{Event: report.Opened, Shift: &about}}, entries...) {
		e.N, e.At = i, began.Add(time.Duration(i)*time.Second)
		story.Add(e)
		if line := story.Text(e); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// A route has its entry point alone, with its label where there are several, and only its label
// where no entry points are known.
func TestStoryText_namesRoutes(t *testing.T) {
	one, two := report.ShiftRoute{ID: listener, Label: "listener :443"}, report.ShiftRoute{ID: rule, Label: "rule 7 of listener :443"}
	named := func(entry string, routes ...report.ShiftRoute) report.Shift {
		for i := range routes {
			routes[i].Entry = entry
		}
		return report.Shift{Routes: routes}
	}
	read := report.Entry{Event: string(rollout.RouteRead), Route: listener, Weights: report.Percentages{"blue": 100}}
	for want, about := range map[string]report.Shift{
		"web has blue 100 %":                named("web", one),
		"web, listener :443 has blue 100 %": named("web", one, two),
		"listener :443 has blue 100 %":      named("", one),
	} {
		if got := linesOf(about, read); !slices.Equal(got, []string{want}) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := linesOf(named("", one, two), read); !slices.Equal(got, []string{"listener :443 has blue 100 %"}) {
		t.Errorf("got %q", got)
	}
}

// A gate that says the same again has no line until the next phase.
func TestStoryText_gateRepeats(t *testing.T) {
	phase := func(text string) report.Entry {
		return report.Entry{Event: string(rollout.PhaseStarted), Phase: text}
	}
	verdict := func(gate, status, detail string) report.Entry {
		return report.Entry{Event: string(rollout.GateEvaluated), Gate: gate, Status: status, Detail: detail}
	}
	waits, passes := verdict("approve", "inconclusive", "waiting for approval"), verdict("users", "pass", "0 errors in 50 requests")
	got := linesOf(report.Shift{}, phase("hold at 5 %"), waits, passes, waits, verdict("users", "pass", "0 errors in 60 requests"), waits, verdict("approve", "pass", "approved by ann"),
		phase("hold at 50 %"), waits, waits)
	want := []string{"hold at 5 %", "gate approve inconclusive: waiting for approval", "gate users passed: 0 errors in 50 requests", "gate users passed: 0 errors in 60 requests", "gate approve passed: approved by ann",
		"hold at 50 %", "gate approve inconclusive: waiting for approval"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
