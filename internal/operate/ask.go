package operate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// askPoll is the pause between two looks for the answer of a running shift, which reads requests
// every 5 seconds.
const askPoll = 250 * time.Millisecond

// AskOptions are the arguments of a request to a running shift.
type AskOptions struct {
	Verb    traffic.Verb
	Gate    string // of VerbApprove
	Reason  string // of VerbAbort; empty: none is given
	Timeout time.Duration
}

// Asked is what a running shift answered.
type Asked struct {
	Verb    traffic.Verb `json:"verb"`
	Shift   string       `json:"shift"`
	Gate    string       `json:"gate,omitempty"`
	At      string       `json:"at"` // the part of the shift
	Detail  string       `json:"detail"`
	Traffic string       `json:"traffic"` // as last read
}

// Text is the result for people.
func (a Asked) Text() string { return a.Detail + "\nTraffic: " + a.Traffic }

// asking is a request that waits for its answer.
type asking struct {
	*Operator
	AskOptions
	request traffic.Request
	shift   traffic.Left
	summary string
}

// Ask asks a running shift for something, and waits for its answer.
func (o *Operator) Ask(ctx context.Context, options AskOptions) (Asked, error) {
	limited, cancel := context.WithTimeout(ctx, options.Timeout)
	defer cancel()
	a := &asking{Operator: o, AskOptions: options, summary: "Cannot " + string(options.Verb)}
	if problem := o.needsRecord(a.summary, "through which a running shift would get the request", withoutRequest[options.Verb]); problem != nil {
		return Asked{}, problem
	}
	s, problem := o.read(limited, a.summary)
	if problem == nil && s.unread != nil {
		problem = o.callProblem(limited, a.summary, s.unread)
	}
	if problem == nil {
		s, problem = a.choose(limited, s)
	}
	if problem == nil {
		problem = a.ask(limited)
	}
	if problem != nil {
		return Asked{}, problem
	}
	result, problem := a.await(limited)
	if problem != nil {
		return Asked{}, problem
	}
	return result, nil
}

// withoutRequest is what to do where a shift cannot get a request.
var withoutRequest = map[traffic.Verb]string{
	traffic.VerbApprove: "Use a gate of the kind webhook or command for the approval: these routes cannot have one of the kind approval.",
	traffic.VerbPromote: "Wait until the hold ends: its length cannot be changed while the apply runs.",
	traffic.VerbAbort:   "Interrupt the apply with Ctrl-C: it does what on_interrupt says, by default a rollback. To move the traffic without it, use bluegreen rollback with --to.",
}

// choose finds the running shift, with all of its routes.
func (a *asking) choose(ctx context.Context, s seen) (seen, *Problem) {
	open := s.open()
	switch {
	case len(open) > 1:
		return s, refuse(a.summary, fmt.Sprintf("The routes have records of several shifts: %s; %s.", describe(open[0]), describe(open[1])), "Name the routes of one switch.")
	case len(open) == 0 && len(s.shifts) > 0:
		x := s.shifts[len(s.shifts)-1]
		return s, refuse(a.summary, fmt.Sprintf("The shift %s has ended: %s.%s", x.Shift, phaseText(x.Phase), reasonText(x.Reason)), "Run bluegreen status to see where the traffic is.")
	case len(open) == 0:
		return s, refuse(a.summary, "No shift is running: the routes have no record of one.", "Run bluegreen status to see where the traffic is.")
	case open[0].Phase != traffic.PhaseOpen:
		return s, refuse(a.summary, fmt.Sprintf("The shift %s is ending: %s.%s", open[0].Shift, phaseText(open[0].Phase), reasonText(open[0].Reason)), "Run bluegreen status to see where the traffic is.")
	case a.isAbandoned(open[0]):
		return s, refuse(a.summary, fmt.Sprintf("The shift cannot respond, because its process has ended: %s.", describe(open[0])), "To roll it back, use bluegreen recover, or bluegreen rollback to reject its version as well.")
	}
	s, x, problem := a.complete(ctx, s, open[0], a.summary)
	a.shift = x
	return s, problem
}

// ask writes the request. One that somebody else has just made is not replaced.
func (a *asking) ask(ctx context.Context) *Problem {
	earlier := slices.IndexFunc(a.shift.Requests, func(r traffic.Request) bool {
		return r.Verb == a.Verb && r.At == a.shift.Reached && !isAnswered(a.shift, r)
	})
	if earlier >= 0 {
		r := a.shift.Requests[earlier]
		return refuse(a.summary, fmt.Sprintf("Another user was first: the shift has not responded to the request of %s yet.", r.By), "Run bluegreen status in a few seconds to see the result.")
	}
	var nonce [4]byte
	_, _ = rand.Read(nonce[:]) // never fails
	a.request = traffic.Request{Verb: a.Verb, Shift: a.shift.Shift, At: a.shift.Reached, Gate: a.Gate, By: a.who(ctx), Reason: a.Reason, Nonce: hex.EncodeToString(nonce[:])}
	if err := a.Recorder.Ask(ctx, a.Target.ids(), a.request); err != nil {
		return a.callProblem(ctx, a.summary, err)
	}
	a.progress("Sent the request to shift %s of %s, at %s. It responds within a few seconds.", a.shift.Shift, a.shift.Owner, a.shift.Reached)
	return nil
}

