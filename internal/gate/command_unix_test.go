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
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// nowhere is the server of a kind that asks none.
const nowhere = "no server"

// machine is the environment that Terraform runs in.
func machine(more ...string) gate.Dependencies {
	return gate.Dependencies{Environ: func() []string { return append([]string{"PATH=" + os.Getenv("PATH")}, more...) }}
}

func shell(script string, args ...string) gate.Command {
	return gate.Command{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...)}
}

func command(t *testing.T, c gate.Command, means gate.Dependencies) rollout.Gate {
	t.Helper()
	g, err := gate.NewCommand(c, means)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCommand_verdicts(t *testing.T) {
	many := "for i in $(seq 1 25); do echo line $i; done; exit 1"
	var last []string
	for i := 6; i <= 25; i++ {
		last = append(last, fmt.Sprintf("  line %d", i))
	}
	for _, tt := range []struct {
		name, script string
		said         rollout.Status
	}{
		{"good", "exit 0", "pass"},
		{"good, with words", "echo first; echo all 14 checks are green", "pass"},
		{"good, with too many words", "printf %0201d 0", "pass"},
		{"not yet", "echo waiting for Anna; exit 75", "inconclusive"},
		{"bad", "exit 1", "fail"},
		{"killed", "echo oh; kill -9 $$", "fail"},
		{"both outputs", "echo one; echo two >&2; echo; printf three; exit 3",
			"fail"},
		{"many lines", many, "fail"},
		{"a long line", `printf 'é%.0s' $(seq 1 300); exit 1`, "fail"},
		{"what a terminal obeys", `printf 'a\033[1;31mred\033[0m\tb\007c\377\n10%%\r20%%\r\n'; exit 1`,
			"fail"},
		{"no input", "read line && exit 9; exit 0", "pass"},
		{"no shell", `test "$1" = '$(id) *' || exit 9`, "pass"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, shell(tt.script, "$(id) *"), machine()).Evaluate(t.Context(), canary())
			want(t, got, nowhere, tt.said)
		})
	}
}

func TestCommand_getsThePlaceInTheShift(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := shell(`{ env | grep -E '^(BLUEGREEN_|OWN|KEPT|OVER|PWD)' | sort; pwd -P; } > "$OUT"`)
	c.Env = map[string]string{"OWN": "1", "OVER": "new", "EMPTY": "", "OUT": out}
	c.WorkingDir = dir
	v := command(t, c, machine("KEPT=yes", "OVER=old", "PWD=/elsewhere", "BLUEGREEN_STEP=9")).Evaluate(t.Context(), canary())
	if v.Status != rollout.Pass {
		t.Fatalf("the gate says %+v", v)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`BLUEGREEN_INPUT=\{"version":1,"gate":"approve".*"attempt":4\}`).ReplaceAllString(string(text), "BLUEGREEN_INPUT={JSON}")
	got = regexp.MustCompile(`SECONDS=(9[5-9]|\d{3,})`).ReplaceAllString(got, "SECONDS=95")
	wanted := "BLUEGREEN_ATTEMPT=4\nBLUEGREEN_ELAPSED_SECONDS=95\nBLUEGREEN_ENVIRONMENTS=green\nBLUEGREEN_FROM=blue=100\nBLUEGREEN_GATE=approve\n" +
		"BLUEGREEN_INPUT={JSON}\nBLUEGREEN_PART=during\nBLUEGREEN_SHIFT=3f2a\nBLUEGREEN_STEP=2\nBLUEGREEN_STEPS=3\n" +
		"BLUEGREEN_TARGET_GROUPS=api=arn:green-api,web=arn:green-web\nBLUEGREEN_TO=blue=0,green=100\nBLUEGREEN_WEIGHTS=blue=87.5,green=12.5\n" +
		"KEPT=yes\nOVER=new\nOWN=1\nPWD=" + dir + "\n" + dir + "\n"
	if got != wanted {
		t.Errorf("it got\n%s\nwant\n%s", got, wanted)
	}
	m := proof()
	c = shell(`test -z "$BLUEGREEN_FROM$BLUEGREEN_WEIGHTS" && test "$BLUEGREEN_STEP" = 0 && test -z "$HOME"`)
	if v := command(t, c, machine()).Evaluate(t.Context(), m); v.Status != rollout.Pass {
		t.Errorf("in a proof the gate says %+v", v)
	}
}

