// Package records tests releases through weighted records of Route 53, with a DNS server and a caching resolver.
package records

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
