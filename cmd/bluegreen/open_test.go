package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// browserOf is a browser that writes what it opens to a file.
func browserOf(t *testing.T) (command, opened string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the browser of this test is a shell script, which Windows does not run")
	}
	dir := t.TempDir()
	command, opened = filepath.Join(dir, "browser"), filepath.Join(dir, "opened")
	if err := os.WriteFile(command, []byte("#!/bin/sh\nprintf %s \"$1\" > "+opened+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return command, opened
}

func TestReport_opens(t *testing.T) {
	dir := t.TempDir()
	const id = "20261102T093000Z-0a1b"
	recordShift(t, dir, id, report.Result{Outcome: "completed"})
	command, opened := browserOf(t)
	page := filepath.Join(dir, id+".html")
	other := filepath.Join(t.TempDir(), "a page.html")
	for name, c := range map[string]struct {
		args    []string
		browser string
		want    string
	}{
		"report":          {[]string{"report", "--open"}, command, "file://" + page},
		"the second":      {[]string{"report", "--open"}, "no-such-browser" + string(os.PathListSeparator) + command + " %s", "file://" + page},
		"another file":    {[]string{"report", "--open", "-o", other}, command, "file://" + strings.ReplaceAll(other, " ", "%20")},
		"history":         {[]string{"history", "--open"}, command, "file://" + filepath.Join(dir, report.IndexName)},
		"history as JSON": {[]string{"history", "--open", "--json"}, command, "file://" + filepath.Join(dir, report.IndexName)},
	} {
		_ = os.Remove(opened)
		t.Setenv("BROWSER", c.browser)
		r := runWith(t.Context(), "", false, append(c.args, "--report-dir", dir)...)
		got, err := os.ReadFile(opened)
		if r.code != 0 || err != nil || string(got) != c.want {
			t.Errorf("%s: exit code %d, opened %q, %v\n%s%s", name, r.code, got, err, r.out, r.err)
		}
		if _, err := os.Stat(strings.TrimPrefix(strings.ReplaceAll(c.want, "%20", " "), "file://")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without a browser, the message has the path of the page, which was written.
func TestReport_doesNotOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems have a command that opens pages")
	}
	dir := t.TempDir()
	const id = "20261102T093000Z-0a1b"
	recordShift(t, dir, id, report.Result{Outcome: "completed"})
	for _, name := range []string{"BROWSER", "DISPLAY", "WAYLAND_DISPLAY"} {
		t.Setenv(name, "")
	}
	path := os.Getenv("PATH")
	for name, c := range map[string]struct {
		args    []string
		browser string
	}{
		"no display":   {[]string{"report", "--open"}, ""},
		"no browser":   {[]string{"report", "--open"}, "no-such-browser"},
		"fails":        {[]string{"history", "--open"}, "false"},
		"with display": {[]string{"report", "--open", "--json"}, ""},
	} {
		t.Setenv("BROWSER", c.browser)
		if name == "with display" {
			t.Setenv("DISPLAY", ":0")
			t.Setenv("PATH", dir)
		}
		if name == "fails" {
			_ = os.Remove(filepath.Join(dir, report.IndexName))
		}
		r := runWith(t.Context(), "", false, append(c.args, "--report-dir", dir)...)
		t.Setenv("DISPLAY", "")
		t.Setenv("PATH", path)
		if r.code != 1 {
			t.Errorf("%s: exit code %d\n%s%s", name, r.code, r.out, r.err)
		}
		golden.CheckPart(t, name, r.out+r.err, golden.Replace(dir, "<dir>"))
		if _, err := os.Stat(filepath.Join(dir, id+".html")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := t.TempDir()
	r := runWith(t.Context(), "", false, "history", "--open", "--report-dir", empty)
	if files, err := os.ReadDir(empty); r.code != 2 || err != nil || len(files) > 0 {
		t.Errorf("an empty folder: exit code %d, %v\n%s%s", r.code, files, r.out, r.err)
	}
	golden.CheckPart(t, "an empty folder", r.out+r.err, golden.Replace(empty, "<dir>"))
}

// The page and the summary are also written where the user names them.
func TestReport_output(t *testing.T) {
	dir := t.TempDir()
	const id = "20261102T093000Z-0a1b"
	recordShift(t, dir, id, report.Result{Outcome: "completed"})
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.html")
	printed := runWith(t.Context(), "", false, "report", "-o", "-", "--report-dir", dir)
	written := runWith(t.Context(), "", false, "report", "-o", file, "--report-dir", dir)
	page, err := os.ReadFile(file)
	trim := func(text string) string { main, _, _ := strings.Cut(text, "<footer>"); return main }
	if err != nil || printed.code != 0 || written.code != 0 || trim(printed.out) != trim(string(page)) || !strings.Contains(printed.out, "<!doctype html>") && !strings.Contains(printed.out, "<!DOCTYPE html>") {
		t.Errorf("exit codes %d and %d, %v\n%s%s", printed.code, written.code, err, written.out, written.err)
	}
	summary := filepath.Join(t.TempDir(), "summary.md")
	if r := runWith(t.Context(), "", false, "report", "--format", "markdown", "-o", summary, "--report-dir", dir); r.code != 0 || r.out != summary+"\n" {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if text, err := os.ReadFile(summary); err != nil || !strings.HasPrefix(string(text), "### Shift of web: completed") {
		t.Errorf("%v\n%s", err, text)
	}
	after, err := os.ReadDir(dir)
	if err != nil || len(after) != len(before) {
		t.Errorf("the folder of the journals changed: %v, %v", after, err)
	}
	if r := runWith(t.Context(), "", false, "report", "-o", filepath.Join(file, "below"), "--report-dir", dir); r.code != 1 {
		t.Errorf("below a file: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}
