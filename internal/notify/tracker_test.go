package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/1/2"
	rule     = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/web/1/2/3"
)

var began = time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)

func sampleShift() Shift {
	return Shift{
		Shift: report.Shift{
			ID: "20261102T093000Z-0a1b", Entries: []string{"web", "api"},
			Routes:   []report.ShiftRoute{{ID: listener, Entry: "web", Label: "listener :443"}, {ID: rule, Entry: "api"}},
			Groups:   map[string]string{"arn:blue": "blue", "arn:green": "green"},
			Versions: map[string]string{"blue": "1.4.2", "green": "1.5.0"}, To: report.Percentages{"green": 100},
			Owner: &traffic.Owner{User: "ann", Run: "https://ci.example.com/runs/42"},
		},
		Switch: "5f3a", Approvals: []string{"approve"}, Page: "reports/20261102T093000Z-0a1b.html", Began: began,
	}
}

func split(green float64) shift.Weights {
	w, err := shift.FromPercent(map[string]float64{"blue": 100 - green, "green": green})
	if err != nil {
		panic(err)
	}
	return w
}

// both are the events of a kind for two routes.
func both(kind rollout.EventKind, w shift.Weights) []rollout.Event {
	return []rollout.Event{{Kind: kind, Route: listener, Weights: w}, {Kind: kind, Route: rule, Weights: w}}
}

// opening are the first events of a shift.
func opening(kind shift.Kind) []rollout.Event {
	return append([]rollout.Event{{Kind: rollout.ShiftStarted, Text: kind.String()}}, both(rollout.RouteRead, split(0))...)
}

// stepTo are the events of a step, of two.
func stepTo(n int, green float64) []rollout.Event {
	all := []rollout.Event{{Kind: rollout.PhaseStarted, Text: "shift", Step: n, Steps: 2}}
	all = append(all, both(rollout.WeightsWritten, split(green))...)
	return append(all, append(both(rollout.WeightsVerified, split(green)), rollout.Event{Kind: rollout.PhaseStarted, Text: "hold"})...)
}

func asks(status rollout.Status) rollout.Event {
	return rollout.Event{Kind: rollout.GateEvaluated, Gate: "approve", Status: status,
		Text: "waiting for approval: look at the dashboards. To approve: bluegreen approve --gate approve --route " + listener}
}

// played returns the notifications of events, which are a second apart, and of the end.
func played(s Shift, end Ending, events ...[]rollout.Event) []Notification {
	t := newTracker(s)
	var all []Notification
	at := began
	for _, part := range events {
		for _, e := range part {
			e.At = at
			all = append(all, t.next(e)...)
			at = at.Add(time.Second)
		}
	}
	return append(all, t.end(at, end)...)
}

func summaries(all []Notification) string {
	var text strings.Builder
	for _, n := range all {
		_, _ = fmt.Fprintf(&text, "%s %d %s: %s\n", n.At.Sub(began), n.Sequence, n.Event, n.Summary)
	}
	return text.String()
}

// wholeShift is a shift with an approval at its first step.
func wholeShift() []Notification {
	return played(sampleShift(), Ending{Outcome: release.Completed, Weights: split(100)},
		opening(shift.Forward),
		[]rollout.Event{{Kind: rollout.PhaseStarted, Text: "health check"}},
		stepTo(1, 5),
		[]rollout.Event{
			asks(rollout.Inconclusive), asks(rollout.Inconclusive),
			{Kind: rollout.ShiftPaused, Gate: "approve", Text: "waiting for approval"}, // which was asked for
			{Kind: rollout.ShiftPaused, Gate: "users", Text: "12 of 100 requests"},
			{Kind: rollout.GateEvaluated, Gate: "users", Status: rollout.Inconclusive, Text: "12 of 100 requests"},
			asks(rollout.Pass),
		},
		stepTo(2, 100),
		[]rollout.Event{asks(rollout.Inconclusive), {Kind: rollout.PhaseStarted, Text: "settle"}, {Kind: rollout.ShiftEnded, Text: "completed"}})
}