// script writes a program into a folder.
func script(t *testing.T, dir, name string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 0\n"), mode); err != nil {
		t.Fatal(err)
	}
}

func TestCommand_isFoundWhereItRuns(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "check", 0o755)
	script(t, dir, "plain", 0o644)
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script(t, filepath.Join(dir, "bin"), "smoke", 0o755)
	path := map[string]string{"PATH": "relative:" + filepath.Join(dir, "bin")}
	for _, tt := range []struct {
		c    gate.Command
		said rollout.Status // of Preflight
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
		{gate.Command{Argv: []string{"./check"}, WorkingDir: filepath.Join(dir, "gone")},
			"error"},
		{gate.Command{Argv: []string{"./check"}, WorkingDir: filepath.Join(dir, "check")}, "error"},
	} {
		g := command(t, tt.c, machine())
		ahead, ok := g.(rollout.Preflight)
		if !ok {
			t.Fatal("it does not look before a shift begins")
		}
		v := ahead.Preflight(t.Context(), canary())
		v.Detail = strings.ReplaceAll(v.Detail, dir, "DIR")
		want(t, v, nowhere, tt.said)
		if absent := tt.c.Absent(machine()); (absent == nil) != (v.Status == rollout.Pass) || absent != nil && !strings.HasSuffix(v.Detail, strings.ReplaceAll(absent.Error(), dir, "DIR")) {
			t.Errorf("it lacks %v, but %s", absent, tt.said)
		}
		judged := g.Evaluate(t.Context(), canary())
		if judged.Status != v.Status || v.Status == rollout.Errored && strings.ReplaceAll(judged.Detail, dir, "DIR") != v.Detail {
			t.Errorf("it says %+v before, and then %+v", v, judged)
		}
	}
}

// A file that is no program is found and cannot be started.
func TestCommand_errsWhereItCannotBeStarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	v := command(t, gate.Command{Argv: []string{path}}, machine()).Evaluate(t.Context(), canary())
	v.Detail = strings.ReplaceAll(v.Detail, path, "PROGRAM")
	want(t, v, nowhere, rollout.Errored)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, command(t, shell("exit 0"), machine()).Evaluate(over, canary()), nowhere, "error")
}

// family is a script with a child and a grandchild that outlive it if nobody ends
// them. Each adds its number to $OUT; stubborn ones do not listen to SIGTERM.
func family(t *testing.T, trap, then string) (gate.Command, func() []int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "pids")
	child := trap + ` echo $$ >> "$OUT"; /bin/sh -c '` + trap + ` echo $$ >> "$OUT"; while :; do sleep 1; done' & while :; do sleep 1; done`
	c := shell(trap + ` echo $$ >> "$OUT"; /bin/sh -c "$CHILD" & while [ "$(wc -l < "$OUT")" -lt 3 ]; do sleep 0.01; done; echo three are there; touch "$OUT.all"; ` + then)
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
			t.Fatalf("there were %v", pids)
		}
		return pids
	}
}

