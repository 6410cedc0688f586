// Package signals tests what the signals that end an apply leave behind.
package signals

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
