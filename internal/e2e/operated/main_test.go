// Package operated tests the command bluegreen beside real Terraform.
package operated

import (
	"flag"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// The tests wait more than they work: for writes that may be late.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8")
	e2e.Main(m)
}
