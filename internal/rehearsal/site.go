package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// SiteDir is the folder in which a configuration's site is, beside its state.
const SiteDir = ".localapp"

// eventsFile is the event log in a site's folder.
const eventsFile = "events.log"

// Site is what a configuration has built on this machine: balancers, target
// groups, rules, machines and services, each with a record in a folder. It
// plays the part of hashicorp/aws where that provider is not at hand: every
// method is one command of cmd/localapp, run by Terraform. A record is written
// last and removed last, so that a command that was cut short can run again.
type Site struct {
	Dir        string
	Management string // of the balancer: where its listeners really listen

	endpoint string
	client   *elb.Client
}

// OpenSite makes the folder if it is not there.
func OpenSite(dir, endpoint, management string) (*Site, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Site{Dir: dir, Management: management, endpoint: endpoint, client: Client(endpoint)}, nil
}

// Event is a line of the event log: when a thing had been done, and what.
type Event struct {
	At   time.Time
	Text string // "group app-blue created"
}

// note appends to the event log. A line is one write, so that the commands
// which Terraform runs side by side do not tear each other's lines.
func (s *Site) note(format string, args ...any) error {
	log, err := os.OpenFile(filepath.Join(s.Dir, eventsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(log, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
	return errors.Join(err, log.Close())
}

// ReadEvents returns the event log of a site, oldest first; nothing where
// nothing has been done.
func ReadEvents(dir string) ([]Event, error) {
	text, err := os.ReadFile(filepath.Join(dir, eventsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var events []Event
	for line := range strings.Lines(string(text)) {
		when, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := time.Parse(time.RFC3339Nano, when)
		if err != nil {
			return nil, fmt.Errorf("the event log has a line without a time: %w", err)
		}
		events = append(events, Event{At: at, Text: what})
	}
	return events, nil
}

func (s *Site) record(kind, name string) string {
	return filepath.Join(s.Dir, kind+"-"+name+".json")
}

// save writes a record as a whole or not at all.
func (s *Site) save(kind, name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	path := s.record(kind, name)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load reads a record; found is false where there is none.
func (s *Site) load(kind, name string, into any) (found bool, err error) {
	text, err := os.ReadFile(s.record(kind, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, fmt.Errorf("the record of %s %s is unreadable: %w", kind, name, err)
	}
	return true, nil
}

// forget notes that a thing is gone and removes its record.
func (s *Site) forget(kind, name string) error {
	if err := s.note("%s %s deleted", kind, name); err != nil {
		return err
	}
	return os.Remove(s.record(kind, name))
}

// Migrate plays a change of a database's schema: it only stands in the log.
func (s *Site) Migrate(name string) error { return s.note("migration %s applied", name) }

// listenerURL asks the balancer where a listener really listens.
func (s *Site) listenerURL(ctx context.Context, listener string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/listeners", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("unable to ask the balancer's management port: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var listeners map[string]struct {
		Address string `json:"address"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&listeners); err != nil {
		return "", fmt.Errorf("the balancer's management port answered something else: %w", err)
	}
	found, ok := listeners[listener]
	if !ok {
		return "", fmt.Errorf("the balancer's management port does not know listener %s", listener)
	}
	return "http://" + found.Address, nil
}
