//go:build unix

package gate_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// noServer is the server address of a gate that calls none.
const noServer = "no server"

// commandDeps returns the environment of the Terraform process plus more variables.
func commandDeps(more ...string) gate.Dependencies {
	return gate.Dependencies{Environ: func() []string { return append([]string{"PATH=" + os.Getenv("PATH")}, more...) }}
}

func shell(script string, args ...string) gate.Command {
	return gate.Command{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...)}
}

func newCommand(t *testing.T, c gate.Command, deps gate.Dependencies) rollout.Gate {
	t.Helper()
	g, err := gate.NewCommand(c, deps)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCommand_verdicts(t *testing.T) {
	many := "for i in $(seq 1 25); do echo line $i; done; exit 1"
	for _, tt := range []struct {
		name, script string
		want         rollout.Status
	}{
		{"exit status 0", "exit 0", "pass"},
		{"exit status 0 with output", "echo first; echo all 14 checks are green", "pass"},
		{"exit status 0 with a long line", "printf %0201d 0", "pass"},
		{"exit status 75", "echo waiting for Anna; exit 75", "inconclusive"},
		{"exit status 1", "exit 1", "fail"},
		{"killed", "echo oh; kill -9 $$", "error"},
		{"terminated", "kill -15 $$", "error"},
		{"crashed", "kill -11 $$", "error"},
		{"a command that the shell does not find", "no-such-command-here --secret", "error"},
		{"a command that is not executable", "/etc/passwd", "error"},
		{"exit status 126", "exit 126", "error"},
		{"exit status 125", "exit 125", "fail"},
		{"exit status 128", "exit 128", "fail"},
		{"both outputs", "echo one; echo two >&2; echo; printf three; exit 3",
			"fail"},
		{"many lines", many, "fail"},
		{"a long line", `printf 'é%.0s' $(seq 1 300); exit 1`, "fail"},
		{"control characters", `printf 'a\033[1;31mred\033[0m\tb\007c\377\n10%%\r20%%\r\n'; exit 1`,
			"fail"},
		{"no input", "read line && exit 9; exit 0", "pass"},
		{"arguments are not expanded", `test "$1" = '$(id) *' || exit 9`, "pass"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := newCommand(t, shell(tt.script, "$(id) *"), commandDeps()).Evaluate(t.Context(), canaryInput())
			wantVerdictFrom(t, got, noServer, tt.want)
		})
	}
}

func TestCommand_passesTheInput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := shell(`{ env | grep -E '^(BLUEGREEN_|OWN|INHERITED|OVER|PWD)' | sort; pwd -P; } > "$OUT"`)
	c.Env = map[string]string{"OWN": "1", "OVER": "new", "EMPTY": "", "OUT": out}
	c.WorkingDir = dir
	v := newCommand(t, c, commandDeps("INHERITED=yes", "OVER=old", "PWD=/elsewhere", "BLUEGREEN_STEP=9")).Evaluate(t.Context(), canaryInput())
	if v.Status != rollout.Pass {
		t.Fatalf("got %+v", v)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`BLUEGREEN_INPUT=\{"version":1,"gate":"approve".*"attempt":4,"rollback":true\}`).ReplaceAllString(string(text), "BLUEGREEN_INPUT={JSON}")
	got = regexp.MustCompile(`SECONDS=(9[5-9]|\d{3,})`).ReplaceAllString(got, "SECONDS=95")
	want := "BLUEGREEN_ATTEMPT=4\nBLUEGREEN_ELAPSED_SECONDS=95\nBLUEGREEN_ENVIRONMENTS=green\nBLUEGREEN_FROM=blue=100\nBLUEGREEN_GATE=approve\n" +
		"BLUEGREEN_INPUT={JSON}\nBLUEGREEN_PART=during\nBLUEGREEN_ROLLBACK=true\nBLUEGREEN_SHIFT=3f2a\nBLUEGREEN_STEP=2\nBLUEGREEN_STEPS=3\n" +
		"BLUEGREEN_TARGET_GROUPS=api=arn:green-api,web=arn:green-web\nBLUEGREEN_TO=blue=0,green=100\nBLUEGREEN_WEIGHTS=blue=87.5,green=12.5\n" +
		"INHERITED=yes\nOVER=new\nOWN=1\nPWD=" + dir + "\n" + dir + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	in := readinessInput()
	c = shell(`test -z "$BLUEGREEN_FROM$BLUEGREEN_WEIGHTS" && test "$BLUEGREEN_STEP" = 0 && test -z "$HOME"`)
	if v := newCommand(t, c, commandDeps()).Evaluate(t.Context(), in); v.Status != rollout.Pass {
		t.Errorf("in a readiness check: got %+v", v)
	}
}

// writeScript writes a script that exits with 0.
func writeScript(t *testing.T, dir, name string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 0\n"), mode); err != nil {
		t.Fatal(err)
	}
}

