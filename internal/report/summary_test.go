package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

func TestMarkdown(t *testing.T) {
	golden.Check(t, storyOf(t, failedShift(), failedResult()).Markdown(".bluegreen/20261102T093000Z-0a1b.html"))
}

func TestGitLabSection(t *testing.T) {
	text := storyOf(t, failedShift(), failedResult()).GitLabSection(".bluegreen/20261102T093000Z-0a1b.html", began)
	golden.Check(t, strings.NewReplacer("\x1b", "<ESC>", "\r", "<CR>").Replace(text))
}

// Several shifts of a job share the file.
func TestAppendSummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary.md")
	s := storyOf(t, failedShift(), failedResult())
	for range 2 {
		if err := report.AppendSummary(path, s, ""); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != s.Markdown("")+s.Markdown("") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := report.AppendSummary(t.TempDir(), s, ""); err == nil {
		t.Error("a folder was appended to")
	}
}

// A shift that waits for a gate says for which one.
func TestStory_pause(t *testing.T) {
	s := storyOf(t, []rollout.Event{
		{At: began, Kind: rollout.ShiftStarted, Text: "forward"},
		{At: began, Kind: rollout.ShiftPaused, Gate: "users", Status: rollout.Inconclusive, Text: "12 of 100 requests"},
	}, report.Result{Outcome: "completed"})
	want := `The shift waits for gate "users", although the hold is over: 12 of 100 requests`
	if last := s.Moments[len(s.Moments)-1]; last.Text != want {
		t.Errorf("the moment is %q, want %q", last.Text, want)
	}
	e := report.Entry{Event: string(rollout.ShiftPaused), Gate: "users", Status: string(rollout.Inconclusive), Detail: "12 of 100 requests"}
	if got, want := e.Line(), "shift paused: gate users inconclusive: 12 of 100 requests"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}
