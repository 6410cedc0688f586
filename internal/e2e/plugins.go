package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// pluginsVariable is the environment variable of a folder with hashicorp/aws and hashicorp/kubernetes
// for the tests that need one of them, in the layout of "terraform providers mirror".
const pluginsVariable = "BLUEGREEN_TEST_PLUGINS"

// WithPlugins returns a CLI configuration with which Terraform also finds other providers. It
// skips the test where there is none.
func (p Programs) WithPlugins(t *testing.T) string {
	t.Helper()
	plugins := os.Getenv(pluginsVariable)
	if plugins == "" {
		t.Skipf("SKIPPED: it needs another provider, such as hashicorp/aws; set %s to a folder that \"terraform providers mirror\" has filled", pluginsVariable)
	}
	config := filepath.Join(t.TempDir(), "terraform.rc")
	text := fmt.Sprintf(`provider_installation {
  filesystem_mirror {
    path    = %q
    include = ["registry.terraform.io/bluegreen/bluegreen", "registry.opentofu.org/bluegreen/bluegreen"]
  }
  filesystem_mirror {
    path    = %q
    exclude = ["registry.terraform.io/bluegreen/bluegreen", "registry.opentofu.org/bluegreen/bluegreen"]
  }
}
`, filepath.Join(p.Dir, "mirror"), plugins)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}
