//go:build linux

package supervise

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const (
	listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/1/2"
	// recoveries is the variable with a file: what each recovery returns, a line each; the routes
	// are appended to that file with the suffix .routes.
	recoveries = "SUPERVISE_TEST_RECOVERIES"
)

// TestMain makes this test binary "bluegreen exec", and the commands that it runs.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "exec":
		timeout, err := time.ParseDuration(os.Args[2])
		if err != nil {
			panic(err)
		}
		os.Exit(Run(context.Background(), Options{Command: os.Args[3:], Timeout: timeout, Self: strings.Fields(os.Getenv("SUPERVISE_TEST_SELF")), JSON: os.Getenv("SUPERVISE_TEST_JSON") != "", In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Recover: fakeRecover}))
	case "child":
		os.Exit(children[os.Args[2]](os.Args[3:]))
	}
	os.Exit(m.Run())
}

// fakeRecover returns what the next line of the file says.
func fakeRecover(_ context.Context, routes []string, progress func(string)) (operate.Result, error) {
	path := os.Getenv(recoveries)
	text, _ := os.ReadFile(path)
	next, rest, _ := strings.Cut(string(text), "\n")
	_ = os.WriteFile(path, []byte(rest), 0o600)
	f, err := os.OpenFile(path+".routes", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return operate.Result{}, err
	}
	fmt.Fprintln(f, strings.Join(routes, " "))
	_ = f.Close()
	switch next {
	case "guarded":
		go endJournals(DefaultReportDir)
		return operate.Result{}, errUnrecorded
	case "unrecorded":
		return operate.Result{}, errUnrecorded
	case "running":
		return operate.Result{}, &operate.Problem{Exit: operate.Running, Summary: "The shift is still running"}
	case "rolled back":
		progress("listener :443: green 50 %, blue 50 % -> blue 100 %")
		groups := []operate.GroupStatus{{ID: "tg/blue", Name: "app-blue", Percent: 100}, {ID: "tg/green", Name: "app-green"}}
		return operate.Result{Outcome: operate.RolledBack, Traffic: "app-blue 100 %.", Routes: []operate.RouteStatus{{ID: listener, Groups: groups}}}, nil
	}
	return operate.Result{}, &operate.Problem{Exit: operate.Refused, Summary: "Cannot call AWS", Traffic: "not read. Nothing was changed."}
}

var errUnrecorded = &operate.Problem{Exit: operate.Refused, Summary: "Cannot recover", Traffic: "Nothing was changed.", Cause: "Route 53 has no place for the record of a shift.", Err: operate.ErrNoRecord}

// endJournals ends what is open, as guardians do.
func endJournals(dir string) {
	all, _ := report.List(dir)
	for _, x := range all {
		if !x.Ended {
			report.Resume(x.Journal).Close(report.Result{Outcome: "rolled_back", Reason: "the process of the shift died"}, time.Now())
		}
	}
}

// children are the commands.
var children = map[string]func(args []string) int{"signals": printSignals, "shift": runShifts, "slow": endSlowly, "deaf": beDeaf}

// printSignals prints every signal, until standard input ends.
func printSignals([]string) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	fmt.Println("ready")
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	for {
		select {
		case s := <-signals:
			fmt.Println(s)
		case <-ended:
			return 5
		}
	}
}

// endSlowly waits for SIGINT, prints more than a pipe holds, and then notes in a file how often it
// was interrupted.
func endSlowly(args []string) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	fmt.Println("ready")
	first := <-signals
	for range 1 << 12 {
		fmt.Println(strings.Repeat("x", 127))
		fmt.Fprintln(os.Stderr, strings.Repeat("y", 127))
	}
	_ = os.WriteFile(args[0], fmt.Appendf(nil, "%s and %d more", first, len(signals)), 0o600)
	return 0
}

// beDeaf notes its process ID in a file and ignores signals.
func beDeaf(args []string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	_ = os.WriteFile(args[0], fmt.Append(nil, os.Getpid()), 0o600)
	fmt.Println("ready")
	select {}
}

// runShifts records shifts as the provider does: "a:completed" has the entry point a, and "b:"
// no end. The last argument, if it is a number, is the exit code; "killed" is a SIGKILL.
func runShifts(args []string) int {
	for _, arg := range args {
		entry, outcome, is := strings.Cut(arg, ":")
		switch {
		case is:
			record(entry, outcome)
		case arg == "killed":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		default:
			return len(arg)
		}
	}
	return 0
}

