package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pluginsVariable is the environment variable of a folder with hashicorp/aws or hashicorp/kubernetes
// or both for the tests that need them, in the layout of "terraform providers mirror".
const pluginsVariable = "BLUEGREEN_TEST_PLUGINS"

// WithPlugins returns a CLI configuration with which Terraform also finds other providers, such as
// "hashicorp/aws". It skips the test where one of them is not at hand.
func (p Programs) WithPlugins(t *testing.T, first string, more ...string) string {
	t.Helper()
	plugins := os.Getenv(pluginsVariable)
	for _, provider := range append([]string{first}, more...) {
		if plugins == "" || !p.has(plugins, provider) {
			t.Skipf("SKIPPED: it needs %s; set %s to a folder with it that \"terraform providers mirror\" has filled", provider, pluginsVariable)
		}
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

// has reports whether a folder has a provider of the registry of Terraform or OpenTofu.
func (p Programs) has(plugins, provider string) bool {
	registry := "registry.terraform.io"
	if strings.HasPrefix(filepath.Base(p.Terraform), "tofu") {
		registry = "registry.opentofu.org"
	}
	found, err := os.Stat(filepath.Join(plugins, registry, filepath.FromSlash(provider)))
	return err == nil && found.IsDir()
}
