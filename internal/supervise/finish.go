package supervise

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

const (
	// recoverPause is the time between two attempts while the process of a shift still runs.
	recoverPause = time.Second
	// resultPause is how long the end of a journal may follow the end of its shift.
	resultPause = 10 * time.Second
	// guardianPause is how long the guardian of a shift that left no record may take.
	guardianPause = time.Minute
	// gitLabVariable is set in the jobs of GitLab.
	gitLabVariable = "GITLAB_CI"
)

// finish recovers what is open, writes summaries, and returns the exit code.
func (s *session) finish(ctx context.Context, end ending) int {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	stopped := make(chan struct{})
	defer close(stopped)
	go s.cancelAtInterrupt(stopped, cancel)
	code := end.code
	for _, x := range s.journals.announced(ctx) {
		if !s.recover(ctx, x) && code == 0 {
			code = exitFailed
		}
	}
	for _, x := range s.journals.stop(ctx) {
		s.summarize(x)
	}
	return code
}

// cancelAtInterrupt cancels a recovery at the second SIGINT, because it returns traffic that
// nothing watches.
func (s *session) cancelAtInterrupt(stopped <-chan struct{}, cancel func()) {
	for n := 0; ; {
		select {
		case <-stopped:
			return
		case signal := <-s.signals:
			if signal != os.Interrupt {
				continue
			}
			if n++; n > 1 {
				cancel()
				return
			}
		}
	}
}

// recover recovers a shift whose journal has no end. It returns false if it is open afterwards.
func (s *session) recover(ctx context.Context, x *journal) bool {
	first := report.Summarize(x.path)
	if first.Ended || first.Shift.ID == "" {
		return true // it never began, or is not readable, which the follower says
	}
	s.journals.catchUp(ctx, x)
	s.say("The command ended, and the journal of the shift %s of %s has no end: recovering the shift.", first.Shift.ID, strings.Join(first.Shift.Entries, ", "))
	var routes []string
	for _, route := range first.Shift.Routes {
		routes = append(routes, route.ID)
	}
	for {
		result, err := s.options.Recover(ctx, routes, func(line string) { s.say("%s", line) })
		ended := report.Summarize(x.path).Ended // by its process or guardian
		switch {
		case ended:
			s.awaitResult(ctx, x)
			return true
		case err == nil:
			s.say("%s", result.Text())
			s.end(ctx, x, result)
			return true
		case errors.Is(err, operate.ErrNoRecord):
			return s.awaitGuardian(ctx, x, err)
		case ctx.Err() != nil || !passes(err):
			s.say("Error: %s", err)
			s.say("The shift may be open. To return its traffic without Terraform, run: bluegreen recover --route %s", strings.Join(routes, " --route "))
			return false
		}
		sleep(ctx, recoverPause)
	}
}

// awaitGuardian waits for the guardian of a shift that left no record, which returns the traffic and ends
// the journal. Without a record it is not known whether there is one. It returns false if the shift is open
// afterwards.
func (s *session) awaitGuardian(ctx context.Context, x *journal, problem error) bool {
	limited, cancel := context.WithTimeout(ctx, guardianPause)
	defer cancel()
	for ; limited.Err() == nil; sleep(limited, scanPause) {
		if report.Summarize(x.path).Ended {
			s.awaitResult(ctx, x)
			return true
		}
	}
	s.say("Error: %s", problem)
	s.say("The shift may be open. To return its traffic without Terraform, run: terraform show -json | bluegreen rollback -f - --yes --to %s", origin(report.Summarize(x.path)))
	return false
}

// origin is the environment that had all traffic before a shift, or a placeholder.
func origin(x report.Summary) string {
	for name, percent := range x.From {
		if percent == 100 {
			return name
		}
	}
	return "NAME"
}

// passes reports whether the same recovery may succeed later.
func passes(err error) bool {
	problem, is := errors.AsType[*operate.Problem](err)
	return is && (problem.Exit == operate.Running || problem.Exit == operate.Failed)
}

// end ends the journal of a shift that was recovered. A guardian does that itself.
func (s *session) end(ctx context.Context, x *journal, result operate.Result) {
	if result.Outcome == operate.Nothing {
		s.awaitResult(ctx, x)
		return
	}
	s.journals.catchUp(ctx, x)
	end := report.Result{Outcome: string(release.RolledBack), Reason: "the process of the shift died, and bluegreen exec returned the traffic",
		Routes: routesOf(result, report.Summarize(x.path).Shift.Groups), Warnings: result.Warnings}
	report.Resume(x.path).Close(end, time.Now())
}

// awaitResult waits for the result in a journal, which its guardian writes after the end of the shift.
func (s *session) awaitResult(ctx context.Context, x *journal) {
	ctx, cancel := context.WithTimeout(ctx, resultPause)
	defer cancel()
	for ctx.Err() == nil && !hasResult(x.path) {
		sleep(ctx, scanPause)
	}
}

// hasResult reports whether a journal has its last entry.
func hasResult(journal string) bool {
	found := false
	_ = report.Read(journal, func(e report.Entry) error { // what cannot be read has none
		found = found || e.Event == report.Ended
		return nil
	})
	return found
}

// routesOf returns where a recovery left the traffic. groups are the environments of target groups.
func routesOf(result operate.Result, groups map[string]string) []report.RouteResult {
	var all []report.RouteResult
	for _, route := range result.Routes {
		x := report.RouteResult{ID: route.ID, Response: route.Response}
		if route.Response == "" {
			x.Weights = report.Percentages{}
		}
		for _, group := range route.Groups {
			if group.Percent > 0 {
				x.Weights[cmp.Or(groups[group.ID], group.Name)] += group.Percent
			}
		}
		all = append(all, x)
	}
	return all
}

// sleep waits for a pause, or for the end of ctx.
func sleep(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// say prints lines that are not of a journal.
func (s *session) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.options.JSON {
		line, err := json.Marshal(map[string]string{"message": text})
		if err == nil {
			s.err.Line(string(line))
		}
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			s.err.Line("[bluegreen] " + line)
		}
	}
}

// summarize writes the summary of a shift for the page and the log of the job.
func (s *session) summarize(x *journal) {
	page := report.PagePath(x.path)
	if _, err := os.Stat(page); err != nil {
		page = ""
	}
	if path, _ := lookup(s.options.Environ, report.SummaryVariable); path != "" {
		if err := report.AppendSummary(path, x.story, page); err != nil {
			s.warn("The summary of the job could not be written: %s", err)
		}
	}
	if set, _ := lookup(s.options.Environ, gitLabVariable); set == "true" {
		s.out.Line(strings.TrimSuffix(x.story.GitLabSection(page, time.Now()), "\n"))
	}
}
