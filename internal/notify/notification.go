package notify

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// Event is what a notification is about.
type Event string

// The events.
const (
	Started        Event = "started"
	Step           Event = "step"            // the weights of a step were written, and read back
	Paused         Event = "paused"          // the hold is over, and the shift waits for an inconclusive gate
	ApprovalNeeded Event = "approval_needed" // a gate begins to wait for a person
	RolledBack     Event = "rolled_back"     // every route was read back where the shift started
	Completed      Event = "completed"
	Failed         Event = "failed" // every other end
)

// Events returns all events, in the order in which they can happen.
func Events() []Event {
	return []Event{Started, Step, Paused, ApprovalNeeded, RolledBack, Completed, Failed}
}

// IsDefault reports whether a destination gets the event unless it says otherwise. A shift with many
// steps is no news at every step.
func (e Event) IsDefault() bool { return e != Step }

// isEnd reports whether nothing follows.
func (e Event) isEnd() bool { return slices.Contains([]Event{RolledBack, Completed, Failed}, e) }

// Version is the version of Data. It increases when a property changes its meaning or is removed.
const Version = 1

// Data is a notification. templates/notification.schema.json documents its form in JSON.
type Data struct {
	Version  int    `json:"version"`
	Event    Event  `json:"event"`
	Summary  string `json:"summary"` // one line for people
	Shift    string `json:"shift"`   // its id
	Sequence int    `json:"sequence"`
	// Guardian reports that the guardian of the shift sends it, with a sequence of its own.
	Guardian bool                `json:"guardian,omitempty"`
	Kind     string              `json:"kind,omitempty"` // of the shift; empty: it was not decided
	Switch   string              `json:"switch"`         // as in the record of the shift
	Entries  []string            `json:"entry_points"`
	Routes   []report.ShiftRoute `json:"routes"`
	Versions map[string]string   `json:"versions,omitempty"` // by environment
	From     report.Percentages  `json:"from,omitempty"`     // nil: not known
	To       report.Percentages  `json:"to,omitempty"`       // nil: the configuration does not say
	Weights  report.Percentages  `json:"weights,omitempty"`  // as last read; nil: not known
	// Unread reports that a route was not read after the last write, so that Weights may be outdated.
	Unread bool `json:"weights_unread,omitempty"`
	Step   int  `json:"step"` // the last one that was reached; 0: none
	Steps  int  `json:"steps,omitempty"`

	Gate    string `json:"gate,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Command string `json:"command,omitempty"` // which approves
	Outcome string `json:"outcome,omitempty"` // as last_shift.outcome, with an end

	StartedAt time.Time `json:"started_at"`
	Report    string    `json:"report,omitempty"`  // the path of the page
	Run       string    `json:"run_url,omitempty"` // of the CI system
}

// Notification is Data with the time at which it happened.
type Notification struct {
	At time.Time
	Data
}

// ID identifies the notification: the shift and a number. It is the same in every attempt.
func (n Notification) ID() string {
	if n.Guardian {
		return n.Shift + "/guardian/" + strconv.Itoa(n.Sequence)
	}
	return n.Shift + "/" + strconv.Itoa(n.Sequence)
}

// typePrefix begins the type of an event.
const typePrefix = "io.github.bluegreen.shift."

// schemaURL is where the schema of the data is. The version of it is that of Data.
var schemaURL = "https://raw.githubusercontent.com/bluegreen/terraform-provider-bluegreen/main/docs/notification.schema.json?version=" + strconv.Itoa(Version)

// cloudEvent is the structured mode of CloudEvents 1.0 in JSON.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	DataSchema      string    `json:"dataschema"`
	Data            Data      `json:"data"`
}

// cloudEventType is the content type of cloudEvent.
const cloudEventType = "application/cloudevents+json; charset=utf-8"

// cloudEvent returns the notification as an event. Its source is the first route: an ARN is a URI.
func (n Notification) cloudEvent() ([]byte, error) {
	source := "urn:bluegreen:switch:" + n.Switch
	if len(n.Routes) > 0 {
		source = n.Routes[0].ID
	}
	return json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: n.ID(), Source: source, Type: typePrefix + string(n.Event), Subject: n.Shift,
		Time: n.At.UTC(), DataContentType: "application/json", DataSchema: schemaURL, Data: n.Data,
	})
}
