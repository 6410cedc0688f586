package operate

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// brief is a record whose reason somebody else replaces after a moment, and which the apply removes
// when it ends, seconds later.
type brief struct {
	traffic.Recorder
	began time.Time
}

func (b brief) Records(context.Context, []string) (map[string][]traffic.Record, error) {
	r := traffic.Record{Shift: "x", Phase: traffic.PhaseRollingBack, Reason: "rolled back by ann"}
	switch since := time.Since(b.began); {
	case since > 4*time.Second:
		return nil, nil
	case since > 700*time.Millisecond:
		r.Reason = "rolled back by bob"
	}
	return map[string][]traffic.Record{"route": {r}}, nil
}

// A rollback watches for half a minute, and the apply removes the record long before: what the record
// says in between is noticed.
func TestNoticing_whileItWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &noticing{Recorder: brief{began: time.Now()}, shift: "x", reason: "rolled back by ann"}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		n.keepLooking(ctx, []string{"route"})
		n.look(t.Context(), []string{"route"})
		if got := n.warning(); !strings.Contains(got, "rolled back by bob") {
			t.Errorf("the warning is %q", got)
		}
	})
}
