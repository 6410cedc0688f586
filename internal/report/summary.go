package report

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// SummaryVariable is the environment variable with the file to which GitHub Actions lets a step
// append its summary.
const SummaryVariable = "GITHUB_STEP_SUMMARY"

// AppendSummary appends a summary of a shift to the file. Several processes may do so at the same
// time. page is the path of the page; empty: there is none.
func AppendSummary(path string, s *Story, page string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Markdown(page))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Markdown is a summary of a shift. page is the path of the page; empty: there is none.
func (s *Story) Markdown(page string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n**Traffic:** %s\n\n", markdown(s.Title()), markdown(s.Traffic()))
	if s.Result.Reason != "" {
		fmt.Fprintf(&b, "**Reason:** %s\n\n", markdown(s.Result.Reason))
	}
	fmt.Fprintf(&b, "| From | To | Started | Duration |\n| --- | --- | --- | --- |\n| %s | %s | %s | %s |\n\n",
		markdown(s.From.String()), markdown(s.Shift.To.String()), timeText(s.Started), durationText(s.Last.Sub(s.Started)))
	for _, warning := range s.Result.Warnings {
		fmt.Fprintf(&b, "- Warning: %s\n", markdown(warning))
	}
	if len(s.Result.Warnings) > 0 {
		b.WriteByte('\n')
	}
	s.markdownGates(&b)
	if page != "" {
		fmt.Fprintf(&b, "Report: %s\n\n", markdown(page))
	}
	return b.String()
}

func (s *Story) markdownGates(b *strings.Builder) {
	if len(s.Gates) == 0 {
		return
	}
	b.WriteString("| Gate | Last verdict | Evaluations | Last values |\n| --- | --- | --- | --- |\n")
	for _, g := range s.Gates {
		name, verdict := markdown(g.Name), "not evaluated"
		if g.DryRun {
			name += " (report-only)"
		}
		if len(g.Runs) > 0 {
			verdict = statusText(g.Latest.Status)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, markdown(verdict), markdown(countsText(g.Count)), markdown(measuredText(g.last)))
	}
	b.WriteByte('\n')
}

// markdownSpecial are the characters with a meaning in Markdown.
var markdownSpecial = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `|`, `\|`, `#`, `\#`, `~`, `\~`, "@", "@\u200b")

// markdown returns a text that Markdown shows as it is, in one line: a response of a server may be
// part of it. An @ mentions nobody.
func markdown(text string) string {
	return markdownSpecial.Replace(plain(text))
}

// GitLabSection is a summary of a shift for the log of a GitLab job, in a section that can be
// folded. The provider does not print it, because Terraform owns the terminal.
func (s *Story) GitLabSection(page string, now time.Time) string {
	const erase = "\x1b[0K"
	name := "bluegreen_" + strings.Map(sectionRune, s.Shift.ID)
	var b strings.Builder
	fmt.Fprintf(&b, "%[1]ssection_start:%[2]d:%[3]s\r%[1]s%[4]s\n", erase, now.Unix(), name, plain(s.Title()))
	fmt.Fprintf(&b, "Traffic: %s\n", plain(s.Traffic()))
	if s.Result.Reason != "" {
		fmt.Fprintf(&b, "Reason: %s\n", plain(s.Result.Reason))
	}
	for _, warning := range s.Result.Warnings {
		fmt.Fprintf(&b, "Warning: %s\n", plain(warning))
	}
	for _, g := range s.Gates {
		if len(g.Runs) > 0 {
			fmt.Fprintf(&b, "%s\n", plain(fmt.Sprintf("Gate %s: %s (%s) %s", g.Name, statusText(g.Latest.Status), countsText(g.Count), measuredText(g.last))))
		}
	}
	if page != "" {
		fmt.Fprintf(&b, "Report: %s\n", plain(page))
	}
	fmt.Fprintf(&b, "%[1]ssection_end:%[2]d:%[3]s\r%[1]s\n", erase, now.Unix(), name)
	return b.String()
}

// sectionRune returns a character for the name of a section, which has no others.
func sectionRune(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}

// plain returns a text for a terminal, without control characters, in one line.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
}
