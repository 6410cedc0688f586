package rollout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// mark separates a story from what it is known to do.
const mark = "----\n"

// TestStories plays whole shifts in virtual time and compares everything that
// there is to see with what was recorded.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { tellStory(t, file) })
	}
}

func tellStory(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script, want, _ := strings.Cut(string(text), mark)
	got := ""
	synctest.Test(t, func(t *testing.T) {
		p := play(parse(script))
		for _, wrong := range p.wrong {
			t.Error(wrong)
		}
		got = p.text()
	})
	if golden.Update() {
		if err := os.WriteFile(file, []byte(script+mark+got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
