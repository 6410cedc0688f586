package main

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func TestZZ(t *testing.T) {
	root, _ := rehearsal.ModuleRoot(t.Context())
	b := bench{root: root, dir: t.TempDir(), runs: 10, rate: 600}
	rows, err := b.releases(t.Context())
	t.Log(rows, err)
}