func isAnswered(x traffic.Left, r traffic.Request) bool {
	_, answered := traffic.AnswerTo(x.Answers, r.Nonce)
	return answered
}

// who claims to make the request: whom AWS knows, otherwise the user of this machine. It is a claim
// all the same, because anybody who may set the tag can write another name.
func (a *asking) who(ctx context.Context) string {
	if a.Caller != nil {
		if arn := a.Caller(ctx); arn != "" {
			return arn
		}
	}
	return a.Owner.String()
}

// await waits until the shift has answered, or ended.
func (a *asking) await(ctx context.Context) (Asked, *Problem) {
	for {
		s, problem := a.read(ctx, a.summary)
		if problem == nil && s.unread == nil {
			if result, problem, over := a.outcome(ctx, s); over {
				return result, problem
			}
		}
		select {
		case <-time.After(askPoll):
		case <-ctx.Done():
			return Asked{}, a.unanswered(ctx)
		}
	}
}

// outcome is what became of the request; false: it may still be answered.
func (a *asking) outcome(ctx context.Context, s seen) (Asked, *Problem, bool) {
	i := slices.IndexFunc(s.shifts, func(x traffic.Left) bool { return x.Shift == a.shift.Shift })
	if i < 0 || !s.shifts[i].IsOpen() {
		result, problem := a.atEnd(s)
		return result, problem, true
	}
	if answer, ok := traffic.AnswerTo(s.shifts[i].Answers, a.request.Nonce); ok {
		result, problem := a.answered(s, answer)
		return result, problem, true
	}
	return a.second(ctx, s, s.shifts[i])
}

// unanswered is a request without an answer. It is withdrawn, so that it does not act later.
func (a *asking) unanswered(ctx context.Context) *Problem {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	p := &Problem{Exit: Running, Summary: "The shift did not respond", Traffic: "not read. This command moved nothing.",
		Cause:  fmt.Sprintf("The process of %s has not responded within %s.", describe(a.shift), schedule.FormatDuration(a.Timeout)),
		Action: "The request was withdrawn. A process that has just read it still acts on it. Run bluegreen status to see whether the process is alive. To move the traffic without it, use bluegreen rollback."}
	if err := a.Recorder.RemoveRequests(limited, a.Target.ids(), []traffic.Verb{a.Verb}); err != nil {
		p.Action = "The request could not be withdrawn, so the shift may still act on it. " + strings.TrimPrefix(p.Action, "The request was withdrawn. A process that has just read it still acts on it. ")
	}
	return p
}

// answered is what the shift answered.
func (a *asking) answered(s seen, result traffic.Result) (Asked, *Problem) {
	switch result {
	case traffic.ResultAccepted:
		return a.done(s, map[traffic.Verb]string{
			traffic.VerbApprove: fmt.Sprintf("Gate %q is approved at %s of the shift %s.", a.Gate, a.shift.Reached, a.shift.Shift),
			traffic.VerbPromote: fmt.Sprintf("The hold at %s of the shift %s ends as soon as its gates pass.", a.shift.Reached, a.shift.Shift),
			traffic.VerbAbort:   fmt.Sprintf("The shift %s is being rolled back.", a.shift.Shift),
		}[a.Verb]), nil
	case traffic.ResultNoGate:
		return Asked{}, refuse(a.summary, fmt.Sprintf("No approval named %q is open at %s of the shift.", a.Gate, a.shift.Reached), "The name is that of the gate block. A gate with at_percent asks at those steps only.")
	case traffic.ResultNoHold:
		return Asked{}, refuse(a.summary, "There is no hold to end: the shift waits for health, for a gate, or for the end of settle.", "Run bluegreen status to see where it is.")
	default:
		return Asked{}, refuse(a.summary, fmt.Sprintf("The shift has moved on: the request was for %s.", a.shift.Reached), "Run bluegreen status to see where it is, then run the command again if it still applies.")
	}
}

// atEnd is about a shift that ended before its answer was seen. Where its traffic went says what
// became of the request.
func (a *asking) atEnd(s seen) (Asked, *Problem) {
	back := true
	for i, state := range s.states {
		from := a.shift.From[a.Target.Routes[i].ID]
		back = back && shift.Weights(traffic.KeyedShares(state)).Equal(from)
	}
	if a.Verb == traffic.VerbAbort && back {
		return a.done(s, fmt.Sprintf("The shift %s was rolled back.", a.shift.Shift)), nil
	}
	return Asked{}, &Problem{Exit: Failed, Summary: "The shift ended meanwhile", Traffic: a.Target.where(s.states) + " This command moved nothing.",
		Cause: fmt.Sprintf("The shift %s ended before it responded.", a.shift.Shift), Action: "Run bluegreen status to see how. The output of its apply has the reason."}
}

func (a *asking) done(s seen, detail string) Asked {
	return Asked{Verb: a.Verb, Shift: a.shift.Shift, Gate: a.Gate, At: a.shift.Reached.String(), Detail: detail, Traffic: a.Target.where(s.states)}
}
