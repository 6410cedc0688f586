package e2e

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// Brisk returns the pace of releases whose order matters, not their duration. What is in
// flight ends within Settle and Drain, which takes longer on a slow machine.
func Brisk() rehearsal.ExamplePace {
	return rehearsal.ExamplePace{Hold: "300ms", Settle: slow.Deadline(200 * time.Millisecond).String(), SteadyFor: "300ms",
		Drain: slow.Deadline(400 * time.Millisecond).String(), Interval: "200ms"}
}

// ParallelRate is the number of requests per second of tests that run in parallel.
const ParallelRate = 100

// Project is a configuration that creates everything itself, under continuous load
// from the first response on.
type Project struct {
	*rehearsal.Example
	T        *testing.T // the running test
	Balancer *localaws.Server
	Loads    []*rehearsal.Load
	moments  []Moment // of Terraform, in all its runs
	url      string   // where users ask, once it is known
}

// NewProject copies a configuration of the examples, or one of testdata/layouts
// with the examples' modules, and initializes it.
func NewProject(t *testing.T, name string, pace rehearsal.ExamplePace) *Project {
	t.Helper()
	built := Build(t)
	balancer := startBalancer(t, localaws.WithManagement("127.0.0.1:0"))
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Binary: built.Terraform, CLIConfig: built.CLIConfig, Localapp: built.Localapp,
		Sources: []string{filepath.Join(built.Root, "examples"), filepath.Join(built.Root, "internal", "e2e", "testdata", "layouts")},
		Name:    name, Dir: t.TempDir(), Endpoint: balancer.URL(), Management: balancer.ManagementURL(), Pace: pace})
	if err != nil {
		t.Fatal(err)
	}
	example.Terraform.Limit = hangTimeout()
	p := &Project{Example: example, T: t, Balancer: balancer}
	t.Cleanup(func() {
		for _, load := range p.Loads {
			load.Stop()
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Must(p.Init())
	return p
}

// Must ends the test at an error.
func (p *Project) Must(err error) {
	p.T.Helper()
	if err != nil {
		p.T.Fatal(err)
	}
}

// Sibling is another configuration of the same copy, with the same loads.
func (p *Project) Sibling(name string) *Project {
	p.T.Helper()
	other := &Project{Example: p.In(name), T: p.T, Balancer: p.Balancer}
	p.Must(other.Init())
	return other
}

// Release is a user's edit of terraform.tfvars.
func (p *Project) Release(active string, releases map[string]string, more ...map[string]any) {
	p.T.Helper()
	values := map[string]any{"releases": releases, "active": active}
	for _, m := range more {
		maps.Copy(values, m)
	}
	p.Must(p.Set(values))
}

// Ask starts a load on a listener.
func (p *Project) Ask(path string, rate int) *rehearsal.Load {
	p.T.Helper()
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: p.Users() + path, Rate: rate, Clients: max(16, rate/5)})
	p.Loads = append(p.Loads, load)
	return load
}

// Users returns the URL for users.
func (p *Project) Users() string {
	p.T.Helper()
	if p.url == "" {
		p.Must(p.Output("url", &p.url))
	}
	return p.url
}

// LostNothing ends the loads and checks that every request was answered.
func (p *Project) LostNothing() {
	p.T.Helper()
	for _, load := range p.Loads {
		lostNothing(p.T, load)
	}
}

// MoreRequests waits for as many requests of a load as a World has per second.
func (p *Project) MoreRequests(load *rehearsal.Load) {
	p.T.Helper()
	moreRequests(p.T, load)
}

// MustApply is an apply that has to succeed.
func (p *Project) MustApply() {
	p.T.Helper()
	if output, ok := p.Run("apply", "-auto-approve"); !ok {
		p.T.Fatalf("apply failed:\n%s", output)
	}
}

// MustFail is an apply that has to fail; it returns the errors.
func (p *Project) MustFail() string {
	p.T.Helper()
	output, ok := p.Run("apply", "-auto-approve")
	if ok {
		p.T.Fatal("apply succeeded")
	}
	return output
}

// MustBeSettled checks that the plan is empty.
func (p *Project) MustBeSettled() {
	p.T.Helper()
	var out strings.Builder
	if err := p.Terraform.Run(&out, "plan", "-no-color", "-detailed-exitcode"); err != nil {
		p.T.Errorf("the plan is not empty: %v\n%s", err, out.String())
	}
}

// BluePIDs returns the process IDs of blue's machines.
func (p *Project) BluePIDs() []int {
	p.T.Helper()
	pids, err := rehearsal.PIDs(p.Site())
	p.Must(err)
	return pids["app-blue"]
}

// Mark returns the number of calls so far.
func (p *Project) Mark() int { return len(p.Balancer.Calls()) }

// Writes counts the calls that changed an action since a mark.
func (p *Project) Writes(mark int) int { return writes(p.Balancer.Calls()[mark:]) }

// MustAnswer checks which version responds to users.
func (p *Project) MustAnswer(version string) {
	p.T.Helper()
	got, err := VersionAt(Client(p.T), p.Users())
	p.Must(err)
	if got != version {
		p.T.Errorf("users get version %q, it should be %q", got, version)
	}
}
