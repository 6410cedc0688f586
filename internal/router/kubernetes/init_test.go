package kubernetes_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// initialized matches a line of GODEBUG=inittrace=1 about a package.
var initialized = regexp.MustCompile(`^init (k8s\.io/\S+|sigs\.k8s\.io/\S+|\S+/internal/router/kubernetes) @\S+ ms, (\S+) ms clock, (\d+) bytes, (\d+) allocs$`)

// Every start of the provider pays for the packages of Kubernetes, also that of a configuration without a route of it:
// about 370 kB and 1.4 ms. Typed clients, which register every type, would take ten times that. What is allocated is
// what can be compared: time differs by machine.
func TestImport_costsLittle(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	list := exec.CommandContext(t.Context(), self, "-test.list=^$")
	list.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := list.CombinedOutput()
	must(t, err)
	packages, bytes, took := 0, 0, 0.0
	for line := range strings.Lines(string(out)) {
		if m := initialized.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			ms, err := strconv.ParseFloat(m[2], 64)
			must(t, err)
			n, err := strconv.Atoi(m[3])
			must(t, err)
			packages, bytes, took = packages+1, bytes+n, took+ms
		}
	}
	t.Logf("%d packages allocate %d kB in %.1f ms", packages, bytes/1000, took)
	if packages < 10 || bytes > 1_000_000 {
		t.Errorf("%d packages of Kubernetes allocate %d bytes when the process starts, want at most 1 MB:\n%s", packages, bytes, out)
	}
}
