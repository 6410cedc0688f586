//go:build unix

package abandoned

import (
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// A Create that rejected a version leaves no state, only its record. No refusal removes it,
// because nothing else remembers the version; changing retry ships it again.
func TestAbandoned_createStaysRejected(t *testing.T) {
	t.Parallel()
	w := e2e.NewWorld(t, quick)
	release{version: "1.3"}.start(w)
	forget(t, w)
	w.SetGates(failing)
	w.MustFail()
	w.MustHaveAll("blue")
	mark := w.Mark()
	for range 3 {
		if out := e2e.ErrorsIn(w.MustFail()); !strings.HasPrefix(out, "Cannot shift web to a rejected version\n") {
			t.Errorf("the version is not refused:\n%s", out)
		}
	}
	if n := w.Writes(mark); n > 0 {
		t.Errorf("%d writes, want none", n)
	}

	w.SetGates("{}\n  retry = \"1\"\n")
	w.MustApply()
	w.MustHaveAll("green")
	settled(t, w)
	w.LostNothing()
}
