//go:build linux

package supervise

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// The first signal is one SIGINT for the command. A SIGTERM or SIGHUP after it is not passed on, and
// another SIGINT is.
func TestRun_signals(t *testing.T) {
	t.Parallel()
	for _, first := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(first.String(), func(t *testing.T) {
			t.Parallel()
			j := newJob(t, "1m", []string{"signals"})
			j.begin()
			j.ready()
			_ = j.Process.Signal(first)
			j.eventually("the first signal", func() bool { return strings.Contains(j.out.String(), "interrupt") })
			_ = j.Process.Signal(syscall.SIGTERM)
			_ = j.Process.Signal(syscall.SIGHUP)
			_ = j.Process.Signal(syscall.SIGINT)
			j.eventually("the second SIGINT", func() bool { return strings.Count(j.out.String(), "interrupt") == 2 })
			_ = j.in.Close()
			if code := j.end(); code != 5 || j.out.String() != "ready\ninterrupt\ninterrupt\n" {
				t.Errorf("exit code %d\n%s%s", code, j.out.String(), j.err.String())
			}
			j.gone()
		})
	}
}

// The command is in a session of its own, nobody's child except of its supervisor, and has no
// variable of the runner or of this program.
func TestRun_leavesTheJob(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"signals"})
	j.set("BUILD_ID", "7")
	j.begin()
	j.ready()
	front := j.Process.Pid
	j.eventually("the process that started the supervisor has ended", func() bool { return len(j.processes()) == 3 })
	var supervisor, command int
	for _, pid := range j.processes() {
		switch parent := field(pid, 1); {
		case pid == front:
		case strings.Contains(commandLine(pid), " exec "):
			supervisor = pid
			if parent == strconv.Itoa(front) || field(pid, 3) != strconv.Itoa(pid) {
				t.Errorf("the supervisor has the parent %s and the session %s", parent, field(pid, 3))
			}
		default:
			command = pid
		}
	}
	if supervisor == 0 || command == 0 || field(command, 1) != strconv.Itoa(supervisor) || field(command, 2) != strconv.Itoa(command) {
		t.Fatalf("supervisor %d, command %d with the group %s", supervisor, command, field(command, 2))
	}
	if environ := environOf(command); strings.Contains(environ, "RUNNER_TRACKING_ID") || strings.Contains(environ, stageVariable+"=") || !strings.Contains(environ, "BUILD_ID=7") {
		t.Errorf("the command has the environment %q", environ)
	}
	if strings.Contains(environOf(supervisor), "RUNNER_TRACKING_ID") {
		t.Error("the supervisor has the variable of the runner")
	}
	for _, fd := range []string{"3", "4"} {
		if target, err := os.Readlink("/proc/" + strconv.Itoa(command) + "/fd/" + fd); err == nil && strings.HasPrefix(target, "pipe:") {
			t.Errorf("the command has the pipe %s of its supervisor", fd)
		}
	}
	_ = j.in.Close()
	j.end()
	j.gone()
}

