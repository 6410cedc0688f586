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

// SiteDir is the directory of a configuration's site, beside its state.
const SiteDir = ".localapp"

// eventsFile is the event log of a site.
const eventsFile = "events.log"

// Site is what a configuration has created on this machine: load balancers, target groups, rules, machines and
// services, each with a record in a directory. It replaces hashicorp/aws where that provider is not available: every
// method is a command of cmd/localapp that Terraform runs. A record is written last and removed last, so that an
// interrupted command can run again.
type Site struct {
	records
	Management string // of the load balancer, for the real addresses of listeners

	endpoint string
	client   *elb.Client
}

// OpenSite creates the directory if it does not exist.
func OpenSite(dir, endpoint, management string) (*Site, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Site{records: records{dir}, Management: management, endpoint: endpoint, client: Client(endpoint)}, nil
}

// Event is a line of the event log: a time, and what was done.
type Event struct {
	At   time.Time
	Text string // "group app-blue created"
}

// records are the records and the event log of a site, in its directory.
type records struct{ Dir string }

// note appends to the event log. A line is one write, so that concurrent commands do not mix their lines.
func (s *records) note(format string, args ...any) error {
	log, err := os.OpenFile(filepath.Join(s.Dir, eventsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(log, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
	return errors.Join(err, log.Close())
}

// ReadEvents returns the event log of a site, oldest first.
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
			return nil, fmt.Errorf("the event log has a line without a timestamp: %w", err)
		}
		events = append(events, Event{At: at, Text: what})
	}
	return events, nil
}

func (s *records) record(kind, name string) string {
	return filepath.Join(s.Dir, kind+"-"+name+".json")
}

// save writes a record atomically.
func (s *records) save(kind, name string, value any) error {
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
func (s *records) load(kind, name string, into any) (found bool, err error) {
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

// forget logs the removal of a thing and removes its record.
func (s *records) forget(kind, name string) error {
	if err := s.note("%s %s deleted", kind, name); err != nil {
		return err
	}
	return os.Remove(s.record(kind, name))
}

// Migrate simulates a database migration: it only writes to the event log.
func (s *Site) Migrate(name string) error { return s.note("migration %s applied", name) }

// listenerURL returns the real address of a listener.
func (s *Site) listenerURL(ctx context.Context, listener string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/listeners", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("cannot read the management port of the load balancer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var listeners map[string]struct {
		Address string `json:"address"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&listeners); err != nil {
		return "", fmt.Errorf("unexpected response of the management port: %w", err)
	}
	found, ok := listeners[listener]
	if !ok {
		return "", fmt.Errorf("the management port does not list listener %s", listener)
	}
	return "http://" + found.Address, nil
}
