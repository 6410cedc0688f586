// Package docs tests the README, the guides and the examples.
package docs

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
