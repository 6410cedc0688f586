package operate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The events of Watch beside those of a journal. Detail has them in words.
const (
	RecordRead    = "record_read"    // the record differs from what was read before
	RequestRead   = "request_read"   // somebody asks the shift for something
	ResponseRead  = "response_read"  // a route does not forward
	ReadFailed    = "read_failed"    // a call failed in a way that may pass
	ReadRecovered = "read_recovered" // it passed
)

// The outcomes of Watch beside those of a journal.
const (
	Abandoned = "abandoned" // the process of the shift has ended, and nobody returns the traffic
	Gone      = "ended"     // the record is gone, and the weights do not say how the shift ended
)

const (
	cannotFollow = "Cannot follow the shift"
	// recheck limits the pause after a read without the record: tags may be late, and a shift
	// writes its record again.
	recheck = time.Second
	// goneAfter is how long a record is missing before it counts as gone. A running shift reads its
	// record every 5 seconds, and writes it again where somebody removed it.
	goneAfter = 8 * time.Second
)

// WatchOptions are the arguments of Watch.
type WatchOptions struct {
	Interval time.Duration // between two reads
	// GoneAfter is how long a record is missing before it counts as gone. 0: 8 seconds.
	GoneAfter time.Duration
	// OnEntry receives what is read in the form of a journal: the first entry is report.Opened, and
	// the last one of a shift that ended is report.Ended.
	OnEntry func(report.Entry) error
}

// watching is a shift that is followed by its record.
type watching struct {
	*Operator
	WatchOptions
	n        int          // of entries
	shift    traffic.Left // as last read; without an id: none was found yet
	begun    traffic.Left // as first read: a record that is being removed has not all routes any more
	states   []traffic.State
	missing  time.Time // since when reads were without the record; zero: the last one has it
	failed   string    // the last failure that may pass; empty: the last read succeeded
	shown    map[string]string
	requests map[string]traffic.Request // by nonce, without those that are answered
}

// Watch follows a shift by its record, the weights of its routes and the health of their targets
// until it ends. It returns nil then, and the last entry has the outcome: what the record says or,
// where that was removed, what the weights say. It is Running when ctx ends before. Throttling and
// other failures that may pass are entries. It writes nothing.
func (o *Operator) Watch(ctx context.Context, options WatchOptions) error {
	if problem := o.needsRecord(cannotFollow, "so they do not show a shift", "Follow its journal: bluegreen watch --report-dir DIR, with report_dir of the provider. To see the weights, use bluegreen status --watch."); problem != nil {
		return problem
	}
	options.GoneAfter = cmp.Or(options.GoneAfter, goneAfter)
	w := &watching{Operator: o, WatchOptions: options, shown: map[string]string{}, requests: map[string]traffic.Request{}}
	for {
		result, err := w.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return w.unfinished()
		case err != nil:
			return err
		case result != nil:
			return w.emit(report.Entry{Event: report.Ended, Result: result})
		}
		pause := w.Interval
		if !w.missing.IsZero() {
			pause = min(pause, recheck)
		}
		select {
		case <-ctx.Done():
			return w.unfinished()
		case <-time.After(pause):
		}
	}
}

// unfinished is a shift that is not followed any more.
func (w *watching) unfinished() error {
	if w.shift.Shift == "" {
		return &Problem{Exit: Failed, Summary: cannotFollow, Traffic: "not read. " + unchanged, Cause: sentence(w.failed), Action: "Run the command again, with a longer --timeout."}
	}
	return &Problem{Exit: Running, Summary: "Stopped watching before the end of the shift", Traffic: w.Target.where(w.states) + " That was last read. This command moved nothing.",
		Cause: fmt.Sprintf("The timeout has expired, or the command was interrupted: %s.", describe(w.shift)), Action: "Run bluegreen watch again to continue."}
}

