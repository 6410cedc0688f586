package localaws_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// The client is gone before the delay begins, and the write is executed nevertheless.
func TestFaults_lateExecution(t *testing.T) {
	b := newDNSBench(t)
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.LateExecution, Delay: 100 * time.Millisecond, Times: 1})
	gone := make(chan struct{})
	remove := b.srv.Hook(func(localaws.Call) { <-gone })
	ctx, cancel := context.WithCancel(b.ctx())
	defer cancel()
	go func() {
		if _, err := b.srv.AwaitCall(b.ctx(), func(c localaws.Call) bool { return c.Action == "ChangeResourceRecordSets" }); err == nil {
			cancel()
		}
	}()
	if _, err := b.tryChange(ctx, create(weighted("www.example.com", "blue", 1, "192.0.2.1"))); err == nil {
		t.Error("got an answer")
	}
	remove()
	close(gone)
	b.until("the late write", func() bool { return strings.Contains(b.records(300), "blue") })
}

// Of several batches that delete the same record set and create another in its place, one takes effect.
func TestRoute53_oneOfSeveralSwapsWins(t *testing.T) {
	b := newDNSBench(t)
	const clients = 8
	for round := range int64(5) {
		stored := weighted("www.example.com", "blue", round, "192.0.2.1")
		b.change(upsert(stored))
		errs := make(chan error, clients)
		for i := range int64(clients) {
			go func() {
				_, err := b.tryChange(b.ctx(), remove(stored), create(weighted("www.example.com", "blue", 100+i, "192.0.2.1")))
				errs <- err
			}()
		}
		won := 0
		for range clients {
			if err := <-errs; err == nil {
				won++
			} else if got := answer(t, err); !strings.HasPrefix(got, "InvalidChangeBatch: [Tried to delete") {
				t.Errorf("got %s", got)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d batches took effect", round, won)
		}
	}
}
