//go:build linux

package records

import (
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// A release that removes the environment it leaves, in the same apply, moves the answers first.
func TestRecords_removedInTheSameApply(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	load := r.LoadNames()
	delete(r.Config.Versions, "blue")
	r.MustActivate("green")
	r.MustApply()
	r.MustHaveAllAnswers("green")
	if out := r.MustApply(); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
	r.LostNoName(load)
}

// The live environment cannot be destroyed, and no record is changed. The idle one can.
func TestRecords_destroy(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	mark := r.Mark()
	out, ok := r.Start("-destroy").Wait()
	if ok {
		t.Errorf("the live environment was destroyed:\n%s", out)
	}
	golden.Check(t, e2e.ErrorsIn(out), golden.Replace(r.Zone, "<zone>"))
	if n := len(r.Batches(mark)); n > 0 {
		t.Errorf("%d batches", n)
	}
	r.MustHaveAllAnswers("blue")
	delete(r.Config.Versions, "green")
	r.MustWrite()
	mark = r.Mark()
	r.MustApply()
	if n := len(r.Batches(mark)); n > 0 {
		t.Errorf("%d batches when the idle environment was removed", n)
	}
	r.MustHaveAllAnswers("blue")
}
