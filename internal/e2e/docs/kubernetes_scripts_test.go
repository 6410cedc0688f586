package docs

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// withPrograms returns the environment of a script that finds other programs first.
func withPrograms(t *testing.T, programs map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "CONTEXT=kind", "NAMESPACE=shop", "TARGET=deployment/web-green")
}

// exits runs a script of an example and checks its exit status and that it says why.
func exits(t *testing.T, script *exec.Cmd, want int, says string) {
	t.Helper()
	out, err := script.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := script.ProcessState.ExitCode(); got != want || !strings.Contains(string(out), says) {
		t.Errorf("exit status %d, want %d and %q:\n%s", got, want, says, out)
	}
}

// The command of the example passes only if all open paths are open and all closed ones closed.
func TestExamples_networkPolicyScript(t *testing.T) {
	built := e2e.Build(t)
	// kubectl executes the command here, with an nc that knows which paths are open.
	programs := map[string]string{
		"kubectl": `
case "$*" in
*unreachable*) exit 1 ;;
"--context kind --namespace shop exec deployment/web-green -- "*) ;;
*) echo "unexpected arguments: $*"; exit 1 ;;
esac
shift 7
exec "$@"
`,
		"nc": `case "$*" in "-z -w 5 db 5432" | "-z -w 5 queue 5672") ;; *) exit 1 ;; esac`,
	}
	for _, c := range []struct {
		name, open, closed string
		want               int
		says               string
	}{
		{"all as they must be", "db:5432 queue:5672", "example.com:443", 0, "example.com:443: closed"},
		{"nothing to test", "", "", 0, ""},
		{"a missing rule", "db:5432 payments:443", "example.com:443", 1, "payments:443: closed, but must be open"},
		{"a rule too many", "db:5432", "queue:5672", 1, "queue:5672: open, but must be closed"},
		{"no Pod", "unreachable:1", "", 75, "no Pod of deployment/web-green could be asked"},
		{"a missing rule and no Pod", "payments:443 unreachable:1", "", 1, "payments:443"},
		{"no Pod and a missing rule", "unreachable:1 payments:443", "", 1, "payments:443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := exec.Command(filepath.Join(built.Root, "examples", "kubernetes-network-policy", "test-network.sh"))
			script.Env = append(withPrograms(t, programs), "OPEN="+c.open, "CLOSED="+c.closed)
			exits(t, script, c.want, c.says)
		})
	}
}

// The smoke test of the example passes only if a Pod answers that it is healthy.
func TestExamples_selectorScript(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: the script needs curl")
	}
	built := e2e.Build(t)
	for _, c := range []struct {
		name   string
		status int
		want   int
		says   string
	}{
		{"healthy", http.StatusOK, 0, "deployment/web-green answered 200"},
		{"broken", http.StatusServiceUnavailable, 1, "deployment/web-green answered 503"},
		{"no Pod", 0, 75, "no Pod of deployment/web-green could be reached: error: deployments.apps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kubectl := `echo 'error: deployments.apps "web-green" not found' >&2; exit 1`
			if c.status != 0 {
				pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/healthz" {
						w.WriteHeader(http.StatusNotFound)
						return
					}
					w.WriteHeader(c.status)
				}))
				t.Cleanup(pod.Close)
				port := pod.Listener.Addr().String()
				port = port[strings.LastIndex(port, ":")+1:]
				kubectl = `
[ "$*" = "--context kind --namespace shop port-forward deployment/web-green :8080" ] || { echo "unexpected arguments: $*"; exit 1; }
echo "Forwarding from 127.0.0.1:` + port + ` -> 8080"
exec sleep 60
`
			}
			script := exec.Command(filepath.Join(built.Root, "examples", "kubernetes-selector", "smoke-test.sh"))
			script.Env = withPrograms(t, map[string]string{"kubectl": kubectl})
			exits(t, script, c.want, c.says)
		})
	}
}
