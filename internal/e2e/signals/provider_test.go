//go:build unix

package signals

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// survived are the signals that do not end the provider.
var survived = []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

// commandGate is a gate that runs a shell script before any traffic.
func commandGate(script, more string) string {
	return fmt.Sprintf(`
  gate {
    name = "script"
    when = "before"
    %s
    command {
      argv = ["/bin/sh", "-c", %q]
    }
  }
`, more, script)
}

// sets returns the signal sets that a program wrote, as bits, by name.
func sets(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, match := range regexp.MustCompile(`(Sig\w+):\s*([0-9a-f]+)`).FindAllStringSubmatch(string(text), -1) {
		if all[match[1]], err = strconv.ParseUint(match[2], 16, 64); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// The program of a gate starts with the default of every signal that the provider
// survives, so that the timeout of the gate stops it in an orderly way.
func TestSignals_reachTheProgramOfAGate(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	signals, ended := filepath.Join(t.TempDir(), "signals"), filepath.Join(t.TempDir(), "ended")
	w.SetGates(commandGate(fmt.Sprintf("grep ^Sig /proc/self/status > %s; trap 'echo trapped > %s; exit 3' TERM; while :; do sleep 0.05; done", signals, ended),
		"timeout = \"1s\"\n      consecutive_error_limit = 0"))
	w.MustConfigure("green")
	// A slow machine may kill the program before its trap has run. An error of a gate
	// rejects nothing, so that the release can be repeated.
	w.Eventually("the trap of the program has run", func() bool {
		out := w.MustFail()
		if !strings.Contains(out, "gate timeout") {
			t.Fatalf("the gate did not time out:\n%s", out)
		}
		_, err := os.Stat(ended)
		return err == nil
	})
	for name, bits := range sets(t, signals) {
		for _, s := range survived {
			if (name == "SigIgn" || name == "SigBlk") && bits&(1<<(s-1)) != 0 {
				t.Errorf("%s of the program has %s", name, s)
			}
		}
	}
	w.LostNothing()
}

func TestSignals_aTrapDecidesTheGate(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	w.SetGates(commandGate("trap 'exit 3' TERM; kill -TERM $$; exit 0", ""))
	w.MustConfigure("green")
	out := w.MustFail()
	golden.Check(t, e2e.ErrorsIn(out), append(golden.Volatile(), golden.ReplacePattern(`(exit status 3 in) [0-9.]+\S?s`, "$1 <took>"))...)
	w.MustHaveAll("blue")
	w.LostNothing()
}

// The provider gets each signal during a shift and during its rollback, in which it logs
// to a Terraform that was killed.
func TestSignals_doNotEndTheProvider(t *testing.T) {
	w := e2e.NewWorld(t, e2e.Endless)
	w.Terraform.Env = append(w.Terraform.Env, "TF_LOG=TRACE", "TF_LOG_PATH="+filepath.Join(t.TempDir(), "trace.log"))
	w.MustConfigure("green")
	apply := w.Start()
	waitUntil(w, 5)
	provider := apply.Provider()
	for _, s := range survived {
		if err := syscall.Kill(provider, s); err != nil {
			t.Fatal(err)
		}
	}
	mark := w.Mark()
	w.Eventually("the shift is still monitored", func() bool { return w.Mark() > mark+3 })
	if !proc.Running(provider) {
		t.Fatal("a signal ended the provider")
	}
	if err := apply.Command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, s := range survived {
		if err := syscall.Kill(provider, s); err != nil {
			t.Fatal(err)
		}
	}
	apply.Wait()
	w.Eventually("blue has all the traffic again", func() bool { return w.HasAll("blue") })
	w.Eventually("the orphaned provider ends", func() bool { return e2e.Exited(provider) })
	w.LostNothing()
}
