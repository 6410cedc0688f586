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
