// Package shift tests shifts on a load balancer that exists: under load, with sticky
// clients, with the gates that read its metrics, and what they print and call.
package shift

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