func TestCommand_preflightResolvesTheProgram(t *testing.T) {
	dir := t.TempDir()
	writeScript(t, dir, "check", 0o755)
	writeScript(t, dir, "plain", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeScript(t, filepath.Join(dir, "bin"), "smoke", 0o755)
	path := map[string]string{"PATH": "relative:" + filepath.Join(dir, "bin")}
	for _, tt := range []struct {
		c    gate.Command
		want rollout.Status
	}{
		{gate.Command{Argv: []string{"./check"}, WorkingDir: dir}, "pass"},
		{gate.Command{Argv: []string{"bin/smoke"}, WorkingDir: dir}, "pass"},
		{gate.Command{Argv: []string{filepath.Join(dir, "check")}}, "pass"},
		{gate.Command{Argv: []string{"smoke"}, Env: path}, "pass"},
		{gate.Command{Argv: []string{"check"}, WorkingDir: dir, Env: path}, "error"},
		{gate.Command{Argv: []string{"plain"}, Env: map[string]string{"PATH": dir}}, "error"},
		{gate.Command{Argv: []string{"./plain"}, WorkingDir: dir}, "error"},
		{gate.Command{Argv: []string{"./bin"}, WorkingDir: dir}, "error"},
		{gate.Command{Argv: []string{"./smoke"}, WorkingDir: dir}, "error"},
		{gate.Command{Argv: []string{"./check"}, WorkingDir: filepath.Join(dir, "missing")},
			"error"},
		{gate.Command{Argv: []string{"./check"}, WorkingDir: filepath.Join(dir, "check")}, "error"},
	} {
		g := newCommand(t, tt.c, commandDeps())
		p, ok := g.(rollout.Preflight)
		if !ok {
			t.Fatal("the gate does not implement Preflight")
		}
		v := p.Preflight(t.Context(), canaryInput())
		v.Detail = strings.ReplaceAll(v.Detail, dir, "DIR")
		wantVerdictFrom(t, v, noServer, tt.want)
		if absent := tt.c.Absent(commandDeps()); (absent == nil) != (v.Status == rollout.Pass) || absent != nil && !strings.HasSuffix(v.Detail, strings.ReplaceAll(absent.Error(), dir, "DIR")) {
			t.Errorf("Absent returns %v, Preflight %s", absent, tt.want)
		}
		evaluated := g.Evaluate(t.Context(), canaryInput())
		if evaluated.Status != v.Status || v.Status == rollout.Errored && strings.ReplaceAll(evaluated.Detail, dir, "DIR") != v.Detail {
			t.Errorf("Preflight returns %+v, Evaluate %+v", v, evaluated)
		}
	}
}

// An executable file that is not a program is found but cannot be started.
func TestCommand_errorsWhenNotStarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	v := newCommand(t, gate.Command{Argv: []string{path}}, commandDeps()).Evaluate(t.Context(), canaryInput())
	v.Detail = strings.ReplaceAll(v.Detail, path, "PROGRAM")
	wantVerdictFrom(t, v, noServer, rollout.Errored)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantVerdictFrom(t, newCommand(t, shell("exit 0"), commandDeps()).Evaluate(ctx, canaryInput()), noServer, "error")
}

// processTree returns a script with a child and a grandchild that outlive it, and a
// function that returns their process ids. trap can make them ignore SIGTERM; then is
// the end of the script.
func processTree(t *testing.T, trap, then string) (gate.Command, func() []int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "pids")
	child := trap + ` echo $$ >> "$OUT"; /bin/sh -c '` + trap + ` echo $$ >> "$OUT"; while :; do sleep 1; done' & while :; do sleep 1; done`
	c := shell(trap + ` echo $$ >> "$OUT"; /bin/sh -c "$CHILD" & while [ "$(wc -l < "$OUT")" -lt 3 ]; do sleep 0.01; done; echo three processes; touch "$OUT.all"; ` + then)
	c.Env = map[string]string{"OUT": out, "CHILD": child}
	return c, func() []int {
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var pids []int
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		if len(pids) != 3 {
			t.Fatalf("got processes %v, want 3", pids)
		}
		return pids
	}
}

