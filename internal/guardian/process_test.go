//go:build linux

package guardian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// TestMain makes this test binary a guardian that only notes what it takes over, in the file
// that its clients name.
func TestMain(m *testing.M) {
	if Is(os.Args) {
		_ = Main(func(_ context.Context, clients json.RawMessage, h *rollout.Handover) (rollout.Successor, error) {
			var path string
			if json.Unmarshal(clients, &path) == nil {
				_ = os.WriteFile(path, []byte(h.Shift), 0o600)
			}
			os.Exit(0)
			return rollout.Successor{}, nil
		})
		return
	}
	os.Exit(m.Run())
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	limit := time.After(slow.Deadline(20 * time.Second))
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// start starts a guardian, and returns it with the file that it writes when it takes over.
func startNew(t *testing.T) (p *Process, pid int, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "taken")
	p = Start(t.Context(), Options{Shift: "s1", Clients: func(context.Context) (json.RawMessage, error) { return json.Marshal(path) }})
	t.Cleanup(func() { _ = p.Release() })
	process, err := p.Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, process.PID, path
}

func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// field returns a field of /proc/PID/stat after the name, from 0.
func field(t *testing.T, pid, n int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	value, err := strconv.Atoi(strings.Fields(rest)[n])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// A guardian is in no tree, session or job of its owner, and ends when it is released.
func TestProcess_isDetached(t *testing.T) {
	t.Setenv("RUNNER_TRACKING_ID", "github_1")
	p, pid, path := startNew(t)
	p.Hand(rollout.Handover{Shift: "s1"})
	const parent, session = 1, 3
	if got := field(t, pid, parent); got == os.Getpid() {
		t.Error("it is a child of its owner")
	}
	if got := field(t, pid, session); got == field(t, os.Getpid(), session) {
		t.Error("it is in the session of its owner")
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(environ), "RUNNER_TRACKING_ID") {
		t.Errorf("its environment is %q (%v)", environ, err)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if text := strings.ReplaceAll(string(line), "\x00", " "); err != nil || text != "terraform-provider-bluegreen guardian, shift s1 " {
		t.Errorf("ps shows %q (%v)", text, err)
	}
	if err := p.Release(); err != nil {
		t.Error(err)
	}
	eventually(t, "it ends", func() bool { return !runs(pid) })
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("it took over what was released")
	}
}

// A guardian that is killed is started again with what it knew, and so is one that is frozen
// and takes no message: it must not act on half of one later.
func TestProcess_isReplaced(t *testing.T) {
	for name, act := range map[string]func(p *Process, pid int){
		"killed": func(_ *Process, pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) },
		"frozen": func(p *Process, pid int) {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			large := rollout.Handover{Shift: "large", Routes: make([]rollout.HandedRoute, 1000)}
			for range 5 {
				p.Hand(large)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, pid, path := startNew(t)
			p.Hand(rollout.Handover{Shift: "s1", RollbackTimeout: time.Minute})
			act(p, pid)
			var next traffic.Process
			eventually(t, "another one runs", func() bool {
				next, _ = p.Process(t.Context())
				return next.PID != pid
			})
			if runs(pid) {
				t.Error("the first one still runs")
			}
			p.Hand(rollout.Handover{Shift: "s2", RollbackTimeout: time.Minute})
			p.mu.Lock()
			_ = p.in.Close() // as if this process died
			p.mu.Unlock()
			eventually(t, "it takes over", func() bool {
				text, _ := os.ReadFile(path)
				return string(text) == "s2"
			})
		})
	}
}

// A process that cannot be started is an error, and soon.
func TestProcess_cannotStart(t *testing.T) {
	broken := errors.New("no credentials")
	p := Start(t.Context(), Options{Shift: "s1", Clients: func(context.Context) (json.RawMessage, error) { return nil, broken }})
	if _, err := p.Process(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = Start(t.Context(), Options{Shift: "s1", Program: file, Clients: func(context.Context) (json.RawMessage, error) { return json.Marshal("") }})
	if _, err := p.Process(t.Context()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
	p.Hand(rollout.Handover{Shift: "s1"}) // does nothing
	if err := p.Release(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v at the end", err)
	}
}
