// Package matrix kills applies, breaks the API and changes the traffic in mid-shift, in many
// combinations, and checks what users, the state and the next plan have afterwards. It takes
// an hour on two cores, so it runs only where BLUEGREEN_TEST_MATRIX is set.
package matrix

import (
	"os"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

const variable = "BLUEGREEN_TEST_MATRIX"

func TestMain(m *testing.M) { e2e.Main(m) }

// needed skips the test unless the matrix is asked for.
func needed(t *testing.T) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("SKIPPED: the matrix takes an hour; set %s=1 to run it", variable)
	}
}