func TestCommand_stopsTheProcessGroup(t *testing.T) {
	const ignoreTERM = `trap "" TERM;`
	for _, tt := range []struct {
		name, trap, then string
		want             rollout.Status
		timesOut         bool // or else is canceled
	}{
		{"timeout", "", "wait", "error", true},
		{"canceled", "", "wait", "error", false},
		{"ignores SIGTERM", ignoreTERM, "wait; wait",
			"error", true},
		{"leaves children", "", "exit 0", "pass", false},
		{"leaves children that ignore SIGTERM", ignoreTERM, "exit 0", "pass", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			c, pids := processTree(t, tt.trap, tt.then)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			evalCtx := ctx
			if tt.timesOut {
				evalCtx = deadlineContext{ctx}
			}
			verdict := make(chan rollout.Verdict, 1)
			g := newCommand(t, c, commandDeps())
			go func() { verdict <- g.Evaluate(evalCtx, canaryInput()) }()
			waitFor(t, "all three processes", func() bool { _, err := os.Stat(c.Env["OUT"] + ".all"); return err == nil })
			if tt.then != "exit 0" {
				cancel()
			}
			wantVerdictFrom(t, <-verdict, noServer, tt.want)
			for _, pid := range pids() {
				waitFor(t, fmt.Sprintf("process %d to end", pid), func() bool { return !proc.Running(pid) })
			}
			waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// A grandchild in another process group keeps the output open.
func TestCommand_doesNotWaitForDetachedOutput(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("the program setsid is missing")
	}
	out := filepath.Join(t.TempDir(), "pid")
	c := shell(`setsid /bin/sh -c 'echo $$ > "$OUT"; exec sleep 600' & while [ ! -s "$OUT" ]; do sleep 0.01; done; echo bye`)
	c.Env = map[string]string{"OUT": out}
	wantVerdictFrom(t, newCommand(t, c, commandDeps()).Evaluate(t.Context(), canaryInput()), noServer, "pass")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !proc.Running(pid) {
		t.Error("the grandchild ended before the gate, so the test shows nothing")
	}
	if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
		t.Errorf("cannot kill process %d: %v", pid, err)
	}
}

// 64 MiB without a line break, and 4 MiB with a line break in every second byte.
func TestCommand_limitsItsMemory(t *testing.T) {
	for _, script := range []string{"head -c 67108864 /dev/zero", "yes | head -c 4194304"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v := newCommand(t, shell(script+"; echo; echo done; exit 1"), commandDeps()).Evaluate(t.Context(), canaryInput())
		runtime.ReadMemStats(&after)
		if v.Status != rollout.Fail || len(v.Detail) > 2000 || !strings.Contains(v.Detail, "\n  done\n") {
			t.Errorf("got %s: %.300s", v.Status, v.Detail)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("allocated %d bytes, want at most 4 MiB", grown)
		}
	}
}

func TestCommand_badArguments(t *testing.T) {
	for _, tt := range []struct {
		c gate.Command
	}{
		{gate.Command{}},
		{gate.Command{Argv: []string{"", "x"}}},
		{gate.Command{Argv: []string{"a", "b\x00"}, WorkingDir: "\x00"}},
		{gate.Command{Argv: []string{"a"}, Env: map[string]string{"": "1", "A=B": "1", "X": "\x00", "BLUEGREEN_STEP": "1"}}},
	} {
		g, err := gate.NewCommand(tt.c, commandDeps())
		if g != nil || err == nil {
			t.Errorf("NewCommand accepts %+v", tt.c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	if errs := (gate.Command{Argv: []string{"/no/such/program"}, WorkingDir: "/no/such/folder"}).Check(); errs != nil {
		t.Errorf("Check reads the machine: %v", errs)
	}
}

// Arguments and the environment may contain secrets; a verdict shows neither.
func TestCommand_hidesItsArguments(t *testing.T) {
	const secret = "s3cret-token"
	deps := commandDeps("TOKEN=" + secret)
	for _, script := range []string{"exit 0", "exit 75", "exit 1", "kill -9 $$"} {
		c := shell(script, secret)
		c.Env = map[string]string{"PASSWORD": secret}
		wantNoSecret(t, newCommand(t, c, deps).Evaluate(t.Context(), canaryInput()), secret)
	}
	absent := gate.Command{Argv: []string{"no-such-program", secret}, Env: map[string]string{"PASSWORD": secret}}
	v := newCommand(t, absent, deps).Evaluate(t.Context(), canaryInput())
	wantNoSecret(t, v, secret)
	if v.Status != rollout.Errored {
		t.Errorf("got %+v", v)
	}
}

func TestCommand_formatsTenthsOfAPercent(t *testing.T) {
	in := canaryInput()
	in.Weights = shift.Weights{"a": 999, "b": 1}
	c := shell(`test "$BLUEGREEN_WEIGHTS" = a=99.9,b=0.1`)
	if v := newCommand(t, c, commandDeps()).Evaluate(t.Context(), in); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
}

func TestCommand_runsOncePerEvaluation(t *testing.T) {
	before := runtime.NumGoroutine()
	out := filepath.Join(t.TempDir(), "runs")
	c := shell(`echo run >> "$OUT"`)
	c.Env = map[string]string{"OUT": out}
	g := newCommand(t, c, commandDeps())
	for round := 1; round <= 3; round++ {
		if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass {
			t.Errorf("got %+v", v)
		}
		if text, err := os.ReadFile(out); string(text) != strings.Repeat("run\n", round) {
			t.Errorf("after %d evaluations: got runs %q, %v", round, text, err)
		}
		waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	}
}
