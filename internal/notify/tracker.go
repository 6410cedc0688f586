package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Shift is what the notifications of a shift are about.
type Shift struct {
	report.Shift
	Switch    string    // as in the record of the shift
	Approvals []string  // the gates that people approve
	Page      string    // the path of the report; empty: there is none
	Began     time.Time // of the shift
	Guardian  bool      // its owner died
}

// tracker turns the events of a shift into notifications. It is a value without a clock, and only one
// goroutine uses it.
type tracker struct {
	shift  Shift
	routes map[string]shift.Weights // as last read
	from   report.Percentages
	kind   string
	n      int

	decided bool // the engine said what it does
	started bool // that was reported, or is not to be
	writing int  // the step whose weights are being written; 0: none
	step    int
	steps   int
	asked   map[string]bool // the gates whose approval was asked for at this step
}

func newTracker(s Shift) *tracker {
	return &tracker{shift: s, routes: map[string]shift.Weights{}, asked: map[string]bool{}}
}

// next returns what an event is news of. Ends come from end, which knows more.
func (t *tracker) next(e rollout.Event) (news []Notification) {
	if e.Kind == rollout.RouteRead || e.Kind == rollout.WeightsVerified {
		t.routes[e.Route] = t.named(e.Weights)
	}
	news = t.start(e)
	switch e.Kind {
	case rollout.PhaseStarted:
		if t.writing > 0 { // what was written was read back
			t.step, t.writing = t.writing, 0
			clear(t.asked)
			news = append(news, t.notification(e.At, Step))
		}
		if e.Step > 0 {
			t.writing, t.steps = e.Step, e.Steps
		}
	case rollout.ShiftPaused:
		if !t.isApproval(e.Gate) { // which was asked for
			n := t.notification(e.At, Paused)
			n.Gate, n.Reason = e.Gate, e.Text
			news = append(news, n)
		}
	case rollout.GateEvaluated:
		if e.Status == rollout.Inconclusive && t.isApproval(e.Gate) && !t.asked[e.Gate] {
			t.asked[e.Gate] = true
			news = append(news, t.approval(e))
		}
	case rollout.RollbackStarted:
		t.writing = 0
	default:
	}
	return t.summed(news)
}

// start reports the start of a shift when the weights are known: once all routes were read, or with
// the event that follows. An apply that changes nothing, or is refused, starts no shift.
func (t *tracker) start(e rollout.Event) []Notification {
	switch {
	case e.Kind == rollout.ShiftStarted:
		t.decided, t.kind = true, e.Text
		return nil
	case !t.decided || t.started || e.Kind == rollout.RouteRead && len(t.routes) < len(t.shift.Routes):
		return nil
	}
	t.started, t.from = true, t.weights()
	if !moves(t.kind) {
		return nil
	}
	return []Notification{t.notification(e.At, Started)}
}

// moves reports whether a kind of schedule is a shift.
func moves(kind string) bool {
	return slices.ContainsFunc([]shift.Kind{shift.Forward, shift.Rollback, shift.Revert, shift.Join, shift.Accept}, func(k shift.Kind) bool { return k.String() == kind })
}

func (t *tracker) isApproval(gate string) bool {
	return slices.Contains(t.shift.Approvals, gate)
}

func (t *tracker) approval(e rollout.Event) Notification {
	n := t.notification(e.At, ApprovalNeeded)
	n.Gate, n.Reason = e.Gate, e.Text
	if len(t.shift.Routes) > 0 {
		n.Command = gate.ApproveCommand(e.Gate, t.shift.Routes[0].ID)
		n.Reason = strings.TrimSuffix(n.Reason, " To approve: "+n.Command)
	}
	return n
}

// Ending is how a shift ended.
type Ending struct {
	Outcome release.Outcome
	Reason  string // why it did not complete; empty: it did
	Gate    string
	Weights shift.Weights // as last read; nil: as the events said
	Unread  bool          // a route was not read after the last write
}

// end returns the last notification; none where nothing happened.
func (t *tracker) end(at time.Time, x Ending) []Notification {
	if x.Outcome == release.Completed && (!t.decided || !moves(t.kind)) {
		return nil
	}
	event := Failed
	switch x.Outcome {
	case release.Completed:
		event = Completed
	case release.RolledBack:
		event = RolledBack
	case release.Interrupted, release.Stopped, release.ExternalChange, release.Failed:
	}
	if x.Weights != nil {
		t.routes = map[string]shift.Weights{"": t.named(x.Weights)}
	}
	n := t.notification(at, event)
	n.Outcome, n.Reason, n.Gate, n.Unread = string(x.Outcome), x.Reason, x.Gate, x.Unread
	return t.summed([]Notification{n})
}

// notification returns the next one, with what is known about the shift.
func (t *tracker) notification(at time.Time, event Event) Notification {
	t.n++
	n := Notification{At: at, Data: Data{
		Version: Version, Event: event, Shift: t.shift.ID, Sequence: t.n, Guardian: t.shift.Guardian, Kind: t.kind, Switch: t.shift.Switch,
		Entries: append([]string{}, t.shift.Entries...), Routes: append([]report.ShiftRoute{}, t.shift.Routes...), Versions: t.shift.Versions,
		From: t.from, To: t.shift.To, Weights: t.weights(), Step: t.step, Steps: t.steps,
		StartedAt: t.shift.Began.UTC(), Report: t.shift.Page,
	}}
	if t.shift.Owner != nil {
		n.Run = t.shift.Owner.Run
	}
	return n
}

// named returns the weights by environment, where they are by group. Groups of no environment stay.
func (t *tracker) named(w shift.Weights) shift.Weights {
	if w == nil {
		return nil
	}
	named := shift.Weights{}
	for group, share := range w {
		name := t.shift.Groups[group]
		if name == "" {
			name = group
		}
		named[name] += share
	}
	return named
}

// weights returns the mean weights of the routes as last read; nil: none was.
func (t *tracker) weights() report.Percentages {
	var all []shift.Weights
	for _, w := range t.routes {
		all = append(all, w)
	}
	return report.PercentagesOf(shift.Mean(all))
}

// summed adds the summaries.
func (t *tracker) summed(news []Notification) []Notification {
	for i, n := range news {
		news[i].Summary = n.summary()
	}
	return news
}

// summary is a notification in one line.
func (n Data) summary() string {
	what := "Shift"
	if len(n.Entries) > 0 {
		what += " of " + schedule.And(n.Entries)
	}
	at := ""
	if n.Weights != nil {
		at = ": " + n.Weights.String()
		if n.Unread {
			at += " when last read"
		}
	}
	switch n.Event {
	case Started:
		return what + " started" + at
	case Step:
		return fmt.Sprintf("%s at step %d of %d%s", what, n.Step, n.Steps, at)
	case Paused:
		return fmt.Sprintf("%s waits for gate %q%s", what, n.Gate, at)
	case ApprovalNeeded:
		return fmt.Sprintf("%s needs an approval (gate %q)%s", what, n.Gate, at)
	case RolledBack:
		return what + " rolled back" + at
	case Completed:
		return what + " completed" + at
	case Failed:
		return what + " " + endText(n.Outcome) + at
	}
	return what + at
}

// endText is an outcome in words.
func endText(outcome string) string {
	switch release.Outcome(outcome) {
	case release.Interrupted:
		return "interrupted"
	case release.Stopped:
		return "stopped"
	case release.ExternalChange:
		return "ended by an external change"
	case release.Completed, release.RolledBack, release.Failed:
	}
	return "failed"
}
