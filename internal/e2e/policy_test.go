package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// policy is the IAM policy of the README.
func policy(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(built.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := fenced(t, string(text), "<!-- iam:policy -->")
	var p struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(block), &p); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, s := range p.Statement {
		actions = append(actions, s.Action...)
	}
	return actions
}

// iamAction returns the IAM action of a call.
func iamAction(call localaws.Call) string { return call.Service + ":" + call.Action }

func TestPolicy_coversEveryCallOfAShift(t *testing.T) {
	w := newWorld(t, quick)
	allowed := policy(t)
	mark := w.mark()
	w.configure("green")
	w.mustApply()
	w.configure("blue")
	w.mustApply()
	var made []string
	for _, call := range w.balancer.Calls()[mark:] {
		action := iamAction(call)
		if !slices.Contains(made, action) {
			made = append(made, action)
		}
		if !slices.Contains(allowed, action) {
			t.Errorf("%s is called and is not in the README's policy %v", action, allowed)
		}
	}
	if !slices.Contains(made, "elasticloadbalancing:ModifyListener") {
		t.Errorf("no shift was seen, only %v", made)
	}
	w.lostNothing()
}
