package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// progress prints the shifts of a Terraform with the lines of bluegreen watch.
type progress struct {
	printer
	file    string       // in which the provider announces its journals
	printed atomic.Int64 // of them, those of earlier applies and those that were printed to their end
}

// printPause is how long the lines of a shift may come after the end of its Terraform.
const printPause = 2 * time.Second

// reporting returns the environment of a Terraform whose shifts are reported and followed.
func (d *demo) reporting(file string) ([]string, error) {
	if d.setupOnly { // nobody follows
		return nil, nil
	}
	return []string{report.DirVariable + "=" + d.reports, report.JournalsVariable + "=" + file}, os.WriteFile(file, nil, 0o600)
}

// newProgress prints the shifts that begin from now on.
func newProgress(v printer, file string) *progress {
	earlier, _ := report.Announced(file)
	p := &progress{printer: v, file: file}
	p.printed.Store(int64(len(earlier)))
	return p
}

// catchUp waits until the lines of a Terraform that has ended are printed, so that its output comes
// after them.
func (p *progress) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, printPause)
	defer cancel()
	for {
		journals, _ := report.Announced(p.file)
		if int(p.printed.Load()) >= len(journals) || wait(ctx, pollInterval) != nil {
			return
		}
	}
}

// follow prints until ctx ends, with the time since began.
func (p *progress) follow(ctx context.Context, began time.Time) {
	for {
		journals, _ := report.Announced(p.file)
		printed := int(p.printed.Load())
		if printed == len(journals) {
			if wait(ctx, pollInterval) != nil {
				return
			}
			continue
		}
		for _, journal := range journals[printed:] {
			p.shift(ctx, journal, began)
			p.printed.Add(1)
		}
	}
}

// shift prints a shift until its end. Nothing has written the journal yet where nothing is shifted.
func (p *progress) shift(ctx context.Context, journal string, began time.Time) {
	story, verdicts := report.NewStory(), map[string]string{}
	each := func(e report.Entry) error {
		story.Add(e)
		if line := story.Text(e); line != "" && !repeats(verdicts, e) {
			p.say("%6.1fs  %s", e.At.Sub(began).Seconds(), line)
		}
		return nil
	}
	for errors.Is(report.Follow(ctx, journal, each), os.ErrNotExist) {
		if wait(ctx, pollInterval) != nil {
			return
		}
	}
}

// repeats reports whether a gate has the same verdict again in the same phase: in the demo, gates
// are evaluated several times per second.
func repeats(verdicts map[string]string, e report.Entry) bool {
	switch {
	case e.Event == string(rollout.PhaseStarted):
		clear(verdicts)
	case e.Event == string(rollout.GateEvaluated):
		again := verdicts[e.Gate] == e.Status
		verdicts[e.Gate] = e.Status
		return again
	}
	return false
}
