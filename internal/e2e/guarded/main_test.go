// Package guarded tests what the guardian of a shift does when processes are killed.
package guarded

import (
	"flag"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// The tests wait more than they work: for writes that may be late, and for processes.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8")
	e2e.Main(m)
}
