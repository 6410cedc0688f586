//go:build unix

package abandoned

import (
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// A later release that is killed between the end of its rollback and the state that remembers
// it: the version stays rejected.
func TestAbandoned_rejectedBeforeTheStateIsSaved(t *testing.T) {
	for name, call := range map[string]func(localaws.Call) bool{"phase": phase("rejected"), "removal": nth("RemoveTags")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e2e.NewQuietWorld(t, quick)
			release{later: true, version: "1.3", before: "1.1"}.start(w)
			w.SetGates(failing)
			if !w.KilledAt(1, call) {
				t.Fatal("the apply was not killed")
			}
			w.MustHaveAll("blue")
			mark := w.Mark()
			for range 2 {
				if out := e2e.ErrorsIn(w.MustFail(e2e.Unlocked)); !strings.HasPrefix(out, "Cannot shift web to a rejected version\n") {
					t.Errorf("the version is not refused:\n%s", out)
				}
			}
			if n := w.Writes(mark); n > 0 {
				t.Errorf("%d writes, want none", n)
			}
			w.MustConfigure("blue")
			w.MustApply(e2e.Unlocked)
			settled(t, w)
			w.LostNothing()
		})
	}
}

// A Create that rejected a version leaves no state, only its record. No refusal removes it,
// because nothing else remembers the version; changing retry ships it again.
func TestAbandoned_createStaysRejected(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
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

	w.SetGates(rehearsal.NoGates + "  retry = \"1\"\n")
	w.MustApply()
	w.MustHaveAll("green")
	settled(t, w)
	w.LostNothing()
}
