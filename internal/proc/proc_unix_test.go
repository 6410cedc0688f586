//go:build unix

package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// survivorVariable set to 1 makes this test binary the process that discards signals.
const survivorVariable = "PROC_TEST_SURVIVOR"

var discarded = []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

func TestMain(m *testing.M) {
	if os.Getenv(survivorVariable) == "1" {
		if err := survive(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// trapped is a shell script that traps each discarded signal, then prints the signals that
// are ignored and blocked where the system has /proc.
const trapped = `for s in TERM HUP PIPE; do trap "echo trapped $s" $s; kill -$s $$; done
if [ -r /proc/self/status ]; then grep -E '^Sig(Blk|Ign):' /proc/self/status; fi`

// survive receives every signal, writes to a closed standard error, and starts the script.
func survive() error {
	proc.Discard(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	for _, s := range discarded {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			return err
		}
	}
	if _, err := os.Stderr.WriteString("log\n"); !errors.Is(err, syscall.EPIPE) {
		return errors.Join(errors.New("a write to a closed standard error did not return EPIPE"), err)
	}
	script := exec.Command("/bin/sh", "-c", trapped)
	script.Stdout = os.Stdout
	return script.Run()
}

func TestDiscard_survivesAndPassesNothingOn(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	survivor := exec.CommandContext(t.Context(), os.Args[0])
	survivor.Env = append(os.Environ(), survivorVariable+"=1")
	survivor.Stderr = write
	out, err := survivor.Output()
	_ = write.Close()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := []string{"trapped TERM", "trapped HUP", "trapped PIPE"}; fmt.Sprint(lines[:min(3, len(lines))]) != fmt.Sprint(want) {
		t.Errorf("the script printed %q", lines)
	}
	for _, line := range lines[min(3, len(lines)):] {
		name, set, _ := strings.Cut(line, ":")
		signals, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range discarded {
			if signals&(1<<(s-1)) != 0 {
				t.Errorf("%s of a child has %s", name, s)
			}
		}
	}
}

// background is a script that prints the process ID of a child that outlives it.
const background = "sleep 600 & echo $!; "

func TestRun_stopsTheGroup(t *testing.T) {
	for _, tt := range []struct {
		name, then string
		cancel     bool
	}{
		{"when the context ends", "wait", true},
		{"when the command exits", "exit 3", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			command := exec.CommandContext(ctx, "/bin/sh", "-c", background+tt.then)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = read.Close() }()
			command.Stdout = write
			printed := make(chan string, 1)
			go func() {
				line, _ := bufio.NewReader(read).ReadString('\n')
				printed <- line
				if tt.cancel {
					cancel()
				}
			}()
			end, err := proc.Run(command, 5*time.Second)
			_ = write.Close()
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(<-printed))
			if err != nil {
				t.Fatal(err)
			}
			if proc.Running(pid) {
				t.Error("the child still runs")
			}
			if end.Stopped != tt.cancel {
				t.Errorf("got %+v", end)
			}
			if !tt.cancel && command.ProcessState.ExitCode() != 3 {
				t.Errorf("the command ended with %s", command.ProcessState)
			}
		})
	}
}

func TestRun_reportsWhatCannotStart(t *testing.T) {
	_, err := proc.Run(exec.CommandContext(t.Context(), "/no/such/program"), time.Second)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
