//go:build linux

package guarded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// eventsOf returns the events of a journal, in order, which has only complete lines.
func eventsOf(t *testing.T, journal string) (events []string) {
	t.Helper()
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e struct {
			N       int
			Event   string
			Weights map[string]float64
		}
		err := json.Unmarshal([]byte(line), &e)
		for name := range e.Weights {
			if name != "blue" && name != "green" {
				t.Errorf("line %d has weights of %q", e.N, name)
			}
		}
		if err != nil || e.N != len(events) {
			t.Fatalf("line %d is %q: %v", len(events), line, err)
		}
		events = append(events, e.Event)
	}
	return events
}

// The provider is killed in the middle of a shift: the journal has everything up to that, and the
// guardian continues it.
func TestGuardian_continuesTheJournal(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
	dir := filepath.Join(t.TempDir(), "reports")
	w.Terraform.Env = append(w.Terraform.Env, "BLUEGREEN_REPORT_DIR="+dir)
	w.MustConfigure("green")
	if !w.StruckAt(e2e.Kill(e2e.AllButGuards), 2, func(call localaws.Call) bool { return strings.HasPrefix(call.Action, "Modify") }) {
		t.Fatal("the apply was not killed")
	}
	if late := returned(w, time.Now(), 0); late != "" {
		t.Error(late)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the journals are %v, %v", found, err)
	}
	w.Eventually("the journal ends", func() bool {
		text, err := os.ReadFile(found[0])
		return err == nil && strings.Contains(string(text), `"event":"result"`)
	})
	all := strings.Join(eventsOf(t, found[0]), " ")
	for _, want := range []string{"journal_opened shift_started route_read", "weights_written", "rollback_started weights_written", "shift_ended result"} {
		if !strings.Contains(all, want) {
			t.Errorf("the journal has no %q: %s", want, all)
		}
	}
	page := strings.TrimSuffix(found[0], ".jsonl") + ".html"
	w.Eventually("the page has the end", func() bool {
		text, err := os.ReadFile(page)
		return err == nil && strings.Contains(string(text), "its guardian returned the traffic") && !strings.Contains(string(text), `http-equiv="refresh"`)
	})
	w.LostNothing()
}
