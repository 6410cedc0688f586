package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// record records events and a result in a folder.
func record(dir string, events []rollout.Event, result report.Result) report.Closed {
	r := report.New(report.Options{Dir: dir, Shift: sampleShift()})
	for _, e := range events {
		r.OnEvent(e)
	}
	return r.Close(result, events[len(events)-1].At)
}

// readAll returns the entries of a journal.
func readAll(t *testing.T, path string) []report.Entry {
	t.Helper()
	var all []report.Entry
	if err := report.Read(path, func(e report.Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecorder_writesEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports", "prod")
	closed := record(dir, failedShift(), failedResult())
	if closed.Warning != "" || closed.Page != filepath.Join(dir, "20261102T093000Z-0a1b.html") || closed.Story == nil {
		t.Fatalf("%+v", closed)
	}
	all := readAll(t, report.JournalPath(dir, sampleShift().ID))
	if n := len(failedShift()) + 2; len(all) != n {
		t.Fatalf("%d entries, want %d", len(all), n)
	}
	for i, e := range all {
		if e.N != i {
			t.Fatalf("entry %d has number %d", i, e.N)
		}
	}
	if first, last := all[0], all[len(all)-1]; first.Event != report.Opened || first.Version != report.Version || last.Event != report.Ended || last.Result.Reason != failedResult().Reason {
		t.Errorf("first %+v, last %+v", first, last)
	}
	for _, name := range []string{"20261102T093000Z-0a1b.jsonl", "20261102T093000Z-0a1b.html", report.IndexName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
}

// Each event is in the file while the shift runs, so that a crash loses none.
func TestRecorder_isReadableAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := report.New(report.Options{Dir: dir, Shift: sampleShift()})
		path := report.JournalPath(dir, sampleShift().ID)
		for i, e := range failedShift() {
			r.OnEvent(e)
			synctest.Wait()
			if i%50 != 0 {
				continue
			}
			if n := len(readAll(t, path)); n != i+2 {
				t.Fatalf("%d entries after %d events", n, i+1)
			}
		}
		page, err := os.ReadFile(report.PagePath(path))
		if err != nil || !strings.Contains(string(page), `http-equiv="refresh"`) {
			t.Errorf("the page of a running shift does not refresh itself: %v", err)
		}
		closed := r.Close(failedResult(), time.Now())
		page, err = os.ReadFile(closed.Page)
		if err != nil || strings.Contains(string(page), `http-equiv="refresh"`) {
			t.Errorf("the page of a shift that ended refreshes itself: %v", err)
		}
	})
}

// An apply that changes nothing is no shift.
func TestRecorder_omitsWhatChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	quiet := []rollout.Event{{At: began, Kind: rollout.ShiftStarted, Text: "none"}, {At: began, Kind: rollout.RouteRead, Route: listener, Weights: split(0)}, {At: began, Kind: rollout.ShiftEnded, Text: "completed"}}
	if closed := record(dir, quiet, report.Result{Outcome: "completed"}); closed != (report.Closed{}) {
		t.Errorf("%+v", closed)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder exists: %v", err)
	}
	attaches := append(quiet[:2:2], rollout.Event{At: began, Kind: rollout.WeightsWritten, Route: listener, Weights: split(0)}, quiet[2])
	if closed := record(dir, attaches, report.Result{Outcome: "completed"}); closed.Page == "" {
		t.Errorf("%+v", closed)
	}
}

// Without a folder, only the story is left, for the summary of a job.
func TestRecorder_withoutFolder(t *testing.T) {
	closed := record("", failedShift(), failedResult())
	if closed.Page != "" || closed.Warning != "" || !closed.Story.Ended {
		t.Errorf("%+v", closed)
	}
}

// A folder that cannot be created is one warning.
func TestRecorder_folderCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reports")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed := record(file, failedShift(), failedResult())
	if closed.Page != "" || !strings.Contains(closed.Warning, file) || !closed.Story.Ended {
		t.Errorf("%+v", closed)
	}
}

// disk is a file on a disk that hangs, or is full for a while.
type disk struct {
	report.File
	answers chan struct{} // nil: it answers at once
	full    int           // how many writes fail in the middle of a line
}

func (d *disk) Write(b []byte) (int, error) {
	if d.answers != nil {
		<-d.answers
	}
	if d.full > 0 {
		d.full--
		n, _ := d.File.Write(b[:len(b)/3])
		return n, errors.New("no space left on device")
	}
	return d.File.Write(b)
}

func onDisk(t *testing.T, d *disk) (r *report.Recorder, path string) {
	dir := t.TempDir()
	r = report.New(report.Options{Dir: dir, Shift: sampleShift()})
	path = report.JournalPath(dir, sampleShift().ID)
	r.SetOpen(func() (report.File, error) {
		f, err := report.OpenNew(path)
		d.File = f
		return d, err
	})
	return r, path
}

// A disk that hangs delays no event, and the end by a few seconds only.
func TestRecorder_diskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{answers: make(chan struct{})}
		r, path := onDisk(t, d)
		start := time.Now()
		for _, e := range failedShift() {
			r.OnEvent(e)
		}
		for range 3 * report.MaxQueued {
			r.OnEvent(rollout.Event{At: began, Kind: rollout.GateEvaluated, Gate: "users", Status: rollout.Pass})
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the events took %s", took)
		}
		closed := r.Close(failedResult(), time.Now())
		if took := time.Since(start); took > 10*time.Second || closed.Warning == "" || closed.Page != "" || closed.Story != nil {
			t.Errorf("%+v after %s", closed, took)
		}
		close(d.answers)
		synctest.Wait()
		all := readAll(t, path)
		if last := all[len(all)-1]; last.Event != report.Ended || len(all) > 2*report.MaxQueued+len(failedShift())+2 {
			t.Errorf("%d entries, the last is %+v", len(all), last)
		}
	})
}

