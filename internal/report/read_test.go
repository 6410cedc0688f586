package report_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

const firstLine = `{"n":0,"at":"2026-11-02T09:30:00Z","event":"journal_opened","version":1,"shift":{"id":"s1","entry_points":["web"],"routes":[]}}` + "\n"

func journalOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s1.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead_badFiles(t *testing.T) {
	newer := strings.Replace(firstLine, `"version":1`, `"version":2,"shape":[1,2]`, 1)
	unknown := `{"n":1,"at":"2026-11-02T09:30:01Z","event":"from_the_future","novel":{"a":1}}` + "\n"
	for name, tt := range map[string]struct {
		text    string
		entries int
		want    string // part of the error
	}{
		"complete":                  {firstLine, 1, ""},
		"truncated last line":       {firstLine + `{"n":1,"at":"2026-11-02T09:3`, 1, ""},
		"last line without its end": {firstLine + strings.TrimSuffix(unknown, "\n"), 1, ""},
		"unknown event":             {firstLine + unknown, 2, ""},
		"empty":                     {"", 0, ""},
		"newer version":             {newer + unknown, 0, "version 2 of the journal format, and this program knows versions up to 1"},
		"damaged in the middle":     {firstLine + "{\x00\n" + unknown, 1, "line 2"},
		"another file":              {"hello\n", 0, "not a journal"},
		"another JSON file":         {`{"version":1}` + "\n", 0, "not a journal"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			err := report.Read(journalOf(t, tt.text), func(report.Entry) error { n++; return nil })
			if n != tt.entries || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d entries, %v", n, err)
			}
			if _, is := errors.AsType[*report.NewerError](err); is != (name == "newer version") {
				t.Errorf("%#v", err)
			}
		})
	}
	if err := report.Read(filepath.Join(t.TempDir(), "none.jsonl"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestFollow_untilTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := report.New(report.Options{Dir: dir, Shift: sampleShift()})
		events := failedShift()
		r.OnEvent(events[0])
		synctest.Wait()
		var seen []report.Entry
		done := make(chan error)
		go func() {
			done <- report.Follow(t.Context(), report.JournalPath(dir, sampleShift().ID), func(e report.Entry) error { seen = append(seen, e); return nil })
		}()
		for _, e := range events[1:] {
			<-time.After(time.Second)
			r.OnEvent(e)
		}
		r.Close(failedResult(), time.Now())
		if err := <-done; err != nil || len(seen) != len(events)+2 || seen[len(seen)-1].Result == nil {
			t.Errorf("%d of %d entries, %v", len(seen), len(events)+2, err)
		}
	})
}

// The process died between the end of the shift and the result, or in the shift.
func TestFollow_ends(t *testing.T) {
	ended := `{"n":1,"at":"2026-11-02T09:31:00Z","event":"shift_ended","detail":"completed"}` + "\n"
	synctest.Test(t, func(t *testing.T) {
		n := 0
		if err := report.Follow(t.Context(), journalOf(t, firstLine+ended), func(report.Entry) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("%d entries, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := report.Follow(ctx, journalOf(t, firstLine), func(report.Entry) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		stop := errors.New("stop")
		if err := report.Follow(t.Context(), journalOf(t, firstLine), func(report.Entry) error { return stop }); !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}

// listed has a shift of each sort in a folder.
func listed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "re[port]s *")
	record(dir, failedShift(), failedResult())
	for name, text := range map[string]string{
		"20261101T000000Z-0001": strings.Replace(firstLine, "2026-11-02", "2026-11-01", 1),
		"20261103T000000Z-0002": strings.Replace(firstLine, `"version":1`, `"version":9`, 1),
		"20261031T000000Z-0003": strings.Replace(firstLine, "2026-11-02", "2026-10-31", 1) + `{"n":1,"at":"2026-10-31T09:31:00Z","event":"shift_ended","detail":"interrupted, rolled_back","failure":{"cause":"interrupted","disposition":"rolled_back"}}` + "\n",
	} {
		if err := os.WriteFile(report.JournalPath(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestList(t *testing.T) {
	dir := listed(t)
	all, err := report.List(dir)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d shifts, %v", len(all), err)
	}
	failed, running, crashed, newer := all[0], all[1], all[2], all[3]
	if !failed.Ended || failed.Result.Outcome != "rolled_back" || failed.Took() != 25*time.Minute+4*time.Second || failed.From["blue"] != 100 || failed.Page == "" {
		t.Errorf("%+v", failed)
	}
	if running.Ended || running.Err != nil || running.Page != "" || running.Shift.ID != "s1" {
		t.Errorf("%+v", running)
	}
	if !crashed.Ended || crashed.Result.Outcome != "interrupted" || crashed.Last.Sub(crashed.Started) != time.Minute {
		t.Errorf("%+v", crashed)
	}
	if _, is := errors.AsType[*report.NewerError](newer.Err); !is {
		t.Errorf("%+v", newer)
	}
	if none, err := report.List(filepath.Join(dir, "none")); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// What was written is rendered again as it was.
func TestReadStory_isThatOfTheRecorder(t *testing.T) {
	dir := t.TempDir()
	closed := record(dir, failedShift(), failedResult())
	before, err := os.ReadFile(closed.Page)
	if err != nil {
		t.Fatal(err)
	}
	story, err := report.ReadStory(report.JournalPath(dir, sampleShift().ID))
	if err != nil {
		t.Fatal(err)
	}
	after, err := story.Page(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trim := func(text []byte) string { main, _, _ := strings.Cut(string(text), "<footer>"); return main }
	if trim(before) != trim(after) {
		t.Error("the pages differ")
	}
	if _, err := report.ReadStory(journalOf(t, strings.Replace(firstLine, `"version":1`, `"version":9`, 1))); err == nil {
		t.Error("a newer journal was rendered")
	}
}

// A reader that is stopped takes a last look, so that it misses nothing of a process that ended
// before it.
func TestFollow_takesALastLook(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s1.jsonl")
	if err := os.WriteFile(path, []byte(firstLine), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var events []string
		ended := make(chan error)
		go func() {
			ended <- report.Follow(ctx, path, func(e report.Entry) error { events = append(events, e.Event); return nil })
		}()
		synctest.Wait() // it has read the first line, and pauses
		text := firstLine + `{"n":1,"at":"2026-11-02T09:30:01Z","event":"shift_started","kind":"forward"}` + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || !slices.Equal(events, []string{"journal_opened", "shift_started"}) {
			t.Errorf("%q, %v", events, err)
		}
	})
}

// Only complete lines are paths, and each counts once.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "journals")
	if err := report.Announce(file, "a.jsonl"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(file, []byte("/a.jsonl\n/b.jsonl\n/a.jsonl\n/c"), 0o600); err != nil {
		t.Fatal(err)
	}
	if paths, err := report.Announced(file); err != nil || !slices.Equal(paths, []string{"/a.jsonl", "/b.jsonl"}) {
		t.Errorf("%q, %v", paths, err)
	}
}
