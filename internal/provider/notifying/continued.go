package notifying

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/notify"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// guardianTimeout is how long a guardian waits for destinations. Nobody waits for it, but while it
// runs, others take the shift for guarded.
const guardianTimeout = 10 * time.Second

// Continued is the notification of the end of a shift whose process died, sent by its guardian. A nil
// one sends nothing.
type Continued struct {
	notifier *notify.Notifier
	stops    bool
}

// Continue reads what Handover returned, for a shift that is taken over; nil where nothing is to be
// sent.
func Continue(ctx context.Context, text json.RawMessage, h *rollout.Handover, lookup func(string) (string, bool)) *Continued {
	var x handed
	if len(text) == 0 || json.Unmarshal(text, &x) != nil {
		return nil
	}
	x.Shift.Guardian = true
	c := &Continued{notify.Start(ctx, notify.Options{Destinations: x.Destinations, Shift: x.Shift, Lookup: lookup, CloseTimeout: guardianTimeout}), h.Stop}
	for _, r := range h.Routes {
		c.notifier.See(r.ID, traffic.Owners{}.Weights(r.Entry, r.Current))
	}
	return c
}

// OnEvent handles an event, as rollout.Successor.OnEvent.
func (c *Continued) OnEvent(e rollout.Event) {
	if c != nil {
		c.notifier.OnEvent(e)
	}
}

// End notifies of the end, with the error of the takeover. Nobody would read a warning.
func (c *Continued) End(err error) {
	if c == nil {
		return
	}
	x := notify.Ending{}
	x.Outcome, x.Reason = reporting.TakenOver(err, c.stops)
	c.notifier.Close(context.Background(), time.Now(), x)
}
