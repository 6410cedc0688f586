package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestREADME_isShort(t *testing.T) {
	text := e2e.README(t)
	if n := strings.Count(text, "\n"); n > 200 {
		t.Errorf("the README has %d lines, at most 200 are allowed", n)
	}
	if n := strings.Count(e2e.Fenced(t, text, "<!-- demo:output -->"), "\n"); n > 40 {
		t.Errorf("the README shows %d lines of the demo, at most 40 are allowed", n)
	}
	if n := strings.Count(e2e.Fenced(t, text, "<!-- readme:example -->"), "\n"); n > 10 {
		t.Errorf("the README's example has %d lines, at most 10 are allowed", n)
	}
}

// The example of the README is planned on a local load balancer, and its schedule is
// the one that the README shows.
func TestREADME_showsThePlan(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	example := strings.NewReplacer(
		"aws_lb_listener.https.arn", fmt.Sprintf("%q", w.Stack.Listener),
		"bluegreen_environment.app", fmt.Sprintf("{ blue = { version = \"1.4.2\", target_groups = { web = %q } }, green = { version = \"1.5.0\", target_groups = { web = %q } } }",
			w.Stack.Groups["blue"], w.Stack.Groups["green"]),
	).Replace(e2e.Fenced(t, e2e.README(t), "<!-- readme:example -->"))
	terraform := *w.Terraform
	terraform.Dir = t.TempDir()
	run := func(args ...string) string {
		var out strings.Builder
		if err := terraform.Run(&out, args...); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		return out.String()
	}
	write := func(text string) {
		text = "terraform {\n  required_providers {\n    bluegreen = { source = \"bluegreen/bluegreen\" }\n  }\n}\n" + text
		if err := os.WriteFile(filepath.Join(terraform.Dir, "main.tf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(example, `= "green"`, `= "blue"`, 1))
	run("init", "-no-color")
	run("apply", "-no-color", "-auto-approve")
	write(example)
	run("plan", "-no-color", "-out=plan")
	var plan struct {
		Changes []struct {
			Change struct {
				After struct {
					Schedule string `json:"schedule"`
				} `json:"after"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(run("show", "-json", "plan")), &plan); err != nil || len(plan.Changes) != 1 {
		t.Fatal(len(plan.Changes), err)
	}
	got := plan.Changes[0].Change.After.Schedule
	if i := strings.Index(got, "\nWarning: "); i >= 0 { // of the test rules of this test's listener
		got = got[:i]
	}
	if want := strings.TrimSpace(e2e.Fenced(t, e2e.README(t), "<!-- readme:schedule -->")); strings.TrimSpace(got) != want {
		t.Errorf("the schedule is\n%s\nand the README shows\n%s", got, want)
	}
}
