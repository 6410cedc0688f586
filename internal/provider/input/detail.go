package input

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// Texts of apply-time diagnostics. The summary is a verb phrase. The detail has,
// in this order: where the traffic is and what was done about it, the cause, what
// to do in exactly this situation, then "Key: value" lines.

// Fact is a "Key: value" line.
type Fact [2]string

// FactLines returns the facts, one per line after an empty line, without those
// that have no value.
func FactLines(facts []Fact) string {
	text := ""
	for _, f := range facts {
		if f[1] != "" {
			text += "\n" + f[0] + ": " + f[1]
		}
	}
	if text == "" {
		return ""
	}
	return "\n" + text
}

// Detail is the detail of a diagnostic; empty parts are left out.
type Detail struct {
	Traffic, Cause, Action string
	Facts                  []Fact
}

// Diagnostic returns an error with the summary and this detail.
func (d Detail) Diagnostic(summary string) diag.Diagnostic {
	return diag.NewErrorDiagnostic(summary, d.text())
}

// Warning returns a warning with the summary and this detail.
func (d Detail) Warning(summary string) diag.Diagnostic {
	return diag.NewWarningDiagnostic(summary, d.text())
}

func (d Detail) text() string {
	var paragraphs []string
	if d.Traffic != "" {
		paragraphs = append(paragraphs, "Traffic: "+d.Traffic)
	}
	for _, p := range []string{d.Cause, d.Action} {
		if p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return strings.Join(paragraphs, "\n\n") + FactLines(d.Facts)
}

// CauseFact is the underlying error, if any.
func CauseFact(err error) []Fact {
	if err == nil {
		return nil
	}
	return []Fact{{"Cause", err.Error()}}
}

// ReportToDevelopers is for what only a fault of the provider can cause.
func ReportToDevelopers(summary string, facts ...Fact) diag.Diagnostic {
	return Detail{
		Cause:  "This is a bug in the provider.",
		Action: "Report it to the provider developers with the lines below and the configuration of the resource.",
		Facts:  facts,
	}.Diagnostic(summary)
}

// Sentence ends a text with a period.
func Sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// Capitalized begins a text with a capital letter.
func Capitalized(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
