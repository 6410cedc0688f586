package report_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// browser runs headless Chromium.
type browser struct {
	t    *testing.T
	path string
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return browser{t, path}
		}
	}
	t.Skip("chromium is not installed, so the page was not opened in a browser")
	return browser{}
}

// console is a line that a page wrote to the console, also for what it could not load.
var console = regexp.MustCompile(`.*CONSOLE.*`)

// run opens a page and returns what the browser printed. Nothing may be on the console.
func (b browser) run(page string, flags ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), slow.Deadline(time.Minute))
	defer cancel()
	args := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
		"--enable-logging=stderr", "--user-data-dir=" + b.t.TempDir()}, flags...)
	cmd := exec.CommandContext(ctx, b.path, append(args, "file://"+page)...)
	cmd.WaitDelay = time.Second
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("the browser failed: %v\n%s", err, messages.String())
	}
	if found := console.FindAllString(messages.String(), -1); found != nil {
		b.t.Errorf("the console has %q", found)
	}
	return string(out)
}

func (b browser) screenshot(page, name string, flags ...string) {
	b.t.Helper()
	dir := os.Getenv("BLUEGREEN_TEST_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	file := filepath.Join(dir, name)
	b.run(page, append(flags, "--screenshot="+file)...)
	if info, err := os.Stat(file); err != nil || info.Size() < 10_000 {
		b.t.Errorf("there is no screenshot: %v", err)
	}
}

// Chromium opens the pages without a message, in light and dark, narrow, and printed. With
// BLUEGREEN_TEST_SCREENSHOTS, the folder has what it shows.
func TestPage_inABrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	dir := t.TempDir()
	closed := record(dir, failedShift(), failedResult())
	dom := b.run(closed.Page, "--dump-dom")
	for _, want := range []string{"Rolled back", "error rate", "<caption>"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	b.screenshot(closed.Page, "light.png", "--window-size=1100,3300")
	b.screenshot(closed.Page, "dark.png", "--window-size=1100,3300", "--blink-settings=preferredColorScheme=0")
	b.screenshot(closed.Page, "narrow.png", "--window-size=500,2200")
	b.screenshot(filepath.Join(dir, report.IndexName), "index.png", "--window-size=1100,500")
	printed := filepath.Join(t.TempDir(), "page.pdf")
	if dir := os.Getenv("BLUEGREEN_TEST_SCREENSHOTS"); dir != "" {
		printed = filepath.Join(dir, "page.pdf")
	}
	b.run(closed.Page, "--print-to-pdf="+printed)
	if info, err := os.Stat(printed); err != nil || info.Size() < 10_000 {
		t.Errorf("there is no PDF: %v", err)
	}
}

// The page of a day under 20 gates opens within two seconds, without the start of the browser.
func TestPage_opensQuickly(t *testing.T) {
	b := newBrowser(t) // not in parallel, because it measures
	dir := t.TempDir()
	page, err := longShift(97, 15*time.Second).Render(false, began)
	if err != nil {
		t.Fatal(err)
	}
	long, empty := filepath.Join(dir, "long.html"), filepath.Join(dir, "empty.html")
	for path, text := range map[string][]byte{long: page, empty: []byte("<!DOCTYPE html><title>Empty</title>")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fastest := func(path string) time.Duration { // of several, because others use the machine
		best := time.Hour
		for range 3 {
			start := time.Now()
			b.run(path, "--window-size=1100,900", "--screenshot="+filepath.Join(dir, "seen.png"))
			best = min(best, time.Since(start))
		}
		return best
	}
	start := fastest(empty)
	took := fastest(long) - start
	b.screenshot(long, "long.png", "--window-size=1100,2200")
	t.Logf("%d bytes opened in %s", len(page), took)
	if slow.Exceeds(took, 2*time.Second) {
		t.Errorf("the page opened in %s", took)
	}
}