// The job is killed: the command is interrupted once, and ends in an orderly way although nobody
// reads its output.
func TestRun_jobIsKilled(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*job){
		"the front": func(j *job) { _ = j.Process.Kill() },
		"after a SIGINT": func(j *job) {
			_ = j.Process.Signal(syscall.SIGINT)
			_ = j.Process.Signal(syscall.SIGTERM)
			_ = j.Process.Kill()
		},
		"the process group": func(j *job) { _ = syscall.Kill(-j.Process.Pid, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			note := filepath.Join(t.TempDir(), "note")
			j := newJob(t, "1m", []string{"slow", note})
			j.begin()
			j.ready()
			kill(j)
			j.gone()
			if text, err := os.ReadFile(note); err != nil || string(text) != "interrupt and 0 more" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// The shell of the step ends, as with SIGTERM from a runner, and leaves its child.
func TestRun_parentDies(t *testing.T) {
	t.Parallel()
	note := filepath.Join(t.TempDir(), "note")
	j := newJob(t, "1m", []string{"slow", note}, "/bin/sh", "-c", `"$@"; true`, "sh")
	j.begin()
	j.ready()
	_ = j.Process.Signal(syscall.SIGTERM)
	j.gone()
	if text, err := os.ReadFile(note); err != nil || string(text) != "interrupt and 0 more" {
		t.Errorf("%q, %v", text, err)
	}
}

// A command that does not end is killed after the timeout.
func TestRun_timeout(t *testing.T) {
	t.Parallel()
	j := newJob(t, "300ms", []string{"deaf", filepath.Join(t.TempDir(), "pid")})
	j.begin()
	j.ready()
	_ = j.Process.Kill()
	j.gone()
}

// The supervisor is killed: the front interrupts the command, and finishes.
func TestRun_supervisorIsKilled(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"signals"})
	j.begin()
	j.ready()
	for _, pid := range j.processes() {
		if pid != j.Process.Pid && strings.Contains(commandLine(pid), " exec ") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if code := j.end(); code != 137 || !strings.Contains(j.err.String(), "was killed. Interrupting the command.") {
		t.Errorf("exit code %d\n%s%s", code, j.out.String(), j.err.String())
	}
	j.gone()
}

// What a command prints, and how it ends, is passed on.
func TestRun_ends(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		child []string
		code  int
	}{"0": {[]string{"shift"}, 0}, "3": {[]string{"shift", "xxx"}, 3}, "killed": {[]string{"shift", "killed"}, 137}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, "1m", tt.child)
			if code := j.run(); code != tt.code || j.err.String() != "" {
				t.Errorf("exit code %d\n%s", code, j.err.String())
			}
			j.gone()
			if _, err := os.Stat(filepath.Join(j.dir, DefaultReportDir)); err == nil {
				t.Error("a folder is left, and nothing was shifted")
			}
		})
	}
}

func TestRun_cannotStart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, code := range map[string]int{"no-such-command": 127, folder: 126, filepath.Join(folder, "none"): 127} {
		j := newJob(t, "1m", nil)
		j.Args = []string{os.Args[0], "exec", "1m", name}
		if got := j.run(); got != code {
			t.Errorf("%s: exit code %d, want %d", name, got, code)
		}
		golden.CheckPart(t, strconv.Itoa(code)+filepath.Base(strings.Replace(name, folder, "folder", 1)), j.err.String(), golden.Replace(folder, "/folder"))
		j.gone()
	}
}

// The shifts of a command are printed line by line, and their summaries are written once.
func TestRun_followsShifts(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"shift", "web:completed", "api:rolled_back", "xx"})
	summary := j.set(report.SummaryVariable, filepath.Join(j.dir, "summary.md"))
	j.set(gitLabVariable, "true")
	if code := j.run(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for name, want := range map[string]string{"web": "Shift of web: completed", "api": "Shift of api: rolled back"} {
		var lines []string
		for line := range strings.Lines(j.err.String()) {
			if rest, is := strings.CutPrefix(line, "[bluegreen "+name+"] "); is {
				lines = append(lines, rest)
			}
		}
		golden.CheckPart(t, name, strings.Join(lines, ""))
		if text, err := os.ReadFile(summary); err != nil || strings.Count(string(text), "### "+want) != 1 {
			t.Errorf("the summary is %q, %v", text, err)
		}
		if section := j.out.String(); strings.Count(section, "section_start:") != 2 || strings.Count(section, "\x1b[0K"+want+"\n") != 1 {
			t.Errorf("the log has %q", section)
		}
	}
	j.gone()
}

func TestRun_json(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"shift", "web:completed"})
	j.set("SUPERVISE_TEST_JSON", "1")
	if code := j.run(); code != 0 {
		t.Errorf("exit code %d\n%s", code, j.err.String())
	}
	if got := entries(t, j.err.String()); !slices.Equal(got, []string{"journal_opened", "shift_started", "route_read", "weights_verified", "result"}) {
		t.Errorf("the events are %q", got)
	}
}

// Where no supervisor can be started, the command runs all the same.
func TestRun_withoutSupervisor(t *testing.T) {
	t.Parallel()
	alone := filepath.Join(t.TempDir(), "alone")
	if err := os.WriteFile(alone, []byte("#!/bin/sh\necho '{\"alone\":true}' >&4\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, self := range map[string]string{"no process": "/no/such/program", "no supervisor": alone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, "1m", []string{"signals"})
			j.set("SUPERVISE_TEST_SELF", self)
			j.begin()
			j.ready()
			_ = j.Process.Signal(syscall.SIGTERM)
			j.eventually("the signal", func() bool { return j.out.String() == "ready\ninterrupt\n" })
			_ = j.in.Close()
			if code := j.end(); code != 5 || j.err.String() != "" {
				t.Errorf("exit code %d\n%s%s", code, j.out.String(), j.err.String())
			}
			j.gone()
		})
	}
}

