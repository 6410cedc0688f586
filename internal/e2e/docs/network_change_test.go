package docs

import (
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// The command of the example passes only if all open paths are open and all closed ones closed. Without an answer of the
// application it is inconclusive, unless another path shows that the network is wrong.
func TestExamples_networkChangeScript(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: the script needs curl")
	}
	built := e2e.Build(t)
	stack := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, known := map[string]int{"/connect/database": 200, "/connect/queue": 200, "/connect/payments": 502, "/connect/internet": 502}[r.URL.Path]
		if !known {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(stack.Close)
	trusted := filepath.Join(t.TempDir(), "stack.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stack.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(stack.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, open, closed string
		want               int
	}{
		{"all as they must be", "database queue", "internet", 0},
		{"nothing to test", "", "", 0},
		{"a missing rule", "database payments queue", "internet", 1},
		{"a rule too many", "database", "internet queue", 1},
		{"no answer", "database unknown", "internet", 75},
		{"no answer after a missing rule", "payments unknown", "", 1},
		{"a missing rule after no answer", "unknown payments", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := exec.Command(filepath.Join(built.Root, "examples", "dns-network-change", "test-network.sh"))
			script.Env = append(os.Environ(), "ADDRESS="+host, "PORT="+port, "NAME=example.com", "OPEN="+c.open, "CLOSED="+c.closed, "CURL_CA_BUNDLE="+trusted)
			out, err := script.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := script.ProcessState.ExitCode(); got != c.want {
				t.Errorf("exit status %d, want %d:\n%s", got, c.want, out)
			}
		})
	}
}
