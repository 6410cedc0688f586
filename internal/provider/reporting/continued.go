package reporting

import (
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Continued is the report of a shift whose process died, continued by its guardian. A nil one
// reports nothing.
type Continued struct {
	recorder *report.Recorder
	stops    bool
}

// Continue continues a journal; nil where there is none. stops reports that the traffic stays
// where it is.
func Continue(journal string, stops bool) *Continued {
	if journal == "" {
		return nil
	}
	return &Continued{report.Resume(journal), stops}
}

// OnEvent reports an event, as rollout.Successor.OnEvent.
func (c *Continued) OnEvent(e rollout.Event) {
	if c != nil {
		c.recorder.OnEvent(e)
	}
}

// End ends the report with the error of the takeover. Nobody would read a warning.
func (c *Continued) End(err error) {
	if c == nil {
		return
	}
	outcome, reason := TakenOver(err, c.stops)
	c.recorder.Close(report.Result{Outcome: string(outcome), Reason: reason}, time.Now())
}

// TakenOver is how a shift ended whose process died, with the error of the takeover. stops reports
// that the traffic stays where it is.
func TakenOver(err error, stops bool) (outcome release.Outcome, reason string) {
	switch {
	case err != nil:
		return release.Failed, "the process of the shift died, and its guardian could not return the traffic: " + err.Error()
	case stops:
		return release.Stopped, "the process of the shift died, and the traffic was left where it was"
	}
	return release.RolledBack, "the process of the shift died, and its guardian returned the traffic"
}
