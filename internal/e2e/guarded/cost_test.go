//go:build linux

package guarded

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const (
	longestStart = 50 * time.Millisecond
	mostMemory   = 30 << 10 // kB
)

// resident returns the resident memory of a process in kB.
func resident(t *testing.T, pid int) (kB int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB
}

// startOnce starts the guardian of the provider's binary, and returns how long it takes until it
// runs and the memory that it has then.
func startOnce(t *testing.T, binary string) (took time.Duration, kB int) {
	t.Helper()
	guardian := exec.CommandContext(t.Context(), binary, "guardian,", "shift", "cost")
	in, err := guardian.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := guardian.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := guardian.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it reports nothing")
	}
	took = time.Since(began)
	var report struct{ PID int }
	if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	kB = resident(t, report.PID)
	_, _ = fmt.Fprintln(in, `{"release":true}`)
	_ = guardian.Wait()
	return took, kB
}

// The guardian starts fast and is small.
func TestGuardian_cost(t *testing.T) {
	binary := filepath.Join(e2e.Build(t).Dir, "terraform-provider-bluegreen")
	fastest, memory := time.Hour, 0
	for range 10 {
		took, kB := startOnce(t, binary)
		fastest, memory = min(fastest, took), max(memory, kB)
	}
	t.Logf("it starts in %s and has %d kB", fastest, memory)
	if slow.Exceeds(fastest, longestStart) || memory > mostMemory {
		t.Errorf("it starts in %s and has %d kB; at most %s and %d kB", fastest, memory, longestStart, mostMemory)
	}
}
