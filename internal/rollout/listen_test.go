package rollout

import (
	"context"
	"testing"
	"time"
)

// An interrupt makes whatever is being asked answer with an error. Where both
// are there at the same time, it is the interrupt that counts: an answer that
// speaks of it would be taken for a gate that cannot measure.
func TestVigil_doesNotHearWhatAnInterruptBrings(t *testing.T) {
	gate := &armed{NamedGate: NamedGate{}}
	r := &run{}
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		v := r.vigil(stage{})
		v.answers = make(chan any, 1)
		v.answers <- gateAnswer{gate: gate, verdict: Verdict{Answer: Errored, Err: context.Canceled}}
		if f := v.listen(ctx, time.Now().Add(time.Hour)); f != nil {
			t.Fatalf("heard %v", f)
		}
	}
}
