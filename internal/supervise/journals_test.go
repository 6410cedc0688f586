package supervise

import (
	"os"
	"path/filepath"
	"testing"
)

// The command may run in another directory, as terraform -chdir does, so that a relative TMPDIR would
// name another file there.
func TestNewAnnouncements_relativeFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", ".")
	file, err := newAnnouncements()
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(file) {
		t.Errorf("it is at %s", file)
	}
	removeAnnouncements(file)
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
