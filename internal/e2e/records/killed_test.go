//go:build linux

package records

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// inHold waits until green has a percentage of both records, and the name servers have it.
func inHold(r *e2e.Records, percent int) {
	r.Eventually(fmt.Sprintf("green has %d %%", percent), func() bool {
		return r.Weight("A", "green") == percent && r.Weight("AAAA", "green") == percent && r.Pending() == 0
	})
}

// killed returns a release of green that is killed at a batch, from 1, or in the hold of its first step (0).
func killed(t *testing.T, victims e2e.Victims, at int) *e2e.Records {
	t.Helper()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	if at == 0 {
		r.Config.Steps = `[{ percent = 5, hold = "10h" }]`
	}
	r.MustActivate("green")
	if at == 0 {
		apply := r.Start()
		inHold(r, 5)
		apply.Kill(victims)
	} else if !r.StruckAt(e2e.Kill(victims), at, e2e.IsBatch) {
		t.Fatal("the apply was not killed")
	}
	r.Config.Steps = `[{ percent = 5, hold = "1s" }]`
	r.MustWrite()
	return r
}

// Terraform and the provider are killed at a write or in a hold: the guardian returns all answers to blue under load, and
// the next apply releases green.
func TestRecords_killedWithAGuardian(t *testing.T) {
	for _, at := range []int{0, 1, 2} {
		t.Run(fmt.Sprintf("batch %d", at), func(t *testing.T) {
			t.Parallel()
			r := killed(t, e2e.AllButGuards, at)
			load := r.LoadNames()
			r.Eventually("all answers are back", func() bool { return r.HasAllAnswers("blue") && r.Pending() == 0 })
			r.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(r.Terraform.Dir) })
			r.MustHaveAllAnswers("blue")
			r.MoreNames(load, 100)
			r.MustApply(e2e.Unlocked)
			r.MustHaveAllAnswers("green")
			r.LostNoName(load)
		})
	}
}

// Route 53 executes the batch of a killed provider after its guardian has returned the answers and ended.
func TestRecords_lateBatchAfterTheGuardian(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	r.MustActivate("green")
	arrived, released := make(chan int, 1), make(chan struct{})
	var first atomic.Bool
	defer r.Balancer.Hook(func(call localaws.Call) {
		if e2e.IsBatch(call) && first.CompareAndSwap(false, true) {
			arrived <- call.ID
			<-released
		}
	})()
	apply := r.Start()
	id := <-arrived
	apply.Kill(e2e.AllButGuards)
	r.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(r.Terraform.Dir) })
	close(released)
	late, err := r.Balancer.AwaitCall(t.Context(), func(call localaws.Call) bool { return call.ID == id && call.Status != 0 })
	if err != nil {
		t.Fatal(err)
	}
	if late.ErrorCode != "InvalidChangeBatch" {
		t.Errorf("the late batch ended with %q", late.ErrorCode)
	}
	r.MustHaveAllAnswers("blue")
	r.MustApply(e2e.Unlocked)
	r.MustHaveAllAnswers("green")
}

// Everything is killed at a write or in a hold: the next apply completes the release, or rolls it back where the line was
// reverted.
func TestRecords_killedWithoutAGuardian(t *testing.T) {
	for _, at := range []int{0, 1, 2, 3} {
		for _, then := range []string{"green", "blue"} {
			t.Run(fmt.Sprintf("batch %d, then %s", at, then), func(t *testing.T) {
				t.Parallel()
				r := killed(t, e2e.Everything, at)
				load := r.LoadNames()
				r.MustActivate(then)
				mark := r.Mark()
				r.MustApply(e2e.Unlocked)
				r.MustHaveAllAnswers(then)
				if n := len(r.Batches(mark)); then == "blue" && n != 1 {
					t.Errorf("%d batches for a rollback", n)
				}
				if rejected := r.Switch()["rejected"]; rejected != nil {
					t.Errorf("rejected is %v", rejected)
				}
				if out := r.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(out, "No changes") {
					t.Errorf("the plan is not empty:\n%s", out)
				}
				r.LostNoName(load)
			})
		}
	}
}
