package operate_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// running puts the record of a shift whose owner renews it elsewhere.
func (w *world) running() traffic.Record {
	w.t.Helper()
	r := w.record()
	r.Owner.Boot, r.Expires = "elsewhere", time.Now().Add(2*time.Minute)
	w.put(r)
	return r
}

// onRequest calls act with the next request once it is on the routes, until act returns true. The
// returned function ends that.
func (w *world) onRequest(act func(traffic.Request) bool) (done func()) {
	recorder := elb.NewRecorder(w.router())
	var once sync.Once
	var acting sync.WaitGroup
	unhook := w.aws.Hook(func(call localaws.Call) {
		if call.Action != "AddTags" {
			return
		}
		once.Do(func() {
			acting.Go(func() {
				w.eventually("the request is there", func() bool {
					requests, err := recorder.Requests(context.Background(), w.routes)
					return err == nil && len(requests) > 0 && act(requests[0])
				})
			})
		})
	})
	return func() { unhook(); acting.Wait() }
}

// answers lets the shift answer the next request when it arrives.
func (w *world) answers(r traffic.Record, result traffic.Result) (remove func()) {
	recorder := elb.NewRecorder(w.router())
	return w.onRequest(func(request traffic.Request) bool {
		r.Answers = traffic.WithAnswer(r.Answers, request.Nonce, result)
		return recorder.Put(context.Background(), w.routes, r, true) == nil
	})
}

func TestAsk_answers(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name    string
		options operate.AskOptions
		result  traffic.Result
		want    operate.Exit
	}{
		{"approved", operate.AskOptions{Verb: traffic.VerbApprove, Gate: "go"}, traffic.ResultAccepted, operate.Done},
		{"promoted", operate.AskOptions{Verb: traffic.VerbPromote}, traffic.ResultAccepted, operate.Done},
		{"aborted", operate.AskOptions{Verb: traffic.VerbAbort, Reason: "checkout is slow"}, traffic.ResultAccepted, operate.Done},
		{"no gate", operate.AskOptions{Verb: traffic.VerbApprove, Gate: "og"}, traffic.ResultNoGate, operate.Refused},
		{"no hold", operate.AskOptions{Verb: traffic.VerbPromote}, traffic.ResultNoHold, operate.Refused},
		{"too late", operate.AskOptions{Verb: traffic.VerbPromote}, traffic.ResultTooLate, operate.Refused},
	} {
		w.clear()
		remove := w.answers(w.running(), c.result)
		c.options.Timeout = slow.Deadline(30 * time.Second)
		asked, err := w.on(w.routes[1]).Ask(t.Context(), c.options) // the others are found
		remove()
		if exitOf(t, err) != c.want {
			t.Errorf("%s: got %+v, %v", c.name, asked, err)
		}
		text := asked.Text()
		if err != nil {
			text = err.Error()
		}
		golden.CheckPart(t, c.name, text, w.volatile()...)
	}
}

// Nothing is asked where nobody would answer.
func TestAsk_refused(t *testing.T) {
	w := newWorld(t)
	for name, prepare := range map[string]func(){
		"no shift":  func() {},
		"ended":     func() { r := w.record(); r.Phase = traffic.PhaseRejected; r.Reason = "gate users failed"; w.put(r) },
		"ending":    func() { r := w.record(); r.Phase = traffic.PhaseRollingBack; w.put(r) },
		"abandoned": func() { w.put(w.record()) },
		"second": func() {
			r := w.running()
			w.must(elb.NewRecorder(w.router()).Ask(t.Context(), w.routes, traffic.Request{Verb: traffic.VerbPromote, Shift: r.Shift, At: r.Reached, By: "zoe on laptop", Nonce: "0a0b0c0d"}))
		},
	} {
		w.clear()
		prepare()
		mark := w.mark()
		_, err := w.on(w.routes...).Ask(t.Context(), operate.AskOptions{Verb: traffic.VerbPromote, Timeout: slow.Deadline(30 * time.Second)})
		if exitOf(t, err) != operate.Refused || w.changes(mark) != 0 {
			t.Errorf("%s: got %v and %d changes", name, err, w.changes(mark))
			continue
		}
		golden.CheckPart(t, name, err.Error(), w.volatile()...)
	}
}

// A request without an answer is withdrawn.
func TestAsk_unanswered(t *testing.T) {
	w := newWorld(t)
	w.running()
	_, err := w.on(w.routes...).Ask(t.Context(), operate.AskOptions{Verb: traffic.VerbAbort, Timeout: time.Second})
	if exitOf(t, err) != operate.Running {
		t.Fatalf("got %v", err)
	}
	golden.Check(t, err.Error(), w.volatile()...)
	if requests, err := elb.NewRecorder(w.router()).Requests(t.Context(), w.routes); err != nil || len(requests) != 0 {
		t.Errorf("the routes have %+v, %v", requests, err)
	}
}

// A shift that was rolled back and has ended needs no answer.
func TestAsk_endedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.running()
	var once sync.Once
	var ending sync.WaitGroup
	unhook := w.aws.Hook(func(call localaws.Call) {
		if call.Action == "AddTags" {
			once.Do(func() {
				ending.Go(func() {
					w.split(0, w.routes...)
					w.clear()
				})
			})
		}
	})
	defer func() { unhook(); ending.Wait() }()
	asked, err := w.on(w.routes...).Ask(t.Context(), operate.AskOptions{Verb: traffic.VerbAbort, Timeout: slow.Deadline(30 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, asked.Text(), w.volatile()...)
}