// A full disk that has room again costs nothing.
func TestRecorder_diskIsFullForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, path := onDisk(t, &disk{full: 5})
		for _, e := range failedShift() {
			r.OnEvent(e)
			synctest.Wait()
		}
		if closed := r.Close(failedResult(), time.Now()); closed.Warning != "" {
			t.Error(closed.Warning)
		}
		if n := len(readAll(t, path)); n != len(failedShift())+2 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestRecorder_diskRemainsFull(t *testing.T) {
	r, path := onDisk(t, &disk{full: 1 << 20})
	for _, e := range failedShift() {
		r.OnEvent(e)
	}
	closed := r.Close(failedResult(), time.Now())
	if !strings.Contains(closed.Warning, "no space left on device") {
		t.Error(closed.Warning)
	}
	if err := report.Read(path, func(report.Entry) error { return nil }); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// counted is a file that takes everything, counts lines and does not sync.
type counted struct{ lines chan int }

func (c counted) Write(b []byte) (int, error) {
	c.lines <- bytes.Count(b, []byte{'\n'})
	return len(b), nil
}
func (counted) Truncate(int64) error           { return nil }
func (counted) Seek(int64, int) (int64, error) { return 0, nil }
func (counted) Sync() error                    { return nil }
func (counted) Close() error                   { return nil }

// BenchmarkRecorder is one event from OnEvent until it is in the file, without the sync, while the
// page is written.
func BenchmarkRecorder(b *testing.B) {
	r := report.New(report.Options{Dir: b.TempDir(), Shift: sampleShift()})
	lines := make(chan int, 10)
	r.SetOpen(func() (report.File, error) { return counted{lines}, nil })
	sent, written := 1, 0 // the first line is the shift
	for b.Loop() {
		r.OnEvent(rollout.Event{At: began.Add(time.Duration(sent) * time.Second), Kind: rollout.GateEvaluated, Gate: fmt.Sprintf("gate-%d", sent%20), Status: rollout.Pass,
			Text: "web (green) had 3 errors in 520 requests over 1m (0.58 %, limit 1 %)", Measured: []rollout.Measurement{errorRate(time.Minute, 0.58)}, Took: time.Second})
		for sent++; written < sent; {
			written += <-lines
		}
	}
	r.Close(failedResult(), time.Now())
}

// A guardian continues the journal of a process that died in the middle of a line.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		died := report.New(report.Options{Dir: dir, Shift: fullShift()})
		events := failedShift()
		for _, e := range events[:40] {
			died.OnEvent(e)
		}
		synctest.Wait()
		path := report.JournalPath(dir, sampleShift().ID)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, `{"n":41,"at":"20`...), 0o600); err != nil {
			t.Fatal(err)
		}
		r := report.Resume(path)
		r.OnEvent(rollout.Event{At: events[40].At, Kind: rollout.RollbackStarted, Text: "the owner of the shift died"})
		r.OnEvent(rollout.Event{At: events[40].At, Kind: rollout.WeightsVerified, Route: listener, Weights: shift.Weights{"arn:blue": 900, "arn:other": 100}})
		r.OnEvent(rollout.Event{At: events[40].At, Kind: rollout.ShiftEnded, Text: "rolled_back"})
		closed := r.Close(report.Result{Outcome: "rolled_back", Reason: "the process died"}, events[41].At)
		if closed.Warning != "" || closed.Page != report.PagePath(path) {
			t.Errorf("%+v", closed)
		}
		all := readAll(t, path)
		if len(all) != 45 || all[40].N != 40 || all[41].N != 41 || all[44].N != 44 || all[44].Result.Reason != "the process died" {
			t.Errorf("%d entries, %+v", len(all), all[41:])
		}
		if w := all[42].Weights; len(w) != 2 || w["blue"] != 90 || w["arn:other"] != 10 {
			t.Errorf("the weights are %v", w)
		}
		page, err := os.ReadFile(closed.Page)
		if err != nil || !strings.Contains(string(page), "The rollback starts: the owner of the shift died") || !strings.Contains(string(page), "Preflight gates.") {
			t.Errorf("the page does not have both parts: %v", err)
		}
		died.Close(failedResult(), time.Now()) // it was only frozen
	})
}

// There is nothing to continue, and nothing is written.
func TestResume_withoutAJournal(t *testing.T) {
	for name, text := range map[string]string{"none": "", "newer": strings.Replace(firstLine, `"version":1`, `"version":9`, 1)} {
		path := filepath.Join(t.TempDir(), "none.jsonl")
		if text != "" {
			path = journalOf(t, text)
		}
		r := report.Resume(path)
		r.OnEvent(rollout.Event{Kind: rollout.RollbackStarted})
		if closed := r.Close(report.Result{Outcome: "rolled_back"}, began); closed.Warning == "" || closed.Page != "" {
			t.Errorf("%s: %+v", name, closed)
		}
		if after, err := os.ReadFile(path); text == "" != errors.Is(err, os.ErrNotExist) || string(after) != text {
			t.Errorf("%s: %q, %v", name, after, err)
		}
	}
}
