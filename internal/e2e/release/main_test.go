// Package release tests releases that create and destroy environments, and what protects
// an environment with traffic.
package release

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
