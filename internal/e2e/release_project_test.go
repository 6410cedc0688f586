package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// localapp is cmd/localapp, built once for all tests.
var localapp struct {
	once sync.Once
	bin  string
	err  error
}

func buildLocalapp(t *testing.T) string {
	t.Helper()
	build(t)
	localapp.once.Do(func() {
		if localapp.err = readSources(built.root); localapp.err != nil {
			return
		}
		localapp.bin, localapp.err = rehearsal.BuildLocalapp(t.Context(), built.root, built.dir)
	})
	if localapp.err != nil {
		t.Fatal(localapp.err)
	}
	return localapp.bin
}

// readSources reads every source file of the provider and localapp. They are built
// by separate commands, so without this "go test" would return a cached result
// after a change.
func readSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" && d.Name() != "go.mod":
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}

// brisk is the pace of releases whose order matters, not their duration.
var brisk = rehearsal.ExamplePace{Hold: "300ms", Settle: "200ms", SteadyFor: "300ms", Drain: "400ms", Interval: "200ms"}

// project is a configuration that creates everything itself, under continuous load
// from the first response on.
type project struct {
	*rehearsal.Example
	t        *testing.T
	balancer *localaws.Server
	loads    []*rehearsal.Load
	moments  []moment // of Terraform, in all its runs
	url      string   // where users ask, once it is known
}

// moment is an event from one of three sources: Terraform, the log of localapp, the
// journal of the load balancer.
type moment struct {
	at   time.Time
	what string
}

// newProject copies a configuration of the examples, or one of testdata/layouts
// with the examples' modules, and initialises it.
func newProject(t *testing.T, name string, pace rehearsal.ExamplePace) *project {
	t.Helper()
	bin := buildLocalapp(t)
	balancer, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(100*time.Millisecond),
		localaws.WithManagement("127.0.0.1:0"), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = balancer.Close() })
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Binary: built.binary, CLIConfig: built.cliConfig, Localapp: bin,
		Sources: []string{filepath.Join(built.root, "examples"), filepath.Join("testdata", "layouts")}, Name: name, Dir: t.TempDir(),
		Endpoint: balancer.URL(), Management: balancer.ManagementURL(), Pace: pace})
	if err != nil {
		t.Fatal(err)
	}
	p := &project{Example: example, t: t, balancer: balancer}
	t.Cleanup(func() {
		for _, load := range p.loads {
			load.Stop()
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.must(p.Init())
	return p
}

func (p *project) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// in is another configuration of the same copy, with the same loads.
func (p *project) in(name string) *project {
	p.t.Helper()
	other := &project{Example: p.In(name), t: p.t, balancer: p.balancer}
	p.must(other.Init())
	return other
}

// release is a user's edit of terraform.tfvars.
func (p *project) release(active string, releases map[string]string, more ...map[string]any) {
	p.t.Helper()
	values := map[string]any{"releases": releases, "active": active}
	for _, m := range more {
		maps.Copy(values, m)
	}
	p.must(p.Set(values))
}

// ask starts a load on a listener.
func (p *project) ask(path string, rate int) *rehearsal.Load {
	p.t.Helper()
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: p.users() + path, Rate: rate, Clients: max(16, rate/5)})
	p.loads = append(p.loads, load)
	return load
}

// users returns the URL for users.
func (p *project) users() string {
	p.t.Helper()
	if p.url == "" {
		p.must(p.Output("url", &p.url))
	}
	return p.url
}

// lostNothing ends the loads and checks that every request was answered.
func (p *project) lostNothing() {
	p.t.Helper()
	for _, load := range p.loads {
		counts := load.Stop()
		if counts.Lost > 0 || counts.Requests == 0 {
			p.t.Errorf("%d of %d requests were lost; the first: %s", counts.Lost, counts.Requests, counts.FirstLost)
		}
	}
}

