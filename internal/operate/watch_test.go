package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// watched is a Watch that runs beside the test.
type watched struct {
	w       *world
	mu      sync.Mutex
	entries []report.Entry
	cancel  func()
	done    chan error
}

// watch follows the shift on routes.
func (w *world) watch(o *operate.Operator) *watched {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), slow.Deadline(time.Minute))
	w.t.Cleanup(cancel)
	x := &watched{w: w, cancel: cancel, done: make(chan error, 1)}
	go func() {
		x.done <- o.Watch(ctx, operate.WatchOptions{Interval: 10 * time.Millisecond, GoneAfter: 50 * time.Millisecond, OnEntry: func(e report.Entry) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.entries = append(x.entries, e)
			return nil
		}})
	}()
	return x
}

func (x *watched) lines() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := ""
	for _, e := range x.entries {
		if line := e.Line(); line != "" {
			text += line + "\n"
		}
	}
	return text
}

// shows waits for a line.
func (x *watched) shows(text string) {
	x.w.t.Helper()
	x.w.eventually("a line with "+text, func() bool { return strings.Contains(x.lines(), text) })
}

// end waits for the end, and returns the last entry.
func (x *watched) end() (report.Entry, error) {
	x.w.t.Helper()
	err := <-x.done
	if len(x.entries) == 0 {
		return report.Entry{}, err
	}
	return x.entries[len(x.entries)-1], err
}

// routed replaces the ARNs of the routes, and the moments that a slow machine sees or does not.
func (w *world) routed() []golden.Replacement {
	all := w.volatile()
	for i, route := range w.routes {
		all = append(all, golden.Replace(route, []string{"<listener>", "<rule 10>", "<rule 11>"}[i]))
	}
	return all
}

// A shift is followed from one of its routes: each change is a line, and the end is what the record
// says.
func TestWatch_changes(t *testing.T) {
	w := newWorld(t)
	r := w.running()
	mark := w.mark()
	x := w.watch(w.on(w.routes[1]))
	x.shows("record read: open")
	x.shows("health: ")
	if err := elb.NewRecorder(w.router()).Ask(t.Context(), w.routes, traffic.Request{Verb: traffic.VerbApprove, Gate: "go", Shift: r.Shift, At: r.Reached, By: "zoe", Nonce: "0a0b0c0d"}); err != nil {
		t.Fatal(err)
	}
	x.shows("request read: approve by zoe")
	r.Answers, r.Renewal = traffic.WithAnswer("", "0a0b0c0d", traffic.ResultAccepted), r.Renewal+1
	w.put(r)
	x.shows("request answered: approve by zoe: accepted")
	w.deregister("green")
	x.shows(") 0 of 0 healthy")
	r.Phase, r.Reason, r.Renewal = traffic.PhaseRollingBack, `gate "users" failed`, r.Renewal+1
	w.put(r)
	x.shows("record read: rolling_back")
	w.split(0, w.routes...)
	r.Phase, r.Renewal = traffic.PhaseRejected, r.Renewal+1
	w.put(r)
	last, err := x.end()
	if err != nil || last.Result == nil || last.Result.Outcome != "rolled_back" || len(last.Result.Routes) != 3 {
		t.Errorf("got %+v, %v\n%s", last, err, x.lines())
	}
	for _, route := range last.Result.Routes {
		if route.Weights["app-blue"] != 100 {
			t.Errorf("%+v", route)
		}
	}
	if !strings.Contains(x.lines(), w.routes[2]+" has app-blue 100 %") {
		t.Errorf("the weights are missing:\n%s", x.lines())
	}
	writes := w.writes(mark)
	if writes != 3 { // those of this test
		t.Errorf("%d writes", writes)
	}
}

// What is printed is a journal, which the other verbs read.
func TestWatch_isAJournal(t *testing.T) {
	w := newWorld(t)
	r := w.running()
	x := w.watch(w.named())
	x.shows("health: ")
	r.Phase = traffic.PhaseCompleted
	w.put(r)
	if last, err := x.end(); err != nil || last.Result.Outcome != "completed" {
		t.Fatalf("got %+v, %v", last, err)
	}
	journal := ""
	for _, e := range x.entries {
		line, err := json.Marshal(e)
		w.must(err)
		journal += string(line) + "\n"
	}
	path := filepath.Join(t.TempDir(), "shift.jsonl")
	w.must(os.WriteFile(path, []byte(journal), 0o600))
	story := report.NewStory()
	w.must(report.Read(path, func(e report.Entry) error { story.Add(e); return nil }))
	if story.Title() != "Shift of web: completed" || story.Lost != 0 || story.Shift.To["green"] != 100 || story.From["blue"] != 50 || len(story.Health) != 2 {
		t.Errorf("%s: %+v", story.Title(), story)
	}
	golden.Check(t, x.lines(), w.routed()...)
}

