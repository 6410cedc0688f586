package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// requests is what people ask of a running shift, beside its record. The goroutine that renews the
// lease finds them, and that of Run answers them.
type requests struct {
	lease    *lease
	arrived  chan []traffic.Request
	answered map[string]bool // by nonce: a read may still show a request that was answered
}

// newRequests returns the requests of a shift.
func newRequests(l *lease) *requests {
	r := &requests{lease: l, arrived: make(chan []traffic.Request, 1), answered: map[string]bool{}}
	l.requests = r
	return r
}

// found passes on what the records of the shift show. What was not taken yet is replaced: a later
// read shows it as well.
func (r *requests) found(records map[string][]traffic.Record) {
	id, _ := r.position()
	for _, x := range traffic.MergeRecords(records) {
		if x.Shift != id || len(x.Requests) == 0 {
			continue
		}
		select {
		case <-r.arrived:
		default:
		}
		r.arrived <- x.Requests
	}
}

// handleRequests does what was asked, and answers it.
func (w *waiting) handleRequests(ctx context.Context, all []traffic.Request) (failure *Failure) {
	requests, now := w.monitor.requests, time.Now()
	var done []traffic.Verb
	for _, r := range all {
		if requests.answered[r.Nonce] {
			continue
		}
		requests.answered[r.Nonce] = true
		done = append(done, r.Verb)
		result, f := traffic.ResultTooLate, (*Failure)(nil)
		if _, reached := requests.position(); r.At == reached {
			result, f = w.perform(r, now)
		}
		if failure == nil {
			failure = f
		}
		requests.answer(r.Nonce, result)
		w.monitor.report.emit(Event{Kind: RequestAnswered, Gate: r.Gate, Text: fmt.Sprintf("%s by %s: %s", r.Verb, r.By, result)})
	}
	requests.remove(ctx, done)
	return failure
}

// perform does what was asked at this step.
func (w *waiting) perform(r traffic.Request, now time.Time) (traffic.Result, *Failure) {
	switch r.Verb {
	case traffic.VerbAbort:
		return traffic.ResultAccepted, &Failure{Cause: AbortRequested, Detail: strings.TrimSuffix("by "+r.By+": "+r.Reason, ": ")}
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
func (r *requests) position() (id string, reached shift.Share) {
	l := r.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record.Shift, l.record.Reached
}

// answer notes in the record what became of a request.
func (r *requests) answer(nonce string, result traffic.Result) {
	r.lease.change(func(r *traffic.Record) { r.Answers = traffic.WithAnswer(r.Answers, nonce, result) })
}

// remove removes requests that were answered, in the background: one that remains is
// ignored.
func (r *requests) remove(ctx context.Context, verbs []traffic.Verb) {
	if len(verbs) == 0 {
		return
	}
	l := r.lease
	l.marking.Go(func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		defer cancel()
		_ = l.spec.Recorder.RemoveRequests(limited, l.routes, verbs) // its shift is over soon, and it names it
	})
}
