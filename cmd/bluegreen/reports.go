package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// reports are the flags of the verbs about journals.
type reports struct {
	ReportDir string `required:"" env:"BLUEGREEN_REPORT_DIR" help:"Folder of the journals, as report_dir of the provider." placeholder:"DIR"`
	JSON      bool   `name:"json" help:"Print one JSON document."`
}

// historyVerb is "bluegreen history".
type historyVerb struct{ reports }

// reportVerb is "bluegreen report".
type reportVerb struct {
	reports
	Shift string `arg:"" optional:"" help:"ID of the shift. Default: the last one."`
}

// watchVerb is "bluegreen watch".
type watchVerb struct {
	reports
	Shift   string        `arg:"" optional:"" help:"ID of the shift. Default: the last one."`
	Timeout time.Duration `help:"How long to follow. Default: until the shift ends."`
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
	past := []pastShift{}
	for _, x := range all {
		one := pastShift{ID: cmp.Or(x.Shift.ID, filepath.Base(x.Journal)), Started: x.Started, Seconds: x.Last.Sub(x.Started).Seconds(), Entries: x.Shift.Entries,
			From: x.From.String(), To: x.Shift.To.String(), Outcome: x.Result.Outcome, Reason: x.Result.Reason, Page: x.Page}
		if x.Err != nil {
			one.Problem = x.Err.Error()
		}
		past = append(past, one)
	}
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

// Run writes the page of a shift again, and prints its path.
func (v *reportVerb) Run(s streams) error {
	journal, err := v.journal(v.Shift)
	if err != nil {
		return v.fail(s, "Cannot write the report", err)
	}
	page, err := report.WritePage(journal, time.Now())
	if err != nil {
		return v.fail(s, "Cannot write the report", err)
	}
	if v.JSON {
		return printJSON(s.out, map[string]string{"journal": journal, "page": page})
	}
	return printLine(s.out, page)
}

// errNoShift reports that a folder has no such shift.
var errNoShift = errors.New("there is no such journal")

// journal returns the path of the journal of a shift; empty id: the last one.
func (v *reports) journal(id string) (string, error) {
	all, err := report.List(v.ReportDir)
	if err != nil {
		return "", err
	}
	for _, x := range all {
		if id == "" || x.Shift.ID == id || filepath.Base(x.Journal) == filepath.Base(report.JournalPath(v.ReportDir, id)) {
			return x.Journal, nil
		}
	}
	return "", fmt.Errorf("%w in %s", errNoShift, v.ReportDir)
}

// fail prints an error. A journal of a newer version, and one that is missing, are refused.
func (v *reports) fail(s streams, summary string, err error) error {
	p := &operate.Problem{Exit: operate.Failed, Summary: summary, Cause: err.Error(), Err: err, Action: "Check --report-dir, and that its files can be read."}
	_, newer := errors.AsType[*report.NewerError](err)
	if newer || errors.Is(err, errNoShift) || errors.Is(err, report.ErrNotJournal) {
		p.Exit = operate.Refused
	}
	if errors.Is(err, errNoShift) {
		p.Cause = fmt.Sprintf("There is no such journal in %s.", v.ReportDir)
		p.Action = "Run bluegreen history to see the shifts of the folder."
	}
	return (&places{JSON: v.JSON}).report(s, p)
}

// Run follows a shift until it ends. The exit code is its outcome: 0 completed, 1 it did not, 3 it
// goes on.
func (v *watchVerb) Run(ctx context.Context, s streams) error {
	journal, err := v.journal(v.Shift)
	if err != nil {
		return v.fail(s, "Cannot follow the shift", err)
	}
	if v.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, v.Timeout)
		defer cancel()
		ctx = limited
	}
	story := report.NewStory()
	err = report.Follow(ctx, journal, func(e report.Entry) error {
		story.Add(e)
		if v.JSON {
			return printCompact(s.out, e)
		}
		line := story.Line(e)
		if line == "" {
			return nil
		}
		return printLine(s.out, line)
	})
	switch {
	case ctx.Err() != nil && !story.Ended:
		return &operate.Problem{Exit: operate.Running, Summary: "The shift goes on"}
	case err != nil:
		return v.fail(s, "Cannot follow the shift", err)
	case !v.JSON:
		if err := printLine(s.out, story.Closing()); err != nil {
			return err
		}
	}
	if story.Ended && story.Result.Outcome == string(release.Completed) {
		return nil
	}
	return &operate.Problem{Exit: operate.Failed, Summary: story.Title()}
}
