// Package reporting connects the shifts of the provider with their reports: where these are
// written, and what a shift is called in them.
package reporting

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Settings is where the shifts of a provider are reported.
type Settings struct {
	Dir     string // of journals and pages; empty: none are written
	Summary string // the file to which summaries are appended; empty: none are
	Version string // of the provider
	// Journals is the file in which journals are announced; empty: there is none.
	Journals string
	lookup   func(string) (string, bool)
}

// Read returns the settings of a provider. An argument has precedence over the environment, also an
// empty one. While it is unknown, nothing is applied.
func Read(dir types.String, lookup func(string) (string, bool), version string) Settings {
	s := Settings{Dir: dir.ValueString(), Version: version, lookup: lookup}
	if dir.IsNull() {
		s.Dir, _ = lookup(report.DirVariable)
	}
	s.Summary, _ = lookup(report.SummaryVariable)
	s.Journals, _ = lookup(report.JournalsVariable)
	return s
}

// Report is that of a shift in progress. A nil one reports nothing.
type Report struct {
	settings  Settings
	recorder  *report.Recorder
	announced bool // somebody else follows the journal, and writes the summary
}

// Start starts the report of a shift, which has the schedule; nil where there is none.
func (s Settings) Start(a release.Apply, schedule string) *Report {
	if s.Dir == "" && s.Summary == "" {
		return nil
	}
	what := Describe(a, s.lookup)
	what.Schedule, what.Provider = schedule, s.Version
	r := &Report{settings: s, recorder: report.New(report.Options{Dir: s.Dir, Shift: what})}
	if s.Dir != "" && s.Journals != "" {
		// Without it nobody follows the journal; the shift is the same.
		r.announced = report.Announce(s.Journals, r.recorder.Journal()) == nil
	}
	return r
}

// Describe returns what a shift is about.
func Describe(a release.Apply, lookup func(string) (string, bool)) report.Shift {
	who := owner.New(lookup)
	what := report.Shift{ID: a.Spec.ID, Versions: map[string]string{}, Groups: map[string]string{}, To: report.PercentagesOf(a.Desired.Weights), Owner: &who}
	for _, route := range a.Desired.Routes {
		if !slices.Contains(what.Entries, route.Entry) {
			what.Entries = append(what.Entries, route.Entry)
		}
		what.Routes = append(what.Routes, report.ShiftRoute{ID: route.ID, Entry: route.Entry, Label: platform.Label(route.ID)})
	}
	for _, name := range a.Desired.Names() {
		for _, group := range a.Desired.Environments[name].Groups {
			what.Groups[group] = name
		}
		if version := a.Desired.VersionOf(name); version != "" {
			what.Versions[name] = version
		}
	}
	for _, g := range a.Spec.Request.Strategy.Gates {
		what.Gates = append(what.Gates, report.ShiftGate{Name: g.Name, DryRun: g.DryRun, When: string(g.When), IntervalSeconds: g.Interval.Seconds()})
	}
	return what
}

// Journal returns the path of the journal; empty: there is none.
func (r *Report) Journal() string {
	if r == nil || r.settings.Dir == "" {
		return ""
	}
	return r.recorder.Journal()
}

// Page returns the path of the page, which is written beside the journal; empty: there is none.
func (r *Report) Page() string {
	if journal := r.Journal(); journal != "" {
		return report.PagePath(journal)
	}
	return ""
}

// OnEvent reports an event, as rollout.Spec.OnEvent.
func (r *Report) OnEvent(e rollout.Event) {
	if r != nil {
		r.recorder.OnEvent(e)
	}
}

// isFollowed reports whether somebody else has the journal, and writes the summary of the job.
func (r *Report) isFollowed() bool {
	if !r.announced {
		return false
	}
	_, err := os.Stat(r.recorder.Journal())
	return err == nil
}

// Left is what a report left.
type Left struct {
	Page     string   // the path of the page; empty: there is none
	Warnings []string // what could not be written
}

// End ends the report with the result of the engine.
func (r *Report) End(result rollout.Result, err error) Left {
	if r == nil {
		return Left{}
	}
	end := report.Result{Outcome: string(release.Completed), Routes: report.RoutesOf(result.Routes), Warnings: result.Warnings}
	if err != nil {
		f := release.FailureOf(err)
		end.Outcome, end.Reason = string(release.OutcomeOf(f)), release.Reason(f)
	}
	closed := r.recorder.Close(end, time.Now())
	left := Left{Page: closed.Page}
	if closed.Warning != "" {
		left.Warnings = append(left.Warnings, closed.Warning)
	}
	if r.settings.Summary == "" || closed.Story == nil || r.isFollowed() {
		return left
	}
	if err := report.AppendSummary(r.settings.Summary, closed.Story, closed.Page); err != nil {
		left.Warnings = append(left.Warnings, fmt.Sprintf("The summary of the job could not be written: %s", err))
	}
	return left
}
