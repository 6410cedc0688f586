package shift

import (
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestPolicy_coversEveryCallOfAShift(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	mark := w.Mark()
	w.MustConfigure("green")
	w.MustApply()
	w.MustConfigure("blue")
	w.MustApply()
	made := e2e.CheckPolicy(t, w.Balancer.Calls()[mark:])
	for _, action := range []string{"ModifyListener", "AddTags", "RemoveTags", "DescribeTags"} {
		if !slices.Contains(made, "elasticloadbalancing:"+action) {
			t.Errorf("%s was not seen, only %v", action, made)
		}
	}
	w.LostNothing()
}