func TestCommand_endsTheWholeGroup(t *testing.T) {
	const stubborn = `trap "" TERM;`
	for _, tt := range []struct {
		name, trap, then string
		said             rollout.Status
		timesOut         bool // else nobody waits any more
	}{
		{"timeout", "", "wait", "error", true},
		{"interrupt", "", "wait", "error", false},
		{"stubborn", stubborn, "wait; wait",
			"error", true},
		{"left behind", "", "exit 0", "pass", false},
		{"left behind, stubborn", stubborn, "exit 0", "pass", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			c, pids := family(t, tt.trap, tt.then)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := ctx
			if tt.timesOut {
				asked = timesOut{ctx}
			}
			said := make(chan rollout.Verdict, 1)
			g := command(t, c, machine())
			go func() { said <- g.Evaluate(asked, canary()) }()
			until(t, "all three", func() bool { _, err := os.Stat(c.Env["OUT"] + ".all"); return err == nil })
			if tt.then != "exit 0" {
				cancel()
			}
			want(t, <-said, nowhere, tt.said)
			for _, pid := range pids() {
				until(t, fmt.Sprintf("the end of process %d", pid), func() bool { return !rehearsal.Running(pid) })
			}
			until(t, "the end of goroutines", func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// A grandchild that has left the group holds the output open: it is not waited
// for.
func TestCommand_doesNotWaitForOutputThatOthersHold(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("the program setsid is missing")
	}
	out := filepath.Join(t.TempDir(), "pid")
	c := shell(`setsid /bin/sh -c 'echo $$ > "$OUT"; exec sleep 600' & while [ ! -s "$OUT" ]; do sleep 0.01; done; echo bye`)
	c.Env = map[string]string{"OUT": out}
	want(t, command(t, c, machine()).Evaluate(t.Context(), canary()), nowhere, "pass")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !rehearsal.Running(pid) {
		t.Error("the grandchild does not run any more, so nothing was shown")
	}
	if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
		t.Errorf("process %d cannot be ended: %v", pid, err)
	}
}

// TestCommand_keepsLittleOfMuchOutput: 64 MiB without a line break, and 4 MiB
// with one in every second byte.
func TestCommand_keepsLittleOfMuchOutput(t *testing.T) {
	for _, script := range []string{"head -c 67108864 /dev/zero", "yes | head -c 4194304"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v := command(t, shell(script+"; echo; echo done; exit 1"), machine()).Evaluate(t.Context(), canary())
		runtime.ReadMemStats(&after)
		if v.Status != rollout.Fail || len(v.Detail) > 2000 || !strings.Contains(v.Detail, "\n  done\n") {
			t.Errorf("the gate says %s: %.300s", v.Status, v.Detail)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%d bytes were needed", grown)
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
		g, err := gate.NewCommand(tt.c, machine())
		if g != nil || err == nil {
			t.Errorf("NewCommand takes %+v", tt.c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	if errs := (gate.Command{Argv: []string{"/no/such/program"}, WorkingDir: "/no/such/folder"}).Check(); errs != nil {
		t.Errorf("Check looks at the machine: %v", errs)
	}
}

// Arguments and the environment may hold secrets; neither is told.
func TestCommand_tellsNoArgument(t *testing.T) {
	const secret = "s3cret-token"
	means := machine("TOKEN=" + secret)
	for _, script := range []string{"exit 0", "exit 75", "exit 1", "kill -9 $$"} {
		c := shell(script, secret)
		c.Env = map[string]string{"PASSWORD": secret}
		wantNoSecret(t, command(t, c, means).Evaluate(t.Context(), canary()), secret)
	}
	gone := gate.Command{Argv: []string{"no-such-program", secret}, Env: map[string]string{"PASSWORD": secret}}
	v := command(t, gone, means).Evaluate(t.Context(), canary())
	wantNoSecret(t, v, secret)
	if v.Status != rollout.Errored {
		t.Errorf("the gate says %+v", v)
	}
}

// The percent of a shift are written without more digits than they have.
func TestCommand_writesTenths(t *testing.T) {
	m := canary()
	m.Weights = shift.Weights{"a": 999, "b": 1}
	c := shell(`test "$BLUEGREEN_WEIGHTS" = a=99.9,b=0.1`)
	if v := command(t, c, machine()).Evaluate(t.Context(), m); v.Status != rollout.Pass {
		t.Errorf("the gate says %+v", v)
	}
}

func TestCommand_runsOncePerCall(t *testing.T) {
	before := runtime.NumGoroutine()
	out := filepath.Join(t.TempDir(), "runs")
	c := shell(`echo run >> "$OUT"`)
	c.Env = map[string]string{"OUT": out}
	g := command(t, c, machine())
	for round := 1; round <= 3; round++ {
		if v := g.Evaluate(t.Context(), canary()); v.Status != rollout.Pass {
			t.Errorf("the gate says %+v", v)
		}
		if text, err := os.ReadFile(out); string(text) != strings.Repeat("run\n", round) {
			t.Errorf("after %d calls it has run for %q: %v", round, text, err)
		}
		until(t, "the end of goroutines", func() bool { return runtime.NumGoroutine() <= before })
	}
}
