// Package guarded tests what the guardian of a shift does when processes are killed.
package guarded

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
