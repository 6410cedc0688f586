package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// fenced returns the first fenced block after a mark of a text.
func fenced(t *testing.T, text, mark string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, mark)
	_, rest, opened := strings.Cut(rest, "```")
	_, rest, lined := strings.Cut(rest, "\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !found || !opened || !lined || !closed {
		t.Fatalf("no fenced block after %s", mark)
	}
	return block + "\n"
}

func TestREADME_showsTheQuickstart(t *testing.T) {
	root, err := rehearsal.ModuleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	quickstart, err := os.ReadFile(filepath.Join(root, "examples", "quickstart", "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fenced(t, string(readme), "<!-- quickstart -->"); got != string(quickstart) {
		t.Errorf("the README's configuration is not examples/quickstart/main.tf:\n%s", got)
	}
}
