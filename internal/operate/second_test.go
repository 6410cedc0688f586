package operate_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// as returns an operator of another user.
func (w *world) as(user string) *operate.Operator {
	o := w.on(w.routes...)
	o.Owner.User = user
	return o
}

// Two rollbacks that both read the record before either wrote it: both write the same, at least one
// learns of the other, and the record has the reason of one of them.
func TestSecond_twoRollbacks(t *testing.T) {
	w := newWorld(t)
	w.put(w.record())
	var plans []*operate.Plan
	for _, user := range []string{"ann", "bob"} {
		plan, err := w.as(user).PlanRollback(t.Context(), operate.RollbackOptions{Timeout: slow.Deadline(20 * time.Second)})
		w.must(err)
		plans = append(plans, plan)
	}
	results := make([]operate.Result, 2)
	var running sync.WaitGroup
	for i, plan := range plans {
		running.Go(func() {
			var err error
			if results[i], err = plan.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if !slices.Equal(w.green(w.routes...), none) {
		t.Errorf("green has %v", w.green(w.routes...))
	}
	noticed := 0
	for i, other := range []string{"bob", "ann"} {
		if strings.Contains(results[i].Text(), "Somebody rolled the shift back at the same time: rolled back by "+other+" on laptop") {
			noticed++
		}
	}
	if r := w.recorded(w.routes[0]); noticed == 0 || r.Phase != traffic.PhaseRejected || !strings.HasPrefix(r.Reason, "rolled back by ") {
		t.Errorf("%d noticed, %+v\n%s\n%s", noticed, r, results[0].Text(), results[1].Text())
	}
}

// The second one planned before the first one ended, and runs afterwards.
func TestSecond_rollbackAfterAnother(t *testing.T) {
	w := newWorld(t)
	r := w.running()
	second, err := w.as("bob").PlanRollback(t.Context(), operate.RollbackOptions{Timeout: slow.Deadline(20 * time.Second)})
	w.must(err)
	r.Phase, r.Reason = traffic.PhaseRollingBack, "rolled back by ann on ci-7 with bluegreen rollback"
	w.put(r)
	again, err := w.as("bob").PlanRollback(t.Context(), operate.RollbackOptions{Timeout: slow.Deadline(20 * time.Second)})
	w.must(err)
	golden.Check(t, again.Text()+"\n", w.volatile()...)
	if !again.Equal(second) { // the traffic is the same, and so is what is written
		t.Error("the plans differ")
	}
}

// A rollback beside an abort that has no answer yet says who asked.
func TestSecond_rollbackAndAbort(t *testing.T) {
	w := newWorld(t)
	r := w.running()
	w.must(elb.NewRecorder(w.router()).Ask(t.Context(), w.routes, traffic.Request{Verb: traffic.VerbAbort, Shift: r.Shift, At: r.Reached, By: "zoe on laptop", Nonce: "0a0b0c0d"}))
	plan, err := w.named().PlanRollback(t.Context(), operate.RollbackOptions{Timeout: slow.Deadline(20 * time.Second)})
	w.must(err)
	golden.Check(t, plan.Text()+"\n", w.volatile()...)
}

// asking asks, and calls then once the request is there.
func (w *world) asking(options operate.AskOptions, then func(request traffic.Request)) (operate.Asked, error) {
	w.t.Helper()
	done := w.onRequest(func(request traffic.Request) bool {
		then(request)
		return true
	})
	options.Timeout = slow.Deadline(30 * time.Second)
	asked, err := w.on(w.routes...).Ask(w.t.Context(), options)
	done()
	return asked, err
}

// While a request waits for its answer, somebody rolls the shift back.
func TestSecond_requestAndRollback(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		options operate.AskOptions
		want    operate.Exit
	}{
		"abort":   {operate.AskOptions{Verb: traffic.VerbAbort}, operate.Done},
		"approve": {operate.AskOptions{Verb: traffic.VerbApprove, Gate: "go"}, operate.Refused},
	} {
		w.clear()
		r := w.running()
		asked, err := w.asking(c.options, func(traffic.Request) {
			r.Phase, r.Reason = traffic.PhaseRollingBack, "rolled back by zoe on ci-7 with bluegreen rollback"
			w.put(r)
		})
		if exitOf(t, err) != c.want {
			t.Errorf("%s: got %+v, %v", name, asked, err)
			continue
		}
		text := asked.Text()
		if err != nil {
			text = err.Error()
		}
		golden.CheckPart(t, name, text+"\n", w.volatile()...)
		if requests, err := elb.NewRecorder(w.router()).Requests(t.Context(), w.routes); err != nil || len(requests) != 0 {
			t.Errorf("%s: the routes still have %+v, %v", name, requests, err)
		}
	}
}

// Two approvals at once: tags have room for one, and the other one learns whose it is.
func TestSecond_twoApprovals(t *testing.T) {
	w := newWorld(t)
	w.running()
	_, err := w.asking(operate.AskOptions{Verb: traffic.VerbApprove, Gate: "go"}, func(request traffic.Request) {
		request.By, request.Nonce = "zoe on ci-7", "0a0b0c0d"
		if err := elb.NewRecorder(w.router()).Ask(t.Context(), w.routes, request); err != nil {
			t.Error(err)
		}
	})
	if exitOf(t, err) != operate.Refused {
		t.Fatalf("got %v", err)
	}
	golden.Check(t, err.Error()+"\n", w.volatile()...)
	if requests, err := elb.NewRecorder(w.router()).Requests(t.Context(), w.routes); err != nil || len(requests) != 1 || requests[0].Nonce != "0a0b0c0d" {
		t.Errorf("the request of the other user is not there: %+v, %v", requests, err)
	}
}
