// Package abandoned tests what the next apply does about a shift whose processes were
// killed, and about what people did meanwhile.
package abandoned

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
