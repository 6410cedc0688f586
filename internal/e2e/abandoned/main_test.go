// Package abandoned tests what the next apply does about a shift whose processes were
// killed, and about what people did meanwhile.
package abandoned

import (
	"flag"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// The tests wait more than they work: for leases, writes that may be late, and processes.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	e2e.Main(m)
}