// run runs Terraform with JSON output and returns the errors as one text, each with
// summary and detail.
func (p *project) run(args ...string) (string, bool) {
	p.t.Helper()
	command := p.Terraform.Command(append(args, "-json")...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	p.must(command.Start())
	watchdog := time.AfterFunc(hangTimeout, func() { _ = command.Process.Kill() })
	defer watchdog.Stop()
	err := command.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	output := p.collect(&out)
	return output, err == nil
}

// line is a line of Terraform's JSON output.
type line struct {
	At      time.Time `json:"@timestamp"`
	Message string    `json:"@message"`
	Type    string    `json:"type"`
	Hook    struct {
		Action   string `json:"action"`
		Resource struct {
			Addr string `json:"addr"`
		} `json:"resource"`
	} `json:"hook"`
	Diagnostic struct {
		Severity, Summary, Detail string
	} `json:"diagnostic"`
}

// collect stores the moments of a run and returns its errors.
func (p *project) collect(out *bytes.Buffer) string {
	words := map[string]string{"apply_start": "begins", "apply_complete": "done", "apply_errored": "failed"}
	var output strings.Builder
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			fmt.Fprintln(&output, lines.Text()) // Terraform's usage, before it writes JSON
			continue
		}
		if word := words[l.Type]; word != "" {
			p.moments = append(p.moments, moment{l.At, fmt.Sprintf("%s %s %s", l.Hook.Action, l.Hook.Resource.Addr, word)})
		}
		if l.Type == "diagnostic" && l.Diagnostic.Severity == "error" {
			fmt.Fprintf(&output, "%s\n\n%s\n\n", l.Diagnostic.Summary, l.Diagnostic.Detail)
		}
	}
	p.must(lines.Err())
	return output.String()
}

func (p *project) apply() (string, bool) {
	p.t.Helper()
	return p.run("apply", "-auto-approve")
}

func (p *project) mustApply() {
	p.t.Helper()
	if output, ok := p.apply(); !ok {
		p.t.Fatalf("apply failed:\n%s", output)
	}
}

// mustFail is an apply that has to fail; it returns the errors.
func (p *project) mustFail() string {
	p.t.Helper()
	output, ok := p.apply()
	if ok {
		p.t.Fatal("apply succeeded")
	}
	return output
}

// mustBeSettled checks that the plan is empty.
func (p *project) mustBeSettled() {
	p.t.Helper()
	var out strings.Builder
	if err := p.Terraform.Run(&out, "plan", "-no-color", "-detailed-exitcode"); err != nil {
		p.t.Errorf("the plan is not empty: %v\n%s", err, out.String())
	}
}

// events returns the log of localapp.
func (p *project) events() []string {
	p.t.Helper()
	events, err := rehearsal.ReadEvents(p.Site())
	p.must(err)
	var texts []string
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	return texts
}

// since returns the moments after a time, from all three sources; of the journal
// only the writes that move traffic.
func (p *project) since(begin time.Time) []moment {
	p.t.Helper()
	story := slices.Clone(p.moments)
	events, err := rehearsal.ReadEvents(p.Site())
	p.must(err)
	for _, e := range events {
		story = append(story, moment{e.At, e.Text})
	}
	for _, c := range p.balancer.Calls() {
		if c.Action == "ModifyListener" || c.Action == "ModifyRule" {
			story = append(story, moment{c.At, c.Action})
		}
	}
	story = slices.DeleteFunc(story, func(m moment) bool { return m.at.Before(begin) })
	slices.SortStableFunc(story, func(a, b moment) int { return a.at.Compare(b.at) })
	return story
}

// inOrder checks that each of these happened once, in this order, with anything in
// between.
func (p *project) inOrder(story []moment, expected ...string) {
	p.t.Helper()
	var texts []string
	for _, m := range story {
		texts = append(texts, m.what)
	}
	var found []string
	for _, text := range texts {
		if slices.Contains(expected, text) {
			found = append(found, text)
		}
	}
	if !slices.Equal(found, expected) {
		p.t.Errorf("the order was\n  %s\nit should be\n  %s\nof all that happened:\n  %s",
			strings.Join(found, "\n  "), strings.Join(expected, "\n  "), strings.Join(texts, "\n  "))
	}
}

// never checks that none of these happened.
func (p *project) never(story []moment, unwanted ...string) {
	p.t.Helper()
	for _, m := range story {
		if slices.Contains(unwanted, m.what) {
			p.t.Errorf("it must not happen: %s", m.what)
		}
	}
}

// blues returns the process IDs of blue's machines.
func (p *project) blues() []int {
	p.t.Helper()
	pids, err := rehearsal.PIDs(p.Site())
	p.must(err)
	return pids["app-blue"]
}

// mark returns the number of calls so far.
func (p *project) mark() int { return len(p.balancer.Calls()) }

// writes counts the calls since a mark that changed an action.
func (p *project) writes(mark int) int {
	n := 0
	for _, c := range p.balancer.Calls()[mark:] {
		if c.Action == "ModifyListener" || c.Action == "ModifyRule" {
			n++
		}
	}
	return n
}

// answers checks which version answers users.
func (p *project) answers() string {
	p.t.Helper()
	resp, err := client(p.t).Get(p.users())
	p.must(err)
	defer func() { _ = resp.Body.Close() }()
	return resp.Header.Get(rehearsal.VersionHeader)
}

func (p *project) mustAnswer(version string) {
	p.t.Helper()
	if got := p.answers(); got != version {
		p.t.Errorf("users get version %q, it should be %q", got, version)
	}
}
