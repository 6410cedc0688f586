//go:build linux

package records

import (
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// weightsOf returns the weight of an environment in each batch: of every record set that the batch creates.
func weightsOf(r *e2e.Records, mark int, environment string) (steps []string) {
	for _, call := range r.Batches(mark) {
		var weights []string
		for name := range call.Params {
			prefix, isAction := strings.CutSuffix(name, ".Action")
			if isAction && call.Params.Get(name) != "DELETE" && call.Params.Get(prefix+".ResourceRecordSet.SetIdentifier") == environment {
				weights = append(weights, call.Params.Get(prefix+".ResourceRecordSet.Weight"))
			}
		}
		steps = append(steps, strings.Join(weights, " "))
	}
	return steps
}

// A release under load through a caching resolver loses no request. The A and the AAAA record change in one batch per step.
func TestRecords_releaseUnderLoad(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	load := r.LoadNames()
	r.MoreNames(load, 100)
	r.MustActivate("green")
	r.MustRun("plan", "-no-color", "-out", "release")
	schedule, _ := r.Planned("release")["schedule"].(string)
	golden.Check(t, schedule)
	mark := r.Mark()
	r.MustApply("release")
	r.MustHaveAllAnswers("green")
	if got, want := weightsOf(r, mark, "green"), []string{"5 5", "50 50", "100 100"}; !slices.Equal(got, want) {
		t.Errorf("the weights of green were %q", got)
	}
	r.MoreNames(load, 100)
	counts := r.LostNoName(load)
	if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
		t.Errorf("both versions should have answered: %v", counts.ByVersion)
	}
	if out := r.MustApply(); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan after it is not empty:\n%s", out)
	}
}