// record records a shift of an entry point.
func record(entry, outcome string) {
	dir := os.Getenv(report.DirVariable)
	r := report.New(report.Options{Dir: dir, Shift: report.Shift{ID: "20261102T093000Z-" + entry, Entries: []string{entry}, Routes: []report.ShiftRoute{{ID: listener, Entry: entry}}, To: report.Percentages{"green": 100},
		Groups: map[string]string{"tg/blue": "blue", "tg/green": "green"}}})
	if err := report.Announce(os.Getenv(report.JournalsVariable), r.Journal()); err != nil {
		fmt.Println(err)
	}
	at := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	for _, e := range []rollout.Event{
		{Kind: rollout.ShiftStarted, Text: "forward"},
		{Kind: rollout.RouteRead, Route: listener, Weights: shift.Sole("blue")},
		{Kind: rollout.WeightsVerified, Route: listener, Weights: shift.Weights{"blue": 500, "green": 500}},
	} {
		e.At = at
		at = at.Add(10 * time.Second)
		r.OnEvent(e)
	}
	if outcome != "" {
		r.Close(report.Result{Outcome: outcome, Routes: []report.RouteResult{{ID: listener, Weights: report.Percentages{"green": 100}}}}, at)
		return
	}
	for { // it is written by another goroutine
		if text, _ := os.ReadFile(r.Journal()); strings.Count(string(text), "\n") == 4 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// buffer is an output that is read while it is written.
type buffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(text)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// job is "bluegreen exec" with a command, as the step of a job runs it.
type job struct {
	*exec.Cmd
	t          *testing.T
	in         io.Closer
	out, err   buffer
	dir        string // its working directory, by which its processes are found
	ended      chan struct{}
	attributes *syscall.SysProcAttr
}

// newJob returns a job that runs a child. before are the arguments of a program that starts it.
func newJob(t *testing.T, timeout string, child []string, before ...string) *job {
	t.Helper()
	args := append(before, os.Args[0], "exec", timeout, os.Args[0], "child")
	args = append(args, child...)
	j := &job{Cmd: exec.CommandContext(t.Context(), args[0], args[1:]...), t: t, dir: t.TempDir(), ended: make(chan struct{})}
	j.Dir = j.dir
	j.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "RUNNER_TRACKING_ID=github_1", recoveries+"="+filepath.Join(t.TempDir(), "recoveries"))
	j.Stdout, j.Stderr = &j.out, &j.err
	in, err := j.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	j.in = in
	return j
}

// set sets a variable, and returns its value.
func (j *job) set(name, value string) string {
	j.Env = append(j.Env, name+"="+value)
	return value
}

// begin starts the job.
func (j *job) begin() {
	j.t.Helper()
	j.SysProcAttr = cmp.Or(j.attributes, &syscall.SysProcAttr{Setpgid: true})
	if err := j.Start(); err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() {
		for _, pid := range j.processes() {
			j.t.Errorf("process %d is left: %s", pid, commandLine(pid))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	go func() {
		_ = j.Wait() // ProcessState says how it ended
		close(j.ended)
	}()
}

// end waits for the end of the job, and returns its exit code.
func (j *job) end() int {
	j.t.Helper()
	select {
	case <-j.ended:
	case <-time.After(slow.Deadline(30 * time.Second)):
		j.t.Fatalf("the job does not end\n%s%s", j.out.String(), j.err.String())
	}
	return j.ProcessState.ExitCode()
}

// run starts the job and waits for its end.
func (j *job) run() int {
	j.t.Helper()
	j.begin()
	_ = j.in.Close()
	return j.end()
}

// ready waits until the child runs.
func (j *job) ready() {
	j.t.Helper()
	j.eventually("the child runs", func() bool { return strings.Contains(j.out.String(), "ready") })
}

func (j *job) eventually(what string, is func() bool) {
	j.t.Helper()
	limit := time.After(slow.Deadline(20 * time.Second))
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			j.t.Fatalf("not in time: %s\n%s\n%s", what, j.out.String(), j.err.String())
		}
	}
}

// gone waits until no process of the job is left, nor a temporary file.
func (j *job) gone() {
	j.t.Helper()
	j.eventually("no process is left", func() bool { return len(j.processes()) == 0 })
	tmp, _ := lookup(j.Env, "TMPDIR")
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		j.t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// stories are the journals of a job, by entry point.
func (j *job) stories() map[string]report.Summary {
	j.t.Helper()
	all, err := report.List(filepath.Join(j.dir, DefaultReportDir))
	if err != nil {
		j.t.Fatal(err)
	}
	found := map[string]report.Summary{}
	for _, x := range all {
		found[x.Shift.Entries[0]] = x
	}
	return found
}

// entries parses progress lines in JSON.
func entries(t *testing.T, text string) (events []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e report.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		events = append(events, e.Event)
	}
	return events
}