// With --json, messages are JSON as well.
func TestRun_jsonMessages(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"shift", "xxxx"})
	j.set("SUPERVISE_TEST_JSON", "1")
	if err := os.WriteFile(filepath.Join(j.dir, DefaultReportDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var line struct{ Message string }
	if code := j.run(); code != 4 || json.Unmarshal([]byte(j.err.String()), &line) != nil || !strings.HasPrefix(line.Message, "Warning: The shifts of this run have no report") {
		t.Errorf("exit code %d\n%s", code, j.err.String())
	}
	j.gone()
}

// byEntry returns the lines of each entry point, and the others last.
func byEntry(text string) string {
	entry := func(line string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "[bluegreen "), "] ")
		return name
	}
	lines := slices.SortedStableFunc(strings.Lines(text), func(a, b string) int { return strings.Compare(entry(a), entry(b)) })
	return strings.Join(lines, "")
}

// A shift without an end is recovered.
func TestRun_recovers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		child   []string
		results string
		code    int
		outcome string // of the journal
		calls   int
	}{
		"killed":                  {[]string{"shift", "web:", "killed"}, "rolled back", 137, "rolled_back", 1},
		"its process still runs":  {[]string{"shift", "web:", "killed"}, "running\nrolled back", 137, "rolled_back", 2},
		"ended well":              {[]string{"shift", "web:"}, "rolled back", 0, "rolled_back", 1},
		"cannot be recovered":     {[]string{"shift", "web:"}, "failed", 1, "", 1},
		"failed, and cannot be":   {[]string{"shift", "web:", "xxx"}, "failed", 3, "", 1},
		"the other one has ended": {[]string{"shift", "api:completed", "web:"}, "rolled back", 0, "rolled_back", 1},
		"unrecorded":              {[]string{"shift", "web:"}, "unrecorded", 1, "", 1},
		"unrecorded and guarded":  {[]string{"shift", "web:", "killed"}, "guarded", 137, "rolled_back", 1},
		"has ended":               {[]string{"shift", "web:completed", "killed"}, "", 137, "completed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := "1m"
			if tt.results == "unrecorded" { // which it waits for until then
				timeout = "2s"
			}
			j := newJob(t, timeout, tt.child)
			path, _ := lookup(j.Env, recoveries)
			if err := os.WriteFile(path, []byte(tt.results), 0o600); err != nil {
				t.Fatal(err)
			}
			summary := j.set(report.SummaryVariable, filepath.Join(j.dir, "summary.md"))
			if code := j.run(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			j.gone()
			routes, _ := os.ReadFile(path + ".routes")
			if string(routes) != strings.Repeat(listener+"\n", tt.calls) {
				t.Errorf("recovered: %q", routes)
			}
			if got := j.stories()["web"]; got.Result.Outcome != tt.outcome || got.Ended != (tt.outcome != "") {
				t.Errorf("the journal ends with %+v", got.Result)
			}
			text, _ := os.ReadFile(summary)
			if n := strings.Count(string(text), "### Shift of web"); n != 1 {
				t.Errorf("%d summaries\n%s", n, text)
			}
			if left := tt.outcome == ""; strings.Contains(j.err.String(), "To return its traffic without Terraform, run: ") != left {
				t.Errorf("open %t\n%s", left, j.err.String())
			}
			golden.Check(t, byEntry(j.err.String()), golden.ReplacePattern(`\d+h\d+m[\d.]+s`, "<later>"))
		})
	}
}

// A folder that cannot be written is no reason not to run the command.
func TestRun_withoutReports(t *testing.T) {
	t.Parallel()
	j := newJob(t, "1m", []string{"shift", "xxxx"})
	if err := os.WriteFile(filepath.Join(j.dir, DefaultReportDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := j.run(); code != 4 || !strings.HasPrefix(j.err.String(), "[bluegreen] Warning: The shifts of this run have no report") {
		t.Errorf("exit code %d\n%s", code, j.err.String())
	}
	j.gone()
}
