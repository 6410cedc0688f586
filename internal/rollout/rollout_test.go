package rollout_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// separator is between the script of a story and its recorded trace.
const separator = "----\n"

// TestStories plays whole shifts in virtual time and compares their traces with the
// recorded ones.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playStory(t, file) })
	}
}

func playStory(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, want, _ := strings.Cut(string(text), separator)
	got := ""
	synctest.Test(t, func(t *testing.T) {
		p := play(parse(script))
		for _, violation := range p.violations {
			t.Error(violation)
		}
		got = p.text()
	})
	if golden.Update() {
		if err := os.WriteFile(file, []byte(script+separator+got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// checkReturnMarks checks that an apply that returned the traffic of an unfinished shift said so
// in its record: the process may be killed before the state is saved.
func (p *player) checkReturnMarks() {
	if p.schedule.Kind != shift.Rollback && !p.schedule.RollsBackFirst || !p.result.Moved {
		return
	}
	for _, c := range p.story.left {
		if c.record.Switch != "this" || !c.record.IsOpen() {
			continue
		}
		if !slices.ContainsFunc(p.memory.Calls(), func(call routertest.Call) bool {
			return call.Op == routertest.Put && call.Record.Shift == c.record.Shift && call.Record.Phase == traffic.PhaseRollingBack
		}) {
			p.violatef("the record of %s does not say that this apply rolls it back", c.record.Shift)
		}
	}
}
