// Package notifying connects the shifts of the provider with their notifications: the blocks notify
// of the provider, what a shift is called in them, and what becomes of them when its process dies.
package notifying

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/notify"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// Notices are the notifications of a shift in progress. A nil one sends nothing.
type Notices struct {
	notifier *notify.Notifier
	handed   handed
	unknown  []string // see Settings
}

// handed is what a guardian needs to send the notification of the end. Secrets are not part of it: it
// has the environment of the provider.
type handed struct {
	Destinations []notify.Destination
	Shift        notify.Shift
}

// Start starts the notifications of a shift whose report has the page; nil where there is no
// destination.
func (s Settings) Start(ctx context.Context, a release.Apply, page string) *Notices {
	if len(s.destinations) == 0 && len(s.unknown) == 0 {
		return nil
	}
	shift := notify.Shift{Shift: reporting.Describe(a, s.lookup), Switch: a.Spec.Record.Template.Switch, Page: page, Began: a.Started}
	for _, g := range a.Spec.Gates {
		if g.TakesApproval && !g.DryRun {
			shift.Approvals = append(shift.Approvals, g.Name)
		}
	}
	return &Notices{
		notifier: notify.Start(ctx, notify.Options{Destinations: s.destinations, Shift: shift, Lookup: s.lookup}),
		handed:   handed{s.destinations, shift}, unknown: s.unknown,
	}
}

// OnEvent handles an event, as rollout.Spec.OnEvent.
func (n *Notices) OnEvent(e rollout.Event) {
	if n != nil {
		n.notifier.OnEvent(e)
	}
}

// Handover returns what Continue needs; nil: nothing would be sent.
func (n *Notices) Handover() json.RawMessage {
	if n == nil || len(n.handed.Destinations) == 0 {
		return nil
	}
	text, err := json.Marshal(n.handed)
	if err != nil {
		return nil // of our own types, which a test covers
	}
	return text
}

// End notifies of the result of the engine, waits a few seconds for destinations at most, and returns
// a warning for each that missed something.
func (n *Notices) End(ctx context.Context, result rollout.Result, err error) diag.Diagnostics {
	if n == nil {
		return nil
	}
	var warnings diag.Diagnostics
	for _, u := range n.notifier.Close(ctx, time.Now(), endingOf(result, err)) {
		warnings.Append(undelivered(u))
	}
	for _, name := range n.unknown {
		warnings.Append(undelivered(notify.Undelivered{Name: name, Setup: true, Cause: "they were not known when the apply began"}))
	}
	return warnings
}

func endingOf(result rollout.Result, err error) notify.Ending {
	x := notify.Ending{Outcome: release.Completed, Weights: release.MeanOf(result)}
	for _, r := range result.Routes {
		x.Unread = x.Unread || x.Weights != nil && !r.Read && !r.Missing
	}
	if err != nil {
		f := release.FailureOf(err)
		x.Outcome, x.Reason, x.Gate = release.OutcomeOf(f), release.Reason(f), f.Gate
	}
	return x
}

// undelivered is the warning about what a destination did not get.
func undelivered(u notify.Undelivered) diag.Diagnostic {
	var events []string
	for _, e := range u.Events {
		events = append(events, string(e))
	}
	d := input.Detail{
		Traffic: "not affected. A shift does not wait for notifications.",
		Cause:   input.Sentence(u.Cause),
		Action: "Check that the destination accepts requests with the URL and the secrets of the notify block, and that the machine of the apply can reach it. " +
			"What was not delivered is not sent again.",
		Facts: []input.Fact{{"Not delivered", schedule.And(events)}},
	}
	if u.Setup {
		d.Cause = "The arguments of the notify block cannot be used: " + d.Cause
		d.Action = "Correct them, or set the environment variables where Terraform applies. What was not delivered is not sent again."
	}
	return d.Warning(fmt.Sprintf("Notifications to %q not delivered", u.Name))
}
