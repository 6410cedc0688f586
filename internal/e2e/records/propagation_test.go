//go:build linux

package records

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// A step begins once its change is INSYNC: while it is PENDING, nothing else is written.
func TestRecords_pendingChange(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	release := r.Balancer.Route53().Hold()
	r.MustActivate("green")
	mark := r.Mark()
	apply := r.Start()
	r.Eventually("the provider waits for the change", func() bool {
		reads := 0
		for _, call := range r.Balancer.Calls()[mark:] {
			if call.Action == "GetChange" {
				reads++
			}
		}
		return reads >= 3
	})
	if n := len(r.Batches(mark)); n != 1 {
		t.Errorf("%d batches while the first is PENDING", n)
	}
	if got := r.Answers(t, 40, "A"); got["green"] != 0 {
		t.Errorf("the name server answered %v before the change was INSYNC", got)
	}
	release()
	if out, ok := apply.Wait(); !ok {
		t.Fatalf("apply failed:\n%s", out)
	}
	r.MustHaveAllAnswers("green")
}

// With a slow propagation, every hold lasts from when the name servers have the weights.
func TestRecords_slowPropagation(t *testing.T) {
	t.Parallel()
	const propagation = 3 * time.Second
	r := e2e.NewRecords(t, localaws.WithRecordPropagation(propagation))
	r.MustAdopt()
	load := r.LoadNames()
	r.MustActivate("green")
	mark := r.Mark()
	r.MustApply()
	r.MustHaveAllAnswers("green")
	if r.Pending() > 0 {
		t.Error("the apply ended before its last change was INSYNC")
	}
	batches := r.Batches(mark)
	if len(batches) != 3 {
		t.Fatalf("%d batches for 3 steps", len(batches))
	}
	for i := range 2 {
		if gap := batches[i+1].At.Sub(batches[i].At); gap < propagation+time.Second {
			t.Errorf("%s between steps %d and %d", gap, i, i+1)
		}
	}
	r.LostNoName(load)
}

// Several switches in one run share the request rate of the account: Route 53 rejects no call of the run, and no second
// has more than five besides the burst.
func TestRecords_throttled(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t, localaws.WithRoute53Rate(5))
	r.Config.Names = append(r.Config.Names, "api.example.com", "shop.example.com")
	for _, name := range r.Config.Names[1:] {
		r.AddName(name)
	}
	r.MustAdopt()
	r.MustActivate("green")
	r.MustRun("plan", "-no-color", "-out", "release")
	mark := r.Mark()
	r.MustApply("release")
	for _, name := range r.Config.Names {
		if got := r.RecordWeights(name, "A"); got["green"] == 0 || got["blue"] != 0 {
			t.Errorf("%s has the weights %v", name, got)
		}
	}
	calls := r.Balancer.Calls()[mark:]
	var at []time.Time
	for _, call := range calls {
		if call.Service == "route53" {
			at = append(at, call.At)
		}
	}
	if len(r.Batches(mark)) < 3 || len(at) < 10 {
		t.Fatalf("%d batches, %d calls", len(r.Batches(mark)), len(at))
	}
	// A bucket of 5 that is refilled at 5 per second: n seconds have at most 5 + 5n calls. Arrival may be late by a little,
	// so the window is longer.
	const seconds, late = 10, time.Second
	for i := range at {
		j := i + 5 + 5*seconds
		if j < len(at) && at[j].Sub(at[i]) < seconds*time.Second-late {
			t.Fatalf("%d calls within %s", j-i+1, at[j].Sub(at[i]))
		}
	}
	rejected := 0
	for _, call := range calls {
		if call.ErrorCode == "Throttling" {
			rejected++
		}
	}
	t.Logf("%d calls of Route 53 within %s, %d of them rejected", len(at), at[len(at)-1].Sub(at[0]), rejected)
}
