package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// FuzzJournal reads a journal that something else may have written, and makes everything of it that people see: no
// text of it becomes an element of the page or a control character of the terminal.
func FuzzJournal(f *testing.F) {
	f.Add(firstLine, "<script>alert(1)</script>")
	f.Add(firstLine+`{"n":1,"at":"2026-11-02T09:30:01Z","event":"weights_verified","route":"r","weights":{"blue":1000}}`+"\n", "\x1b[2J")
	f.Add(firstLine+`{"n":1,"at":"0001-01-01T00:00:00Z","event":"gate_result","gate":"g","text":"x"}`+"\n"+`{"n":2,"event":"shift_ended","text":"rolled_back"}`+"\n", "\u202e")
	f.Fuzz(func(t *testing.T, text, gate string) {
		name, err := json.Marshal(gate)
		if err != nil {
			t.Fatal(err)
		}
		path := journalOf(t, fmt.Sprintf("%s{\"n\":9,\"at\":\"2026-11-02T09:31:00Z\",\"event\":\"gate_result\",\"gate\":%s}\n", text, name))
		story, err := report.ReadStory(path)
		if err != nil {
			return
		}
		page, err := story.Page(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(page, []byte("<script>alert(1)")) {
			t.Errorf("the page has an element of the journal: %q", gate)
		}
		_ = story.Markdown("") + story.GitLabSection("", time.Now()) + story.Closing()
		err = report.Read(path, func(e report.Entry) error {
			for _, c := range story.Line(e) {
				if c < ' ' && c != '\t' || c == 0x7f {
					t.Errorf("the line %q has a control character", story.Line(e))
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
