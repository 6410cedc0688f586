package main

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// watchVerb is "bluegreen watch".
type watchVerb struct {
	Shift string `arg:"" optional:"" help:"ID of the shift, with --report-dir. Default: the last one."`
	places
	Interval time.Duration `default:"5s" help:"Time between two reads of the routes."`
	Timeout  time.Duration `help:"How long to follow the shift. Default: until it ends."`
}

// Run follows a shift until it ends. The exit code is its outcome: 0 completed, 1 it did not, 3 it
// goes on.
func (v *watchVerb) Run(ctx context.Context, s streams) error {
	v.lines = true
	fromJournal, err := v.source(s)
	if err != nil {
		return v.report(s, err)
	}
	if v.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, v.Timeout)
		defer cancel()
		ctx = limited
	}
	f := newFollower(s, v.JSON)
	if fromJournal {
		err = v.followJournal(ctx, f)
	} else {
		err = v.followRecord(ctx, f)
	}
	if err != nil {
		return err
	}
	if !v.JSON {
		if err := printLine(s.out, f.story.Closing()); err != nil {
			return err
		}
	}
	if f.story.Ended && f.story.Result.Outcome == string(release.Completed) {
		return nil
	}
	return &operate.Problem{Exit: operate.Failed, Summary: f.story.Title()}
}

// source reports whether the shift is followed in its journal.
func (v *watchVerb) source(s streams) (journal bool, err error) {
	routes := len(v.Route) > 0 || v.File != ""
	switch {
	case v.Interval <= 0:
		return false, usage("--interval is not positive", "Use a duration such as 5s.")
	case routes && v.ReportDir != "":
		return false, usage("--report-dir cannot be used together with --route or -f", "Use --report-dir to follow the journal, or --route or -f to follow the record on the routes.")
	case routes && v.Shift != "":
		return false, usage("The ID of a shift needs --report-dir", "Leave it out: with --route or -f, the shift that is running is followed.")
	case routes:
		return false, nil
	}
	if v.ReportDir == "" {
		v.ReportDir, _ = s.getenv("BLUEGREEN_REPORT_DIR")
	}
	if v.ReportDir == "" {
		return false, usage("No shift is named", "Use --route, -f with a state file, or --report-dir with a folder of journals.")
	}
	return true, nil
}

// followJournal follows the journal.
func (v *watchVerb) followJournal(ctx context.Context, f *follower) error {
	r := &reports{ReportDir: v.ReportDir, JSON: v.JSON}
	journal, err := r.journal(v.Shift)
	if err != nil {
		return r.fail(f.streams, "Cannot follow the shift", err)
	}
	err = f.follow(func() error { return report.Follow(ctx, journal, f.add) })
	switch {
	case ctx.Err() != nil && !f.story.Ended:
		return v.report(f.streams, &operate.Problem{Exit: operate.Running, Summary: "Stopped watching before the end of the shift", Traffic: f.story.Traffic() + ", as the journal has it. This command moved nothing.",
			Cause: "The timeout has expired, or the command was interrupted. The journal has no end.", Action: "Run bluegreen watch again to continue, or bluegreen status --route to see whether its process is running."})
	case err != nil:
		return r.fail(f.streams, "Cannot follow the shift", err)
	}
	return nil
}

// followRecord follows the record on the routes.
func (v *watchVerb) followRecord(ctx context.Context, f *follower) error {
	o, err := v.open(ctx, f.streams)
	if err != nil {
		return v.report(f.streams, err)
	}
	err = f.follow(func() error { return o.Watch(ctx, operate.WatchOptions{Interval: v.Interval, OnEntry: f.add}) })
	if err != nil {
		return v.report(f.streams, err)
	}
	return nil
}
