package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

func TestExport(t *testing.T) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "TRACE") {
			t.Setenv(name, "")
		}
	}
	dir, running := t.TempDir(), t.TempDir()
	recordShift(t, dir, "20261102T093000Z-0a1b", report.Result{Outcome: "completed"})
	recordShift(t, running, "20261102T093000Z-0a1b", report.Result{})
	awaitJournal(t, running)
	var requests atomic.Int32
	status := http.StatusOK
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	for _, c := range []struct {
		name     string
		args     []string
		status   int
		parent   string
		code     int
		requests int32
	}{
		{name: "sent", args: []string{"--report-dir", dir, "--endpoint", receiver.URL}, requests: 1},
		{name: "with a parent, as JSON", args: []string{"--report-dir", dir, "--endpoint", receiver.URL, "--json"}, parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", requests: 1},
		{name: "running and a malformed parent", args: []string{"--report-dir", running, "--endpoint", receiver.URL}, parent: "4bf92f", requests: 1},
		{name: "denied", args: []string{"--report-dir", dir, "--endpoint", receiver.URL}, status: http.StatusForbidden, code: 1, requests: 1},
		{name: "denied, as JSON", args: []string{"--report-dir", dir, "--endpoint", receiver.URL, "--json"}, status: http.StatusForbidden, code: 1, requests: 1},
		{name: "no receiver", args: []string{"--report-dir", dir}, code: 2},
		{name: "no such shift", args: []string{"20251102T093000Z-0a1b", "--report-dir", dir, "--endpoint", receiver.URL}, code: 2},
	} {
		requests.Store(0)
		if status = c.status; status == 0 {
			status = http.StatusOK
		}
		t.Setenv("TRACEPARENT", c.parent)
		r := runWith(t.Context(), "", false, append([]string{"export", "--otlp"}, c.args...)...)
		if r.code != c.code || requests.Load() != c.requests {
			t.Errorf("%s: exit code %d, %d requests\n%s%s", c.name, r.code, requests.Load(), r.out, r.err)
		}
		golden.CheckPart(t, c.name, r.out+r.err, golden.Replace(dir, "<dir>"), golden.Replace(receiver.URL, "<receiver>"))
	}
	if r := runWith(t.Context(), "", false, "export", "--report-dir", dir); r.code != 2 {
		t.Errorf("without --otlp: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// Journals that cannot be read are refused by every verb, with nothing changed.
func TestReports_badJournals(t *testing.T) {
	const first = `{"n":0,"at":"2026-11-01T09:30:00Z","event":"journal_opened","version":1,"shift":{"id":"20261101T093000Z-0a1b","entry_points":["web"],"routes":[]}}` + "\n"
	for name, text := range map[string]string{
		"empty":          "",
		"only a part":    first[:40],
		"no journal":     "some text\n",
		"newer":          `{"n":0,"at":"2026-11-01T09:30:00Z","event":"journal_opened","version":99}` + "\n",
		"damaged":        first + "some text\n" + `{"n":2,"at":"2026-11-01T09:31:00Z","event":"shift_ended","detail":"completed"}` + "\n",
		"another's file": `{"version":4,"resources":[]}` + "\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "20261101T093000Z-0a1b.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range [][]string{{"watch"}, {"report"}, {"report", "--format", "markdown"}, {"export", "--otlp", "--endpoint", "http://127.0.0.1:1"}} {
			r := runWith(t.Context(), "", false, append(verb, "--report-dir", dir)...)
			if r.code != 2 || r.out != "" {
				t.Errorf("%s of %s: exit code %d\n%s%s", verb, name, r.code, r.out, r.err)
			}
			if verb[0] == "watch" {
				golden.CheckPart(t, name, r.err, golden.Replace(dir, "<dir>"))
			}
		}
		r := runWith(t.Context(), "", false, "history", "--report-dir", dir)
		if r.code != 0 || !strings.Contains(r.out, "cannot be read") {
			t.Errorf("history of %s: exit code %d\n%s%s", name, r.code, r.out, r.err)
		}
		files, err := os.ReadDir(dir)
		after, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || len(files) != 1 || string(after) != text {
			t.Errorf("%s: the folder was changed: %v, %v, %v", name, files, err, readErr)
		}
	}
}

// A folder without journals, or none.
func TestReports_noJournals(t *testing.T) {
	empty := t.TempDir()
	for _, dir := range []string{empty, filepath.Join(empty, "none")} {
		for _, verb := range [][]string{{"watch"}, {"report"}, {"export", "--otlp", "--endpoint", "http://127.0.0.1:1"}} {
			if r := runWith(t.Context(), "", false, append(verb, "--report-dir", dir)...); r.code != 2 || !strings.Contains(r.err, "\n"+dir+" has no journals.\n") {
				t.Errorf("%s: exit code %d\n%s%s", verb, r.code, r.out, r.err)
			}
		}
	}
	if files, err := os.ReadDir(empty); err != nil || len(files) > 0 {
		t.Errorf("the folder has %v, %v", files, err)
	}
}