// The record is gone: only the weights say how the shift ended.
func TestWatch_gone(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name    string
		green   int32
		outcome string
	}{{"at the goal", 100, "completed"}, {"where it started", 0, "rolled_back"}, {"in between", 30, operate.Gone}} {
		w.split(50, w.routes...)
		w.running()
		x := w.watch(w.on(w.routes...))
		x.shows("health: ")
		w.split(c.green, w.routes...)
		w.clear()
		last, err := x.end()
		if err != nil || last.Result == nil || last.Result.Outcome != c.outcome {
			t.Fatalf("%s: got %+v, %v\n%s", c.name, last, err, x.lines())
		}
		golden.CheckPart(t, c.name, last.Line(), w.routed()...)
	}
}

// Tags that are late or removed by somebody are no end while the record returns.
func TestWatch_recordReturns(t *testing.T) {
	w := newWorld(t)
	r := w.running()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan string, 100)
	done := make(chan error, 1)
	o := w.on(w.routes...)
	go func() {
		done <- o.Watch(ctx, operate.WatchOptions{Interval: 10 * time.Millisecond, GoneAfter: time.Hour, OnEntry: func(e report.Entry) error {
			if e.Event == operate.RecordRead {
				seen <- e.Detail
			}
			return nil
		}})
	}()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if !strings.HasPrefix(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-time.After(slow.Deadline(20 * time.Second)):
			t.Fatalf("no entry %q", want)
		}
	}
	next("open")
	w.clear()
	next("not on the routes now")
	w.put(r)
	next("open")
	cancel()
	if err := <-done; exitOf(t, err) != operate.Running {
		t.Errorf("got %v", err)
	} else {
		golden.Check(t, err.Error(), w.routed()...)
	}
}

// failing fails the first reads of records as AWS does when the client has retried for a while.
type failing struct {
	traffic.Recorder
	times int
}

func (f *failing) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	if f.times > 0 {
		f.times--
		return nil, fmt.Errorf("DescribeTags: %w", traffic.ErrThrottled)
	}
	return f.Recorder.Records(ctx, routes)
}

// Throttling and server errors are lines. Expired credentials end it.
func TestWatch_failures(t *testing.T) {
	w := newWorld(t)
	w.running()
	o := w.on(w.routes...)
	o.Recorder = &failing{Recorder: o.Recorder, times: 3}
	x := w.watch(o)
	x.shows("read recovered")
	x.shows("record read: open")
	if text := x.lines(); strings.Count(text, "read failed") != 1 {
		t.Errorf("the same failure is repeated:\n%s", text)
	}
	remove := w.aws.Inject(faults.Fault{Action: "DescribeTargetHealth", Kind: faults.AccessDenied})
	x.shows("the health of some targets could not be read")
	remove()
	defer w.aws.Inject(faults.Fault{Kind: faults.ExpiredToken})()
	_, err := x.end()
	if exitOf(t, err) != operate.Refused || !errors.Is(err, traffic.ErrExpired) {
		t.Fatalf("got %v", err)
	}
	golden.Check(t, err.Error(), w.routed()...)
}

func TestWatch_refused(t *testing.T) {
	w := newWorld(t)
	other := w.record()
	other.Shift = "20260103T120000Z-00bb"
	for name, c := range map[string]struct {
		prepare func()
		want    operate.Exit
	}{
		"no record": {func() {}, operate.Refused},
		"several":   {func() { w.running(); w.put(other) }, operate.Refused},
		"denied": {func() {
			t.Cleanup(w.aws.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied, Times: 1}))
		}, operate.Refused},
	} {
		w.clear()
		c.prepare()
		_, err := w.watch(w.on(w.routes...)).end()
		if exitOf(t, err) != c.want {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		golden.CheckPart(t, name, err.Error(), w.routed()...)
	}
}

// A shift that has ended or is abandoned has an outcome at once.
func TestWatch_ended(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		prepare func(*traffic.Record)
		outcome string
	}{
		"abandoned":   {func(*traffic.Record) {}, operate.Abandoned},
		"stopped":     {func(r *traffic.Record) { r.Phase = traffic.PhaseStopped }, "stopped"},
		"rolled back": {func(r *traffic.Record) { r.Phase = traffic.PhaseRolledBack }, "rolled_back"},
		"rejected":    {func(r *traffic.Record) { r.Phase, r.Reason = traffic.PhaseRejected, "gate users failed" }, "rolled_back"},
	} {
		w.clear()
		r := w.record()
		c.prepare(&r)
		w.put(r)
		last, err := w.watch(w.on(w.routes...)).end()
		if err != nil || last.Result == nil || last.Result.Outcome != c.outcome {
			t.Errorf("%s: got %+v, %v", name, last, err)
			continue
		}
		golden.CheckPart(t, name, last.Line(), w.routed()...)
	}
}
