package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

func TestSlack_messages(t *testing.T) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	for _, n := range everyNotification() {
		if err := e.Encode(n.slack()); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, b.String())
}

// hostile is a notification whose texts are long and have the markup of Slack.
func hostile(text string) Notification {
	s := sampleShift()
	s.Entries, s.Page = []string{text}, text
	s.Owner.Run = "https://ci.example.com/?" + strings.Repeat("a|b>", 100)
	s.To = report.Percentages{text: 100}
	s.Versions = map[string]string{text: text}
	n := played(s, Ending{Outcome: release.Failed, Reason: text, Gate: text, Weights: split(5)})[0]
	n.Command, n.Steps, n.From = text, 3, s.To
	return n
}

// Every text is within the limits of Slack, and has no markup but ours.
func TestSlack_limits(t *testing.T) {
	for _, text := range []string{"<!channel> & <https://example.com|here>", strings.Repeat("<&>", 5000), strings.Repeat("ä", 10_000), "\xff\xfe", strings.Repeat("&", 2999)} {
		m := hostile(text).slack()
		if n := utf8.RuneCountInString(m.Text); n == 0 || n > 4000 {
			t.Errorf("the text has %d characters", n)
		}
		if len(m.Blocks) > 50 {
			t.Errorf("there are %d blocks", len(m.Blocks))
		}
		checkText(t, m.Text, 4000)
		for _, b := range m.Blocks {
			if b.Text != nil {
				checkText(t, b.Text.Text, 3000)
			}
			if len(b.Fields) > 10 || len(b.Elements) > 10 {
				t.Errorf("%d fields and %d elements", len(b.Fields), len(b.Elements))
			}
			for _, x := range b.Fields {
				checkText(t, x.Text, 2000)
			}
			for _, x := range b.Elements {
				checkText(t, strings.ReplaceAll(strings.ReplaceAll(x.Text, "<https://ci.example.com/", ""), "|CI run>", ""), 2000)
			}
		}
	}
}

// checkText checks a text without its links.
func checkText(t *testing.T, text string, limit int) {
	t.Helper()
	if n := utf8.RuneCountInString(text); n == 0 || n > limit {
		t.Errorf("a text has %d characters, and may have %d", n, limit)
	}
	if strings.ContainsAny(text, "<>") || !utf8.ValidString(text) {
		t.Errorf("a text has markup, or is invalid: %.200q", text)
	}
	for _, part := range strings.Split(text, "&")[1:] {
		if !strings.HasPrefix(part, "amp;") && !strings.HasPrefix(part, "lt;") && !strings.HasPrefix(part, "gt;") {
			t.Errorf("& is not escaped: %.50q", part)
		}
	}
}

func TestSlack_escapes(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		limit      int
	}{
		{"a & b <!here>", "a &amp; b &lt;!here&gt;", 100},
		{"abcdef", "abcdef", 7},
		{"abcdef", "abcde…", 6},
		{"<<<", "&lt;&lt;…", 9},
		{"<<<", "&lt;…", 8},
	} {
		if got := escaped(tt.text, tt.limit); got != tt.want {
			t.Errorf("%q in %d is %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}
