package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// requestInterval is the pause between two reads of requests while a shift waits.
const requestInterval = 5 * time.Second

// requests is what people ask of a running shift, beside its record. The goroutine of Run uses it.
type requests struct {
	lease    *lease
	next     time.Time       // earliest start of the next read
	answered map[string]bool // by nonce: a read may still show a request that was answered
}

// newRequests returns the requests of a shift that has a record; nil where it has none.
func newRequests(l *lease) *requests {
	if !l.isHeld() {
		return nil
	}
	return &requests{lease: l, next: time.Now().Add(requestInterval), answered: map[string]bool{}}
}

func (r *requests) read(ctx context.Context) ([]traffic.Request, error) {
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	return r.lease.spec.Recorder.Requests(limited, r.lease.routes)
}

// requestsAnswer is the answer of requests.read.
type requestsAnswer struct {
	all []traffic.Request
	err error
}

func readRequests(ctx context.Context, r *requests, answers chan<- any) {
	all, err := r.read(ctx)
	select {
	case answers <- requestsAnswer{all, err}:
	case <-ctx.Done():
	}
}

// handleRequests does what was asked, and answers it. A read that failed is repeated: whoever asks
// waits for an answer.
func (w *waiting) handleRequests(a requestsAnswer, now time.Time) (failure *Failure) {
	all := w.monitor.requests
	w.asked.running, all.next = false, now.Add(requestInterval)
	w.asked.next = all.next
	if a.err != nil {
		w.monitor.report.warn("Requests to the shift, such as approvals, could not be read for a while.")
		return nil
	}
	var done []traffic.Verb
	for _, r := range a.all {
		if all.answered[r.Nonce] {
			continue
		}
		all.answered[r.Nonce] = true
		done = append(done, r.Verb)
		id, reached := all.lease.position()
		if r.Shift != id {
			continue // it was meant for a shift that has ended
		}
		result, f := traffic.ResultTooLate, (*Failure)(nil)
		if r.At == reached {
			result, f = w.obey(r, now)
		}
		if failure == nil {
			failure = f
		}
		all.lease.answer(r.Nonce, result)
		w.monitor.report.emit(Event{Kind: RequestAnswered, Gate: r.Gate, Text: fmt.Sprintf("%s by %s: %s", r.Verb, r.By, result)})
	}
	all.lease.removeRequests(done)
	return failure
}

// obey does what was asked at this step.
func (w *waiting) obey(r traffic.Request, now time.Time) (traffic.Result, *Failure) {
	switch r.Verb {
	case traffic.VerbAbort:
		return traffic.ResultAccepted, &Failure{Cause: AbortRequested, Detail: joinText("by "+r.By, r.Reason)}
	case traffic.VerbPromote:
		if w.stage.part == shift.Before || w.stage.fixed || !now.Before(w.heldUntil) {
			return traffic.ResultNoHold, nil
		}
		w.heldUntil = now
		return traffic.ResultAccepted, nil
	case traffic.VerbApprove:
		i := slices.IndexFunc(w.stage.gates, func(g *activeGate) bool { return g.Name == r.Gate && g.TakesApproval && g.latest != Pass })
		if i < 0 {
			return traffic.ResultNoGate, nil
		}
		g := w.stage.gates[i]
		g.approved, g.next = r.By, now
		return traffic.ResultAccepted, nil
	}
	return traffic.ResultTooLate, nil
}

// position returns the id of the shift, and the part of it that its record shows.
func (l *lease) position() (id string, reached shift.Share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record.Shift, l.record.Reached
}

// answer notes in the record what became of a request.
func (l *lease) answer(nonce string, result traffic.Result) {
	l.change(func(r *traffic.Record) { r.Answer = traffic.Answer(nonce, result) })
}

// removeRequests removes requests that were answered, in the background: one that remains is
// ignored.
func (l *lease) removeRequests(verbs []traffic.Verb) {
	if len(verbs) == 0 {
		return
	}
	l.marking.Go(func() {
		limited, cancel := context.WithTimeout(context.Background(), recordTimeout)
		defer cancel()
		_ = l.spec.Recorder.RemoveRequests(limited, l.routes, verbs) // its shift is over soon, and it names it
	})
}