// poll reads once. The result is nil while the shift goes on.
func (w *watching) poll(ctx context.Context) (*report.Result, error) {
	s, problem := w.read(ctx, cannotFollow)
	if problem == nil && s.unread != nil {
		problem = w.callProblem(ctx, cannotFollow, s.unread)
	}
	if problem == nil && w.shift.Shift == "" {
		if s, problem = w.begin(ctx, s); problem == nil {
			if err := w.opened(s); err != nil {
				return nil, err
			}
		}
	}
	if problem != nil {
		return nil, w.handle(ctx, problem)
	}
	if err := w.recovered(); err != nil {
		return nil, err
	}
	w.states = s.states
	switch found := find(s, &w.shift); {
	case found:
		w.missing = time.Time{}
	case w.missing.IsZero():
		w.missing = time.Now()
	}
	for _, show := range []func(context.Context) error{w.weights, w.health, w.record, w.asked} {
		if err := show(ctx); err != nil {
			return nil, err
		}
	}
	return w.result(), nil
}

// handle emits a failure that may pass, and returns the others.
func (w *watching) handle(ctx context.Context, problem *Problem) error {
	if problem.Exit != Failed || ctx.Err() != nil {
		return problem
	}
	if w.failed == problem.Cause {
		return nil
	}
	w.failed = problem.Cause
	return w.emit(report.Entry{Event: ReadFailed, Detail: problem.Cause})
}

func (w *watching) recovered() error {
	if w.failed == "" {
		return nil
	}
	w.failed = ""
	return w.emit(report.Entry{Event: ReadRecovered})
}

// begin finds the shift. One that ended and left a record has an outcome as well.
func (w *watching) begin(ctx context.Context, s seen) (seen, *Problem) {
	open := s.open()
	switch {
	case len(open) > 1:
		return s, refuse(cannotFollow, fmt.Sprintf("The routes have records of several shifts: %s; %s.", describe(open[0]), describe(open[1])), "Name the routes of one switch.")
	case len(s.shifts) == 0:
		return s, refuse(cannotFollow, "No shift is running: the routes have no record of one.", "Run bluegreen status to see where the traffic is. With --report-dir, the journal has shifts that ended.")
	case len(open) == 0:
		open = s.shifts[len(s.shifts)-1:]
	}
	s, x, problem := w.complete(ctx, s, open[0], cannotFollow)
	if problem == nil {
		w.shift, w.begun = x, x
	}
	return s, problem
}

// opened emits what is shifted.
func (w *watching) opened(s seen) error {
	x := w.shift
	about := report.Shift{ID: x.Shift, Entries: w.Target.entries(), Owner: &x.Owner, To: report.Percentages{}}
	for i, route := range w.Target.Routes {
		about.Routes = append(about.Routes, report.ShiftRoute{ID: route.ID, Entry: route.Entry, Label: label(route.ID, s.states[i])})
		for name, percent := range w.percentages(i, s.states[i], x.To[route.ID]) {
			about.To[name] += percent / float64(len(w.Target.Routes))
		}
	}
	if x.Version != "" {
		about.Versions = map[string]string{x.Environment: x.Version}
	}
	return w.emit(report.Entry{Event: report.Opened, Version: report.Version, Shift: &about})
}

// percentages are the shares of a record by the names of the environments or groups.
func (w *watching) percentages(i int, s traffic.State, shares map[string]shift.Share) report.Percentages {
	route := w.Target.Routes[i]
	names := map[string]string{}
	for _, group := range append(w.Target.groups(route.Entry), s.Groups()...) {
		names[traffic.GroupKey(group)] = w.Target.name(route.Entry, group)
	}
	p := report.Percentages{}
	for key, share := range shares {
		if name := names[key]; name != "" && share > 0 {
			p[name] += share.Percent()
		}
	}
	return p
}

// emit passes an entry on.
func (w *watching) emit(e report.Entry) error {
	e.N, e.At = w.n, time.Now()
	w.n++
	return w.OnEntry(e)
}

// changed reports whether a text differs from the last one of its name.
func (w *watching) changed(name, text string) bool {
	last, shown := w.shown[name]
	w.shown[name] = text
	return !shown || last != text
}

