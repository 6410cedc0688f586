//go:build linux

package operated

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// A running apply is followed by the record on its routes, from its first step to its end. What was
// printed is a journal.
func TestOperated_watch(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, patient)
	w.MustConfigure("green")
	apply := w.Start()
	w.Eventually("the first step", func() bool { return w.Weights()["green"] == 5 })
	watch := e2e.Operate(w, "watch", "--route", w.Stack.Listener, "--interval", "100ms", "--json")
	ask(t, w, 0, "promote")
	w.Eventually("the second step", func() bool { return w.Weights()["green"] == 50 })
	ask(t, w, 0, "promote")
	w.Eventually("the bake", func() bool { return w.HasAll("green") })
	ask(t, w, 0, "promote")
	if out, ok := apply.Wait(); !ok {
		t.Fatalf("the apply failed:\n%s", out)
	}
	out, errs, code := watch.Wait()
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	path := filepath.Join(t.TempDir(), "shift.jsonl")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	story, err := report.ReadStory(path)
	if err != nil || !story.Ended || story.Result.Outcome != "completed" || story.Lost != 0 || story.Weights()["app-green"] != 100 {
		t.Errorf("%v\n%s", err, out)
	}
	steps := map[float64]bool{}
	for line := range strings.Lines(out) {
		var e report.Entry
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
