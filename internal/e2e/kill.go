//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// errNoProvider reports that Terraform has no process of the provider.
var errNoProvider = errors.New("the provider's process was not found")

// findProvider finds the process that a Terraform has started for the provider.
func findProvider(terraform int) (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		_, rest, _ := strings.Cut(string(text), ") ") // after the name: state, parent
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(terraform) && strings.Contains(string(text), "(terraform-provi") {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, errNoProvider
}

// Provider returns the process of the provider of an apply.
func (a *Apply) Provider() int {
	a.t.Helper()
	pid, err := findProvider(a.Command.Process.Pid)
	if err != nil {
		a.t.Fatal(err)
	}
	return pid
}

// Attach returns the apply of a Terraform that another process has started. It cannot be waited for.
func Attach(w *World, terraform int) *Apply {
	w.t.Helper()
	process, err := os.FindProcess(terraform)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Apply{t: w.t, Command: &exec.Cmd{Process: process, Dir: w.Terraform.Dir}}
}

// Exited reports whether a process has ended or is a zombie.
func Exited(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "Z")
}

// Children returns the processes that have the parent, and theirs.
func Children(parent int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(append(all, pid), Children(pid)...)
		}
	}
	return all
}

// Victims are the processes of an apply that are killed.
type Victims int

// The victims.
const (
	Everything   Victims = iota // Terraform, the provider and its guardians, as when the machine is lost
	AllButGuards                // Terraform and the provider
	OnlyProvider
)

// Strike kills processes, and does not wait for them. All are stopped first: the provider cannot roll back when
// Terraform dies, and Terraform cannot change its state when the provider does. The provider dies first: the
// kernel sends SIGCONT to what is stopped in a process group whose leader died.
func (a *Apply) Strike(victims Victims) error {
	provider, err := findProvider(a.Command.Process.Pid)
	if err != nil {
		return err
	}
	errs := []error{stop(provider)}
	if victims != OnlyProvider {
		errs = append(errs, stop(a.Command.Process.Pid))
	}
	if victims == Everything {
		for guardians := a.guardiansOf(provider); len(guardians) > 0; guardians = a.guardiansOf(provider) {
			for _, pid := range guardians {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
	}
	errs = append(errs, syscall.Kill(provider, syscall.SIGKILL))
	if victims != OnlyProvider {
		errs = append(errs, a.Command.Process.Kill())
	}
	return errors.Join(errs...)
}

// stop stops a process, and waits until it is: one that still runs starts another guardian in
// place of one that is killed.
func stop(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ")
		if err != nil || strings.HasPrefix(rest, "T") || strings.HasPrefix(rest, "Z") {
			return nil //nolint:nilerr // it has ended
		}
		runtime.Gosched()
	}
}

// guardiansOf returns the guardians that live, with those that a stopped provider is starting: they are its
// children before they have the command line of a guardian.
func (a *Apply) guardiansOf(provider int) []int {
	return slices.DeleteFunc(append(Children(provider), a.Guardians()...), Exited)
}

// Guardians returns the processes of the guardians of this apply.
func (a *Apply) Guardians() []int { return guardiansIn(a.Command.Dir) }

// guardiansIn returns the processes of guardians with a working directory, in no order.
func guardiansIn(dir string) []int {
	return providersIn(dir, func(line string) bool { return strings.Contains(line, "\x00guardian,\x00") })
}

// noGuardianIn reports whether no guardian is left with a working directory. One that stays after it rolled back,
// because a late write may come, ends with SIGTERM, and any other without a provider ignores it.
func noGuardianIn(dir string) bool {
	guardians := guardiansIn(dir)
	if !RunsProvider(dir) {
		for _, pid := range guardians {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	return len(guardians) == 0
}

// RunsGuardian reports whether a guardian has a working directory.
func RunsGuardian(dir string) bool { return len(guardiansIn(dir)) > 0 }

// RunsProvider reports whether a provider that is no guardian has a working directory.
func RunsProvider(dir string) bool {
	return len(providersIn(dir, func(line string) bool { return !strings.Contains(line, "\x00guardian,\x00") })) > 0
}

// providersIn returns the processes of the provider's binary with a working directory whose
// command line matches.
func providersIn(dir string, matches func(line string) bool) []int {
	want, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	var found []int
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		cwd, err := os.Readlink(folder + "/cwd")
		if err != nil || cwd != want {
			continue
		}
		line, _ := os.ReadFile(folder + "/cmdline")
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && strings.Contains(string(line), "terraform-provider-bluegreen") && matches(string(line)) {
			found = append(found, pid)
		}
	}
	return found
}

// Kill kills processes now, and waits until they have ended.
func (a *Apply) Kill(victims Victims) {
	a.t.Helper()
	provider := a.Provider()
	if err := a.Strike(victims); err != nil {
		a.t.Fatal(err)
	}
	a.Wait()
	eventually(a.t, "the provider has exited", func() bool { return Exited(provider) })
}

// KilledAt applies, and kills everything when the n-th call arrives that matches, from 1. The
// call is executed, but nobody receives its answer. It returns false if the apply ended before.
func (w *World) KilledAt(n int, matches func(localaws.Call) bool, args ...string) bool {
	w.t.Helper()
	return w.StruckAt(Kill(Everything), n, matches, args...)
}

// Kill returns what kills processes of an apply.
func Kill(victims Victims) func(*Apply) error {
	return func(a *Apply) error { return a.Strike(victims) }
}

// StruckAt is KilledAt with something else that happens to the processes of the apply.
func (w *World) StruckAt(strike func(*Apply) error, n int, matches func(localaws.Call) bool, args ...string) bool {
	w.t.Helper()
	var mu sync.Mutex
	var apply *Apply
	var failed error
	seen, killed := 0, 0 // the id of the call
	mu.Lock()            // until apply is set
	remove := w.Balancer.Hook(func(call localaws.Call) {
		mu.Lock()
		defer mu.Unlock()
		if !matches(call) {
			return
		}
		if seen++; seen == n {
			killed, failed = call.ID, strike(apply)
		}
	})
	apply = w.Start(args...)
	mu.Unlock()
	out, _ := apply.Wait()
	remove()
	mu.Lock()
	defer mu.Unlock()
	if failed != nil {
		w.t.Fatalf("call %d: %v\n%s", killed, failed, out)
	}
	if killed == 0 {
		return false
	}
	w.Eventually("the last call is executed", func() bool {
		return slices.ContainsFunc(w.Balancer.Calls(), func(call localaws.Call) bool { return call.ID == killed && call.Status != 0 })
	})
	return true
}

// Unlocked is the argument of an apply after one that was killed and holds the lock of
// the state.
const Unlocked = "-lock=false"

// IsWrite reports whether a call changes a route or its tags.
func IsWrite(call localaws.Call) bool {
	switch call.Action {
	case "ModifyListener", "ModifyRule", "AddTags", "RemoveTags":
		return true
	}
	return false
}
