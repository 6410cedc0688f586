//go:build linux

package operated

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// workflow is what the tests read of examples/ci/github-actions.yml.
type workflow struct {
	Concurrency struct {
		Group  string
		Cancel *bool `yaml:"cancel-in-progress"`
	}
	Permissions map[string]string
	Env         map[string]string
	Jobs        map[string]struct {
		Timeout int `yaml:"timeout-minutes"`
		Steps   []step
	}
}

type step struct {
	Name, Uses, If, Run string
	With                map[string]string
}

// readCI reads a file of examples/ci.
func readCI(t *testing.T, name string, value any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(e2e.Build(t).Root, "examples", "ci", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, value); err != nil {
		t.Fatal(err)
	}
}

// script is a step that runs as a runner runs it.
type script struct {
	*exec.Cmd
	out bytes.Buffer
}

// newScript returns a script for "bash -e", with the programs that a job installs.
func newScript(t *testing.T, w *e2e.World, text string, env ...string) *script {
	t.Helper()
	path := filepath.Join(t.TempDir(), "step.sh")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &script{Cmd: exec.CommandContext(t.Context(), "bash", "-e", path)}
	programs := filepath.Dir(e2e.BuildCommand(t)) + ":" + filepath.Dir(w.Terraform.Binary) + ":" + os.Getenv("PATH")
	s.Dir, s.Env = w.Terraform.Dir, slices.Concat(os.Environ(), w.Terraform.Env, env, []string{"PATH=" + programs})
	s.Stdout, s.Stderr = &s.out, &s.out
	proc.OwnGroup(s.Cmd)
	return s
}

// mustRun runs a script that has to succeed, and returns its output.
func (s *script) mustRun(t *testing.T) string {
	t.Helper()
	if err := s.Run(); err != nil {
		t.Fatalf("%v\n%s", err, s.out.String())
	}
	return s.out.String()
}

// named returns the step with a name.
func named(t *testing.T, steps []step, name string) step {
	t.Helper()
	for _, s := range steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no step %q", name)
	return step{}
}

// The workflow of the guide releases a version. Canceled in the middle of the next release, it ends
// with the traffic where it was, and the step that always runs has nothing to do.
func TestCI_gitHubActions(t *testing.T) {
	t.Parallel()
	var f workflow
	readCI(t, "github-actions.yml", &f)
	job := f.Jobs["apply"]
	setup := slices.IndexFunc(job.Steps, func(s step) bool { return strings.HasPrefix(s.Uses, "hashicorp/setup-terraform@") })
	if f.Concurrency.Group == "" || f.Concurrency.Cancel == nil || *f.Concurrency.Cancel || f.Permissions["id-token"] != "write" || job.Timeout == 0 || setup < 0 || job.Steps[setup].With["terraform_wrapper"] != "false" {
		t.Errorf("the workflow is %+v", f)
	}
	apply, recovery := named(t, job.Steps, "Apply"), named(t, job.Steps, "Recover")
	if recovery.If != "always()" || named(t, job.Steps, "Keep the report").If != "always()" {
		t.Error("a step does not run after a cancellation")
	}
	w := e2e.NewQuietWorld(t, quick)
	w.MustConfigure("green")
	reports := filepath.Join(w.Terraform.Dir, ".bluegreen")
	env := []string{"BLUEGREEN_REPORT_DIR=" + strings.Replace(f.Env["BLUEGREEN_REPORT_DIR"], "${{ github.workspace }}", w.Terraform.Dir, 1), "RUNNER_TRACKING_ID=github_ci"}
	newScript(t, w, named(t, job.Steps, "Init").Run, env...).mustRun(t)
	if out := newScript(t, w, apply.Run, env...).mustRun(t); !strings.Contains(out, "[bluegreen web] Shift of web: completed. Traffic: green 100 %.\n") {
		t.Errorf("it printed\n%s", out)
	}
	newScript(t, w, recovery.Run, env...).mustRun(t)
	if found, _ := filepath.Glob(filepath.Join(reports, "*.html")); len(found) == 0 {
		t.Error("there is no page to keep")
	}

	w.Pace = e2e.Endless
	w.MustDeploy("blue", rehearsal.AppTerms{Version: "3"})
	w.MustConfigure("blue")
	canceled := newScript(t, w, apply.Run, env...)
	if err := canceled.Start(); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the hold at 5 %", func() bool { return w.Weights()["blue"] == 5 })
	_ = canceled.Process.Signal(syscall.SIGINT)
	<-time.After(7500 * time.Millisecond)
	tree := append(e2e.Children(canceled.Process.Pid), canceled.Process.Pid)
	_ = canceled.Process.Signal(syscall.SIGTERM)
	<-time.After(2500 * time.Millisecond)
	for _, pid := range slices.Concat(tree, tracked(w, "RUNNER_TRACKING_ID=github_ci")) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = canceled.Wait()
	if out := newScript(t, w, recovery.Run, env...).mustRun(t); !strings.Contains(out, "Nothing to recover") {
		t.Errorf("it printed\n%s", out)
	}
	w.MustHaveAll("green")
	w.Eventually("no process is left", func() bool { return len(processesOf(w)) == 0 })
	w.LostNothing()
}

// The job of the guide for GitLab releases a version, and its log has a section for the shift.
func TestCI_gitLab(t *testing.T) {
	t.Parallel()
	var f map[string]struct {
		Script        []string
		AfterScript   []string `yaml:"after_script"`
		Interruptible *bool
		Group         string            `yaml:"resource_group"`
		Tokens        map[string]any    `yaml:"id_tokens"`
		Variables     map[string]string `yaml:"variables"`
		Artifacts     struct{ When string }
	}
	readCI(t, "gitlab-ci.yml", &f)
	job := f["release"]
	if job.Interruptible == nil || *job.Interruptible || job.Group == "" || len(job.Tokens) == 0 || job.Artifacts.When != "always" {
		t.Errorf("the job is %+v", job)
	}
	w := e2e.NewQuietWorld(t, quick)
	w.MustConfigure("green")
	env := []string{"GITLAB_CI=true", "BLUEGREEN_REPORT_DIR=" + strings.Replace(job.Variables["BLUEGREEN_REPORT_DIR"], "$CI_PROJECT_DIR", w.Terraform.Dir, 1)}
	out := newScript(t, w, strings.Join(job.Script, "\n"), env...).mustRun(t)
	for _, want := range []string{"[bluegreen web] Shift of web: completed. Traffic: green 100 %.\n", "\x1b[0Ksection_start:", "\r\x1b[0KShift of web: completed\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the log has no %q\n%s", want, out)
		}
	}
	if out := newScript(t, w, strings.Join(job.AfterScript, "\n"), env...).mustRun(t); !strings.Contains(out, "Nothing to recover") {
		t.Errorf("it printed\n%s", out)
	}
	w.MustHaveAll("green")
	w.LostNothing()
}