// weights emits the weights of the routes that changed.
func (w *watching) weights(context.Context) error {
	owners := traffic.NewOwners(w.Target.groupsByEnvironment(), nil, groupName)
	for i, s := range w.states {
		route := w.Target.Routes[i]
		if !w.changed(route.ID, w.Target.describe(route.Entry, s)) {
			continue
		}
		e := report.Entry{Event: string(rollout.RouteRead), Route: route.ID, Weights: report.Percentages{}}
		if s.Response == "" {
			e.Weights = report.PercentagesOf(owners.Weights(route.Entry, s))
		}
		if err := w.emit(e); err != nil {
			return err
		}
		if s.Response == "" {
			continue
		}
		if err := w.emit(report.Entry{Event: ResponseRead, Route: route.ID, Detail: label(route.ID, s) + ": " + s.Response}); err != nil {
			return err
		}
	}
	return nil
}

// health emits the targets of all groups if their number changed.
func (w *watching) health(ctx context.Context) error {
	read, err := w.Operator.health(ctx, w.states)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if text := errorText(err); text != "" {
		if !w.changed("health", text) {
			return nil
		}
		return w.emit(report.Entry{Event: ReadFailed, Detail: "the health of some targets could not be read: " + text})
	}
	var all []report.Targets
	done := map[string]bool{}
	text := ""
	for i, s := range w.states {
		route := w.Target.Routes[i]
		for _, group := range s.Groups() {
			h, is := read[group]
			if !is || done[group] {
				continue
			}
			done[group] = true
			t := targetsOf(h)
			t.Environment, t.Entry = w.Target.name(route.Entry, group), route.Entry
			if t.Entry == "" {
				t.Entry = label(route.ID, s)
			}
			key := traffic.GroupKey(group)
			t.Gains = w.begun.To[route.ID][key] > w.begun.From[route.ID][key]
			all = append(all, t)
			if text != "" {
				text += "; "
			}
			text += fmt.Sprintf("%s (%s): %d healthy, %d unhealthy, %d initial, %d draining", t.Environment, t.Entry, t.Healthy, t.Unhealthy, t.Initial, t.Draining)
		}
	}
	if len(all) == 0 || !w.changed("health", text) {
		return nil
	}
	return w.emit(report.Entry{Event: string(rollout.HealthRead), Targets: all, Detail: text})
}

func targetsOf(h traffic.Health) report.Targets {
	return report.Targets{Healthy: h.Serving(), Unhealthy: h.Count(traffic.Unhealthy) + h.Count(traffic.Unknown), Initial: h.Count(traffic.Initial),
		Draining: h.Count(traffic.Draining), Unused: h.Count(traffic.Unused)}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return oneLine(err.Error())
}

// record emits what the record says.
func (w *watching) record(context.Context) error {
	x := w.shift
	text := fmt.Sprintf("%s, at %s", x.Phase, x.Reached)
	if w.isGuarded() {
		text += ". Its process has ended, and its guardian returns the traffic"
	}
	text = join(text, strings.TrimSuffix(x.Reason, "."))
	if !w.missing.IsZero() {
		text = "not on the routes now"
	}
	if !w.changed("record", text) {
		return nil
	}
	return w.emit(report.Entry{Event: RecordRead, Detail: text})
}

// isGuarded reports whether a guardian is about to return the traffic.
func (w *watching) isGuarded() bool {
	return w.shift.Phase == traffic.PhaseOpen && w.Guarded != nil && w.Guarded(w.shift.Owner)
}

// asked emits requests and their answers.
func (w *watching) asked(context.Context) error {
	for _, r := range w.shift.Requests {
		if _, known := w.requests[r.Nonce]; known || r.Shift != w.shift.Shift || !w.changed("request "+r.Nonce, "") {
			continue
		}
		w.requests[r.Nonce] = r
		if err := w.emit(report.Entry{Event: RequestRead, Gate: r.Gate, Detail: fmt.Sprintf("%s by %s, at %s", r.Verb, r.By, r.At)}); err != nil {
			return err
		}
	}
	for _, nonce := range slices.Sorted(maps.Keys(w.requests)) {
		r := w.requests[nonce]
		answer, answered := traffic.AnswerTo(w.shift.Answers, nonce)
		if !answered {
			continue
		}
		delete(w.requests, nonce)
		if err := w.emit(report.Entry{Event: string(rollout.RequestAnswered), Gate: r.Gate, Detail: fmt.Sprintf("%s by %s: %s", r.Verb, r.By, answer)}); err != nil {
			return err
		}
	}
	return nil
}
