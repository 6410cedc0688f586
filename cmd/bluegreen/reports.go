package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// reports are the flags of the verbs about journals.
type reports struct {
	ReportDir string `required:"" env:"BLUEGREEN_REPORT_DIR" help:"Folder of the journals, as report_dir of the provider." placeholder:"DIR"`
	JSON      bool   `name:"json" help:"Print JSON instead of text."`
}

// historyVerb is "bluegreen history".
type historyVerb struct {
	reports
	Open bool `help:"Write the page that lists the shifts and open it in the browser."`
}

// reportVerb is "bluegreen report".
type reportVerb struct {
	reports
	Shift  string `arg:"" optional:"" help:"ID of the shift. Default: the last one."`
	Format string `enum:"html,markdown" default:"html" help:"Format: html for the report, markdown for a summary."`
	Output string `short:"o" help:"File to write. - is standard output. Default: beside the journal, and standard output for markdown." placeholder:"FILE"`
	Open   bool   `help:"Open the report in the browser."`
}

// pastShift is a shift of the history.
type pastShift struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started_at"`
	Seconds float64   `json:"seconds"` // until its last entry
	Entries []string  `json:"entry_points"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Outcome string    `json:"outcome,omitempty"` // empty: no end is recorded
	Reason  string    `json:"reason,omitempty"`
	Page    string    `json:"page,omitempty"`
	Problem string    `json:"problem,omitempty"` // why the journal cannot be read
}

// Run lists the shifts, the last one first.
func (v *historyVerb) Run(s streams) error {
	all, err := report.List(v.ReportDir)
	if err != nil {
		return v.fail(s, "Cannot read the reports", err)
	}
	if v.Open && len(all) == 0 {
		return (&places{JSON: v.JSON}).report(s, &operate.Problem{Exit: operate.Refused, Summary: "Cannot open the page", Traffic: "Nothing was changed.",
			Cause: v.ReportDir + " has no journals of shifts.", Action: "Use the folder that is report_dir of the provider."})
	}
	if err := v.print(s, pastShifts(all)); err != nil || !v.Open {
		return err
	}
	if err := report.WriteIndex(v.ReportDir); err != nil {
		return v.fail(s, "Cannot write the page", err)
	}
	return v.open(s, filepath.Join(v.ReportDir, report.IndexName))
}

func pastShifts(all []report.Summary) []pastShift {
	past := []pastShift{}
	for _, x := range all {
		one := pastShift{ID: cmp.Or(x.Shift.ID, filepath.Base(x.Journal)), Started: x.Started, Seconds: x.Last.Sub(x.Started).Seconds(), Entries: x.Shift.Entries,
			From: x.From.String(), To: x.Shift.To.String(), Outcome: x.Result.Outcome, Reason: x.Result.Reason, Page: x.Page}
		if x.Err != nil {
			one.Problem = x.Err.Error()
		}
		past = append(past, one)
	}
	return past
}

func (v *historyVerb) print(s streams, past []pastShift) error {
	if v.JSON {
		return printJSON(s.out, past)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, x := range past {
		switch {
		case x.Problem != "":
			fmt.Fprintf(w, "%s\t\t\t\tcannot be read: %s\n", x.ID, x.Problem)
		default:
			fmt.Fprintf(w, "%s\t%s\t%s -> %s\t%s\t%s\n", x.ID, strings.Join(x.Entries, ", "), x.From, x.To,
				(time.Duration(x.Seconds * float64(time.Second))).Round(time.Second), strings.TrimSuffix(cmp.Or(x.Outcome, "no end recorded")+": "+x.Reason, ": "))
		}
	}
	if len(past) == 0 {
		fmt.Fprintf(w, "%s has no journals of shifts.\n", v.ReportDir)
	}
	return w.Flush()
}

const cannotWrite = "Cannot write the report"

// Run writes the page or the summary of a shift.
func (v *reportVerb) Run(s streams) error {
	if problem := v.check(); problem != nil {
		return (&places{JSON: v.JSON}).report(s, problem)
	}
	journal, err := v.journal(v.Shift)
	if err != nil {
		return v.fail(s, cannotWrite, err)
	}
	text, err := v.text(journal)
	if err != nil {
		return v.fail(s, cannotWrite, err)
	}
	path := v.Output
	if path == "-" || path == "" && v.Format == "markdown" {
		_, err := s.out.Write(text)
		return err
	}
	if path == "" {
		path = report.PagePath(journal)
	}
	if err := report.WriteFile(path, text); err != nil {
		return v.fail(s, cannotWrite, err)
	}
	if v.JSON {
		err = printJSON(s.out, map[string]string{"journal": journal, "page": path})
	} else {
		err = printLine(s.out, path)
	}
	if err != nil || !v.Open {
		return err
	}
	return v.open(s, path)
}

// check refuses flags that exclude each other.
func (v *reportVerb) check() error {
	printed := v.Output == "-" || v.Output == "" && v.Format == "markdown"
	switch {
	case v.Open && (printed || v.Format == "markdown"):
		return usage("--open needs the page in a file", "Leave out --format markdown and -o -.")
	case v.JSON && printed:
		return usage("--json and a report on standard output cannot be used together", "Use -o with the name of a file.")
	}
	return nil
}

// text is the page or the summary of a journal.
func (v *reportVerb) text(journal string) ([]byte, error) {
	story, err := report.ReadStory(journal)
	switch {
	case err != nil:
		return nil, err
	case v.Format == "markdown":
		return []byte(story.Markdown("")), nil
	}
	return story.Page(time.Now())
}

// open opens a page that was written.
func (v *reports) open(s streams, path string) error {
	if err := openPage(s, path); err != nil {
		return (&places{JSON: v.JSON}).report(s, err)
	}
	return nil
}

// errNoShift reports that a folder has no such shift.
var errNoShift = errors.New("no such shift")

// journal returns the path of the journal of a shift; empty id: the last one. It returns why the
// journal cannot be read as well.
func (v *reports) journal(id string) (string, error) {
	all, err := report.List(v.ReportDir)
	if err != nil {
		return "", err
	}
	for _, x := range all {
		if id == "" || x.Shift.ID == id || filepath.Base(x.Journal) == filepath.Base(report.JournalPath(v.ReportDir, id)) {
			return x.Journal, x.Err
		}
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%w: %s has no journals", errNoShift, v.ReportDir)
	}
	return "", fmt.Errorf("%w: %s has no journal of %s", errNoShift, v.ReportDir, id)
}

// fail prints an error.
func (v *reports) fail(s streams, summary string, err error) error {
	return (&places{JSON: v.JSON}).report(s, v.problem(summary, err))
}

// problem is an error about journals. One that is missing, damaged or of a newer version is refused.
func (v *reports) problem(summary string, err error) *operate.Problem {
	p := &operate.Problem{Exit: operate.Failed, Summary: summary, Cause: sentence(err.Error()), Err: err, Action: "Check --report-dir, and that its files can be read and written."}
	_, newer := errors.AsType[*report.NewerError](err)
	switch {
	case newer:
		p.Exit, p.Action = operate.Refused, "Install the version of bluegreen that wrote the journal, or a newer one."
	case errors.Is(err, errNoShift):
		p.Exit, p.Action = operate.Refused, "Run bluegreen history to see the shifts of the folder, or use the folder that is report_dir of the provider."
		p.Cause = sentence(strings.TrimPrefix(err.Error(), errNoShift.Error()+": "))
	case errors.Is(err, report.ErrNotJournal) || errors.Is(err, report.ErrDamaged):
		p.Exit, p.Action = operate.Refused, "Restore the file, or name another shift. Run bluegreen history to see the shifts of the folder."
	}
	if p.Exit == operate.Refused {
		p.Traffic = "Nothing was changed."
	}
	return p
}

// sentence ends a text with a period.
func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }
