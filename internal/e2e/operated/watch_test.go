//go:build linux

package operated

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// A running apply is followed by the record on its routes, from its first step to its end. What was
// printed is a journal.
func TestOperated_watch(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, patient)
	w.MustConfigure("green")
	apply := w.Start()
	reached(t, w, 5)
	watch := e2e.Operate(w, "watch", "--route", w.Stack.Listener, "--interval", "100ms", "--json")
	ask(t, w, 0, "promote")
	reached(t, w, 50)
	ask(t, w, 0, "promote")
	reached(t, w, 100)
	ask(t, w, 0, "promote")
	if out, ok := apply.Wait(); !ok {
		t.Fatalf("the apply failed:\n%s", out)
	}
	out, errs, code := watch.Wait()
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shift.jsonl"), []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	summary, errs, code := e2e.Operate(w, "report", "--report-dir", dir, "--format", "markdown").Wait()
	if code != 0 || !strings.Contains(summary, "### Shift: completed\n\n**Traffic:** app-green 100 %") {
		t.Errorf("exit code %d\n%s%s\n%s", code, summary, errs, out)
	}
	steps := map[float64]bool{}
	for line := range strings.Lines(out) {
		var e struct {
			Event   string
			Weights map[string]float64
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == "route_read" {
			steps[e.Weights["app-green"]] = true
		}
	}
	if !steps[50] || !steps[100] {
		t.Errorf("it shows the steps %v\n%s", steps, out)
	}
}
