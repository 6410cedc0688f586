package notify

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// The limits of Slack, in characters as they are sent.
const (
	maxSectionText  = 3000
	maxFieldText    = 2000
	maxContextText  = 2000
	maxFallbackText = 4000
	maxCommandText  = 2500
)

// slackMessage is the body of an incoming webhook: blocks, and a text for notifications on a phone and
// for clients without blocks.
type slackMessage struct {
	Text   string       `json:"text"`
	Blocks []slackBlock `json:"blocks"`
}

// slackBlock is a section or a context.
type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// mrkdwn is a text in the markup of Slack.
func mrkdwn(text string) slackText { return slackText{"mrkdwn", text} }

func section(text string) slackBlock {
	x := mrkdwn(text)
	return slackBlock{Type: "section", Text: &x}
}

// escaped escapes the three control characters of Slack, and cuts the text so that it has at most so
// many characters then. Without them a text mentions nobody and links to nothing.
func escaped(text string, limit int) string {
	var b strings.Builder
	left := limit
	for _, r := range strings.ToValidUTF8(text, "?") {
		s := string(r)
		switch r {
		case '&':
			s = "&amp;"
		case '<':
			s = "&lt;"
		case '>':
			s = "&gt;"
		}
		n := len([]rune(s))
		if left -= n; left < 1 { // for the ellipsis
			b.WriteString("…")
			break
		}
		b.WriteString(s)
	}
	return b.String()
}

// slackIcons are shown before the summary.
var slackIcons = map[Event]string{
	Started: ":arrow_forward:", Step: ":arrow_right:", Paused: ":hourglass_flowing_sand:", ApprovalNeeded: ":raised_hand:",
	RolledBack: ":rewind:", Completed: ":white_check_mark:", Failed: ":x:",
}

// slack returns the notification as a message.
func (n Notification) slack() slackMessage {
	title := fmt.Sprintf("%s *%s*", slackIcons[n.Event], escaped(n.Summary, maxSectionText-100))
	m := slackMessage{Text: escaped(n.fallback(), maxFallbackText), Blocks: []slackBlock{section(title)}}
	if fields := n.slackFields(); len(fields) > 0 {
		m.Blocks = append(m.Blocks, slackBlock{Type: "section", Fields: fields})
	}
	if n.Reason != "" {
		m.Blocks = append(m.Blocks, section(escaped(n.Reason, maxSectionText)))
	}
	if n.Command != "" {
		m.Blocks = append(m.Blocks, section("```"+escaped(n.Command, maxCommandText)+"```"))
	}
	return m.with(n.slackContext())
}

// with adds a context.
func (m slackMessage) with(text string) slackMessage {
	m.Blocks = append(m.Blocks, slackBlock{Type: "context", Elements: []slackText{mrkdwn(text)}})
	return m
}

// fallback is the notification without blocks.
func (n Notification) fallback() string {
	text := n.Summary
	if n.Reason != "" {
		text += ". Reason: " + n.Reason
	}
	if n.Command != "" {
		text += " To approve: " + n.Command
	}
	return text
}

// slackFields are what changes, in two columns.
func (n Notification) slackFields() []slackText {
	var fields []slackText
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, mrkdwn("*"+name+"*\n"+escaped(value, maxFieldText-100)))
		}
	}
	add("From", n.withVersions(n.From))
	add("To", n.withVersions(n.To))
	if n.Steps > 0 {
		add("Step", fmt.Sprintf("%d of %d", n.Step, n.Steps))
	}
	add("Gate", n.Gate)
	return fields
}

// withVersions lists weights with the versions, such as "blue (1.4.2) 95 %, green (1.5.0) 5 %".
func (n Data) withVersions(p report.Percentages) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] <= 0 {
			continue
		}
		text := report.Percentages{name: p[name]}.String()
		if version := n.Versions[name]; version != "" {
			text = fmt.Sprintf("%s (%s)%s", name, version, strings.TrimPrefix(text, name))
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// slackContext identifies the shift.
func (n Notification) slackContext() string {
	text := "Shift " + escaped(n.Shift, 200)
	if n.Guardian {
		text += " · sent by its guardian, because the process of the shift died"
	}
	if u, err := url.Parse(n.Run); err == nil && (u.Scheme == "http" || u.Scheme == "https") && len(n.Run) < 1000 {
		text += fmt.Sprintf(" · <%s|CI run>", escaped(strings.ReplaceAll(u.String(), "|", "%7C"), 1500))
	}
	if n.Report != "" {
		text += " · " + escaped(n.Report, 500)
	}
	if len(text) > maxContextText {
		return "Shift " + escaped(n.Shift, 200)
	}
	return text
}
