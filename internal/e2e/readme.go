package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// README returns the README.
func README(t *testing.T) string {
	t.Helper()
	root, err := rehearsal.ModuleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Fenced returns the first fenced block after a mark of a text.
func Fenced(t *testing.T, text, mark string) string {
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

// CheckPolicy checks that the IAM policy of the README allows the calls, and returns
// their IAM actions.
func CheckPolicy(t *testing.T, calls []localaws.Call) []string {
	t.Helper()
	allowed := policy(t)
	var made []string
	for _, call := range calls {
		action := call.Service + ":" + call.Action
		if slices.Contains(made, action) {
			continue
		}
		made = append(made, action)
		if !slices.Contains(allowed, action) {
			t.Errorf("%s is called and is not in the README's policy %v", action, allowed)
		}
	}
	return made
}

// policy returns the actions of the README's IAM policy.
func policy(t *testing.T) []string {
	t.Helper()
	var p struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(Fenced(t, README(t), "<!-- iam:policy -->")), &p); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, s := range p.Statement {
		actions = append(actions, s.Action...)
	}
	return actions
}
