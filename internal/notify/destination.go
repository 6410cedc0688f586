package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

// Destination is where notifications go. It contains no secret but the headers of a webhook, as a gate
// does. Exactly one kind is set.
type Destination struct {
	Name    string        `json:"name"`
	Events  []Event       `json:"events,omitempty"` // nil: those with IsDefault
	Webhook *gate.Webhook `json:"webhook,omitempty"`
	Slack   *Slack        `json:"slack,omitempty"`
}

// Slack is an incoming webhook of Slack, or of what accepts the same messages.
type Slack struct {
	URLEnv string `json:"url_env"` // environment variable with the URL, which is a secret
}

// gets reports whether the destination gets an event.
func (d Destination) gets(e Event) bool {
	if d.Events == nil {
		return e.IsDefault()
	}
	return slices.Contains(d.Events, e)
}

// open reads the environment, and returns what sends to the destination.
func (d Destination) open(lookup gate.Lookup) (*gate.Poster, error) {
	if d.Slack != nil {
		return d.Slack.open(lookup)
	}
	return gate.NewPoster(*d.Webhook, lookup)
}

// ErrURL reports a variable without a URL. Its value is a secret.
var ErrURL = errors.New("it must have an http or https URL")

func (s Slack) open(lookup gate.Lookup) (*gate.Poster, error) {
	text, _ := lookup(s.URLEnv)
	if text = strings.TrimSpace(text); text == "" {
		return nil, &gate.ArgumentError{Argument: "url_env", Err: fmt.Errorf("%w: %s", gate.ErrUnset, s.URLEnv)}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, &gate.ArgumentError{Argument: "url_env", Err: fmt.Errorf("%w: the environment variable %s is invalid: %w", gate.ErrInvalid, s.URLEnv, ErrURL)}
	}
	return gate.NewPoster(gate.Webhook{Request: gate.Request{URL: text}}, lookup, secretsOf(u)...)
}

// secretsOf returns what of a URL is secret: everything but the host.
func secretsOf(u *url.URL) []string {
	path := strings.Trim(u.EscapedPath(), "/")
	secrets := append([]string{u.String(), u.RequestURI(), u.EscapedPath(), path, u.RawQuery}, strings.Split(path, "/")...)
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}

// message returns a notification in the form of the destination.
func (d Destination) message(n Notification) (gate.Message, error) {
	if d.Slack != nil {
		text, err := json.Marshal(n.slack())
		return gate.Message{ID: n.ID(), ContentType: "application/json; charset=utf-8", Body: text}, err
	}
	text, err := n.cloudEvent()
	return gate.Message{ID: n.ID(), ContentType: cloudEventType, Body: text}, err
}
