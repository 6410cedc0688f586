package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

func TestHasColor(t *testing.T) {
	for _, c := range []struct {
		choice   string
		terminal bool
		env      map[string]string
		want     bool
	}{
		{Auto, true, nil, true},
		{Auto, false, nil, false},
		{Auto, true, map[string]string{"NO_COLOR": "1"}, false},
		{Auto, true, map[string]string{"NO_COLOR": ""}, true},
		{Auto, true, map[string]string{"TERM": "dumb"}, false},
		{Auto, true, map[string]string{"CLICOLOR": "0"}, false},
		{Auto, false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{Auto, false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{Auto, true, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false},
		{Always, false, map[string]string{"NO_COLOR": "1"}, true},
		{Never, true, map[string]string{"CLICOLOR_FORCE": "1"}, false},
	} {
		getenv := func(name string) (string, bool) { text, is := c.env[name]; return text, is }
		if got := HasColor(c.choice, c.terminal, getenv); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// visible shows escape sequences.
func visible(text string) string { return strings.ReplaceAll(text, "\x1b", "ESC") }

func start() time.Time { return time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC) }

// story is a shift at a hold, with an environment whose name is wide.
func story() *report.Story {
	s := report.NewStory()
	for i, e := range []report.Entry{
		{Event: report.Opened, Version: 1, Shift: &report.Shift{ID: "20261102T093000Z-0a1b", Entries: []string{"web"}, Versions: map[string]string{"緑": "1.5.0"},
			Gates: []report.ShiftGate{{Name: "latency", DryRun: true}, {Name: "users"}}}},
		{Event: "route_read", Route: "r", Weights: report.Percentages{"blue": 100}},
		{Event: "phase_started", Phase: "hold at 5 %"},
		{Event: "weights_verified", Route: "r", Weights: report.Percentages{"blue": 97.5, "緑": 2.5}},
		{Event: "health_read", Targets: []report.Targets{{Entry: "web", Environment: "blue", Healthy: 3}, {Entry: "web", Environment: "緑", Healthy: 1, Unhealthy: 1, Initial: 2}}},
		{Event: "gate_evaluated", Gate: "users", Status: "fail", Detail: "web (green): 4 % errors\x1b[2J"},
	} {
		e.N, e.At = i, start().Add(time.Duration(i)*time.Minute)
		s.Add(e)
	}
	return s
}

func TestHeader(t *testing.T) {
	text := strings.Join(Header(story(), start().Add(90*time.Minute)), "\n")
	golden.CheckPart(t, "color", visible(text)+"\n")
	golden.CheckPart(t, "plain", ansi.Strip(text)+"\n")
	if strings.Contains(text, "\x1b[2J") {
		t.Error("an escape sequence of a response reaches the terminal")
	}
	ended := story()
	ended.Add(report.Entry{N: 6, At: start().Add(time.Hour), Event: report.Ended, Result: &report.Result{Outcome: "rolled_back", Routes: []report.RouteResult{{ID: "r", Weights: report.Percentages{"blue": 100}}}}})
	golden.CheckPart(t, "ended", ansi.Strip(strings.Join(Header(ended, start().Add(2*time.Hour)), "\n"))+"\n")
	golden.CheckPart(t, "empty", ansi.Strip(strings.Join(Header(report.NewStory(), start()), "\n"))+"\n")
}

func TestStatusStyle(t *testing.T) {
	healthy, some, none := 2, 1, 0
	s := operate.Status{Switch: "bluegreen_switch.web", Routes: []operate.RouteStatus{{ID: "arn:listener", Label: "listener :443", EntryPoint: "web", Groups: []operate.GroupStatus{
		{ID: "arn:blue", Name: "app-blue", Environment: "blue", Version: "1.4.2", Percent: 99.9, Healthy: &healthy, Targets: &healthy, Health: "2 of 2 targets healthy"},
		{ID: "arn:green", Name: "app-green", Environment: "緑", Version: "1.5.0", Percent: 0.1, Healthy: &some, Targets: &healthy, Health: "1 of 2 targets healthy"},
		{ID: "arn:red", Name: "app-red", Healthy: &none, Targets: &healthy, Health: "0 of 2 targets healthy"},
		{ID: "arn:x", Name: "app-x", Percent: 100},
	}}}, Shifts: []operate.ShiftStatus{{ID: "20261102T093000Z-0a1b", Phase: "open", Reached: 5, Expires: start(), Abandoned: new(true)}, {ID: "20261102T093000Z-0a1c", Phase: "completed", Reached: 100, Expires: start()}},
		Rejected: &operate.Rejection{Environment: "green", Version: "1", Reason: "slow"}, Warnings: []string{"something"}}
	text := s.Styled(start(), StatusStyle())
	golden.CheckPart(t, "color", visible(text))
	golden.CheckPart(t, "plain", ansi.Strip(text))
}

// Colors of lines; the text stays as it is.
func TestLine(t *testing.T) {
	text := ""
	for _, e := range []report.Entry{
		{Event: "phase_started", Phase: "hold"}, {Event: "weights_written", Route: "r", Weights: report.Percentages{"blue": 100}},
		{Event: "weights_written", Route: "r", Error: "denied"}, {Event: "gate_evaluated", Gate: "g", Status: "pass"},
		{Event: "gate_evaluated", Gate: "g", Status: "inconclusive"}, {Event: "gate_evaluated", Gate: "g", Status: "fail"}, {Event: "rollback_started"},
		{Event: "health_degraded"}, {Event: "health_recovered"}, {Event: "request_answered"},
		{Event: report.Ended, Result: &report.Result{Outcome: "completed"}}, {Event: report.Ended, Result: &report.Result{Outcome: "failed"}},
	} {
		line := Line(e, e.Line())
		if ansi.Strip(line) != e.Line() {
			t.Errorf("%q became %q", e.Line(), line)
		}
		text += visible(line) + "\n"
	}
	golden.Check(t, text)
}

// A frame fits into the window, whatever its size, and the terminal is restored.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	width, height := 30, 8
	s := NewScreen(&out)
	s.size = func() (int, int) { return width, height }
	if err := s.Close(); err != nil || out.Len() > 0 {
		t.Fatalf("a screen that was not drawn wrote %q, %v", out.String(), err)
	}
	head := Header(story(), start().Add(time.Hour))[:5]
	tail := []string{"one", "two", "three 緑緑緑緑緑緑緑緑緑緑緑緑緑緑緑緑緑", "four"}
	for _, size := range [][2]int{{30, 8}, {12, 3}, {1, 1}, {200, 50}} {
		width, height = size[0], size[1]
		out.Reset()
		if err := s.Draw(head, tail); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(ansi.Strip(out.String()), "\r\n")
		if len(lines) > height {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if ansi.StringWidth(line) > width {
				t.Errorf("%v: %q has %d columns", size, line, ansi.StringWidth(line))
			}
		}
		if entered := strings.Count(out.String(), "\x1b[?1049h"); entered != map[bool]int{true: 1}[size[0] == 30] {
			t.Errorf("%v: the alternate screen was entered %d times", size, entered)
		}
	}
	golden.CheckPart(t, "frame", visible(strings.ReplaceAll(out.String(), "\r", "")))
	out.Reset()
	if err := s.Close(); err != nil || out.String() != "\x1b[?25h\x1b[?1049l" {
		t.Errorf("closed with %q, %v", out.String(), err)
	}
	if err := s.Close(); err != nil || strings.Count(out.String(), "l") != 1 {
		t.Errorf("closed twice: %q, %v", out.String(), err)
	}
}