func TestTracker_wholeShift(t *testing.T) {
	all := wholeShift()
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, summaries(all)+string(text)+"\n")
}

func TestTracker_news(t *testing.T) {
	failed := Ending{Outcome: release.RolledBack, Reason: `gate "users" failed: 5 %`, Gate: "users", Weights: split(0)}
	for _, tt := range []struct {
		name   string
		end    Ending
		events [][]rollout.Event
	}{
		{"nothing changes", Ending{Outcome: release.Completed, Weights: split(0)}, [][]rollout.Event{opening(shift.NoChange), {{Kind: rollout.ShiftEnded, Text: "completed"}}}},
		{"nothing changes, which fails", Ending{Outcome: release.Failed, Reason: "the load balancer could not be changed or read", Weights: split(0), Unread: true}, [][]rollout.Event{opening(shift.NoChange), {{Kind: rollout.PhaseStarted, Text: "attach and detach"}}}},
		{"refused", Ending{Outcome: release.Failed, Reason: "the version is rejected", Weights: split(0)}, [][]rollout.Event{opening(shift.Rejected)}},
		{"not read", Ending{Outcome: release.Failed, Reason: "the load balancer could not be changed or read"}, nil},
		{"rolled back in the first step", failed, [][]rollout.Event{opening(shift.Forward), stepTo(1, 5)[:3], {{Kind: rollout.RollbackStarted}, {Kind: rollout.PhaseStarted}}, both(rollout.WeightsVerified, split(0))}},
		{"rolled back after a step", failed, [][]rollout.Event{opening(shift.Forward), stepTo(1, 5), {{Kind: rollout.RollbackStarted}}, both(rollout.WeightsVerified, split(0))}},
		{"interrupted", Ending{Outcome: release.Interrupted, Weights: split(0)}, [][]rollout.Event{opening(shift.Forward)}},
		{"external change", Ending{Outcome: release.ExternalChange, Weights: split(40)}, [][]rollout.Event{opening(shift.Forward), stepTo(1, 5)}},
		{"stopped", Ending{Outcome: release.Stopped, Weights: split(5)}, [][]rollout.Event{opening(shift.Forward), stepTo(1, 5)}},
		{"revert", Ending{Outcome: release.Completed, Weights: split(0)}, [][]rollout.Event{opening(shift.Revert), stepTo(1, 100)}},
		{"a route does not exist", Ending{Outcome: release.Completed, Weights: split(100)}, [][]rollout.Event{opening(shift.Forward)[:2], stepTo(1, 5)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			golden.CheckPart(t, strings.ReplaceAll(tt.name, " ", "_"), summaries(played(sampleShift(), tt.end, tt.events...)))
		})
	}
}

// A guardian knows the routes from its handover, by group, and has numbers of its own.
func TestTracker_guardian(t *testing.T) {
	s := sampleShift()
	s.Guardian = true
	tr := newTracker(s)
	n := &Notifier{tracker: tr}
	byGroup := func(green float64) shift.Weights {
		return shift.Weights{"arn:blue": split(green)["blue"], "arn:green": split(green)["green"], "arn:other": 0}
	}
	n.See(listener, byGroup(5))
	n.See(rule, byGroup(0))
	var all []Notification
	for _, e := range []rollout.Event{{Kind: rollout.RollbackStarted}, {Kind: rollout.WeightsWritten, Route: listener}, {Kind: rollout.WeightsVerified, Route: listener, Weights: byGroup(0)}, {Kind: rollout.ShiftEnded}} {
		all = append(all, tr.next(e)...)
	}
	all = append(all, tr.end(began, Ending{Outcome: release.RolledBack, Reason: "the process of the shift died"})...)
	if len(all) != 1 || all[0].ID() != "20261102T093000Z-0a1b/guardian/1" || all[0].Summary != "Shift of web and api rolled back: blue 100 %" {
		t.Errorf("got %+v", all)
	}
}
