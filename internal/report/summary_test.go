package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
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
