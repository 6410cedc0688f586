package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// examplePace are the durations of the examples in the demo. The drain is longer than the
// slow requests.
var examplePace = rehearsal.ExamplePace{Hold: "800ms", Settle: "300ms", SteadyFor: "300ms", Drain: "2500ms", Interval: "250ms"}

// Slow requests are in flight all the time: they must be answered even when the traffic
// leaves their environment.
const (
	slowPath = "/?for=2s"
	slowRate = 15
)

// exampleRun is an example with its own load balancer, under load.
type exampleRun struct {
	*rehearsal.Example
	printer
	d           *demo
	balancer    *localaws.Server
	users, slow *rehearsal.Load
	watching    *watch
	journals    string // the file in which they are announced
}

// build copies the example and starts its load balancer.
func (d *demo) build(name string, v printer) (*exampleRun, error) {
	balancer, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(fastHealth),
		localaws.WithManagement("127.0.0.1:0"), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	s := &exampleRun{d: d, printer: v, balancer: balancer}
	d.mu.Lock()
	d.runs = append(d.runs, s)
	own := fmt.Sprintf("example-%d-%s", len(d.runs), filepath.Base(name))
	d.mu.Unlock()
	terms := d.examples
	terms.Name, terms.Dir = name, filepath.Join(d.dir, own)
	terms.Endpoint, terms.Management = balancer.URL(), balancer.ManagementURL()
	if s.Example, err = rehearsal.NewExample(terms); err != nil {
		return s, err
	}
	s.journals = filepath.Join(d.dir, own+".journals")
	env, err := d.reporting(s.journals)
	s.Terraform.Env = append(s.Terraform.Env, env...)
	return s, err
}

// newExampleRun makes the first apply of the example, before there is any load.
func (d *demo) newExampleRun(name string, v printer) (*exampleRun, error) {
	s, err := d.build(name, v)
	if err != nil {
		return nil, err
	}
	s.Terraform.Env = append(s.Terraform.Env, fmt.Sprintf("LOCALAPP_BREAKS=%s=%d", third, breaksAfter))
	if err := s.Init(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := s.Apply(&out); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out.String())
	}
	return s, nil
}

// begin starts the load, including requests that take 2 s.
func (s *exampleRun) begin(slowly int) error {
	var url string
	if err := s.Output("url", &url); err != nil {
		return err
	}
	s.slow = rehearsal.StartLoad(rehearsal.LoadTerms{URL: url + slowPath, Rate: slowly, Clients: 4 * slowly})
	s.users = rehearsal.StartLoad(rehearsal.LoadTerms{URL: url, Rate: s.d.rate, Clients: s.d.clients})
	s.watching = s.watch(s.Weights, s.users, newProgress(s.printer, s.journals))
	return nil
}

// end stops the load, waits for the responses, and fills in the result.
func (s *exampleRun) end(r *result) []weightChange {
	turns, _, _ := s.watching.stop()
	users, slow := s.users.Stop(), s.slow.Stop()
	s.watching, s.users, s.slow = nil, nil, nil
	r.requests, r.lost = users.Requests+slow.Requests, users.Lost+slow.Lost
	for _, first := range []string{users.FirstLost, slow.FirstLost} {
		if first != "" {
			r.wrong = append(r.wrong, "lost: "+first)
		}
	}
	return turns
}

func (s *exampleRun) close() {
	if s.watching != nil {
		s.watching.stop()
		s.users.Stop()
		s.slow.Stop()
	}
	if s.Example != nil {
		_ = s.Close()
	}
	_ = s.balancer.Close()
}

// release is one edit of terraform.tfvars and one apply of it.
func (s *exampleRun) release(ctx context.Context, active string, releases map[string]string) (failed bool, err error) {
	var out bytes.Buffer
	command, ended, err := s.start(active, releases, &out)
	if err != nil {
		return false, err
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		return false, s.d.interrupt(command, ended, ctx.Err(), &out)
	}
	if s.watching != nil {
		s.watching.shifts.catchUp(ctx)
	}
	s.say("\nTerraform output:\n%s\n", indent(withoutProgress(out.String())))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return true, nil
	}
	return false, err
}

// start edits terraform.tfvars, prints the plan, and starts its apply.
func (s *exampleRun) start(active string, releases map[string]string, out io.Writer) (*exec.Cmd, <-chan error, error) {
	if err := s.Set(map[string]any{"active": active, "releases": releases}); err != nil {
		return nil, nil, err
	}
	plan, err := planned(s.Terraform)
	if err != nil {
		return nil, nil, err
	}
	s.say("Edit: releases = %s, active = %q. Plan:\n%s\n", releasesText(releases), active, indent(plan))
	command := s.Terraform.Command("apply", "-no-color", "release.tfplan")
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	return command, ended, nil
}

// releasesText formats releases as in terraform.tfvars.
func releasesText(releases map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(releases)) {
		parts = append(parts, fmt.Sprintf("%s = %q", name, releases[name]))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// must records a failed expectation.
func (r *result) must(is bool, otherwise string) {
	if !is {
		r.wrong = append(r.wrong, otherwise)
	}
}

// background is a group of scenarios that run while others are printed.
type background struct {
	output  buffer
	results []result
	err     error
	done    chan struct{}
}

// startBackground starts the scenarios in which Terraform also creates and destroys the
// environments. They have their own load balancers, so running them in parallel only
// saves time.
func (d *demo) startBackground(ctx context.Context) []*background {
	var all []*background
	for _, play := range []func(context.Context, printer) ([]result, error){d.twoEnvironments, d.oneApply, d.killedRelease} {
		b := &background{done: make(chan struct{})}
		all = append(all, b)
		go func() {
			defer close(b.done)
			ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
			defer cancel()
			b.results, b.err = play(ctx, printer{&b.output})
		}()
	}
	return all
}

// twoEnvironments makes a release and reverts it by one line.
func (d *demo) twoEnvironments(ctx context.Context, v printer) ([]result, error) {
	r := result{scenario: "(e) two environments, reverted by one line", worst: "-"}
	v.say("\n=== %s: examples/two-environments", r.scenario)
	s, err := d.newExampleRun("two-environments", v)
	if err != nil {
		return nil, err
	}
	if err := s.begin(0); err != nil {
		return nil, err
	}
	releases := map[string]string{"blue": first, "green": second}
	failed, err := s.release(ctx, "green", releases)
	if err != nil {
		return nil, err
	}
	r.must(!failed, "the release failed")
	s.say("Blue still runs. Reverting one line needs no build and no steps:")
	began, before := time.Now(), s.writes()
	failed, err = s.release(ctx, "blue", releases)
	if err != nil {
		return nil, err
	}
	r.must(!failed, "the revert failed")
	r.must(s.writes() == before+1, fmt.Sprintf("the revert took %d writes", s.writes()-before))
	if err := wait(ctx, observedAfter); err != nil {
		return nil, err
	}
	turns := s.end(&r)
	last := turns[len(turns)-1]
	r.rollback = fmt.Sprintf("%.2f", last.at.Sub(began).Seconds())
	r.must(shares(last.weights)["blue"] == 100, "blue does not have all traffic")
	return []result{r}, nil
}

// oneApply makes a release in which the old environment is drained and destroyed, and
// then a bad one.
func (d *demo) oneApply(ctx context.Context, v printer) ([]result, error) {
	good := result{scenario: "(f) one apply that destroys the old version", worst: "-", rollback: "-"}
	v.say("\n=== %s: examples/one-apply-release, with requests of 2 s in flight", good.scenario)
	s, err := d.newExampleRun("one-apply-release", v)
	if err != nil {
		return nil, err
	}
	if err := s.begin(slowRate); err != nil {
		return nil, err
	}
	old, err := s.processes("app-blue")
	if err != nil {
		return nil, err
	}
	failed, err := s.release(ctx, "green", map[string]string{"green": second})
	if err != nil {
		return nil, err
	}
	good.must(!failed, "the release failed")
	good.must(len(old) > 0 && !slices.ContainsFunc(old, proc.Running), "the old processes still run")
	s.say("The processes %v of the old version have ended, and its target group is deleted.", old)
	if err := wait(ctx, observedAfter); err != nil {
		return nil, err
	}
	s.end(&good)
	bad, err := d.badRelease(ctx, s)
	return []result{good, bad}, err
}

// badRelease is a release that fails under traffic: the live environment is not touched,
// the version stays rejected, and a fixed one is shipped.
func (d *demo) badRelease(ctx context.Context, s *exampleRun) (result, error) {
	r := result{scenario: "(g) the same with a bad version, then fixed"}
	s.say("\n=== %s", r.scenario)
	if err := s.begin(slowRate); err != nil {
		return r, err
	}
	old, err := s.processes("app-green")
	if err != nil {
		return r, err
	}
	failed, err := s.release(ctx, "blue", map[string]string{"blue": third})
	if err != nil {
		return r, err
	}
	r.must(failed, "the bad release completed")
	still, err := s.processes("app-green")
	if err != nil {
		return r, err
	}
	r.must(slices.Equal(old, still) && !slices.ContainsFunc(old, func(pid int) bool { return !proc.Running(pid) }), "the live environment was touched")
	r.rollback = s.rollbackText()
	s.say("Green's processes %v are unchanged and live. Applying the same edit again:", still)
	before := s.writes()
	failed, err = s.release(ctx, "blue", map[string]string{"blue": third})
	if err != nil {
		return r, err
	}
	r.must(failed && s.writes() == before, "the rejected version was shipped again")
	failed, err = s.release(ctx, "blue", map[string]string{"blue": fourth})
	if err != nil {
		return r, err
	}
	r.must(!failed, "the fixed release failed")
	r.must(!slices.ContainsFunc(old, proc.Running), "the old processes still run")
	if err := wait(ctx, observedAfter); err != nil {
		return r, err
	}
	r.worst = fmt.Sprintf("%.1f %%", s.watching.worstShare(third))
	turns := s.end(&r)
	r.must(shares(turns[len(turns)-1].weights)["blue"] == 100, "blue does not have all traffic")
	return r, nil
}

// processes returns the process IDs of a running fleet.
func (s *exampleRun) processes(name string) ([]int, error) {
	pids, err := rehearsal.PIDs(s.Site())
	return pids[name], err
}

// writes counts the API calls that changed an action.
func (s *exampleRun) writes() int {
	n := 0
	for _, c := range s.balancer.Calls() {
		if c.Action == "ModifyListener" || c.Action == "ModifyRule" {
			n++
		}
	}
	return n
}

// rollbackText is the time from the first bad response to the last weight change.
func (s *exampleRun) rollbackText() string {
	s.watching.mu.Lock()
	defer s.watching.mu.Unlock()
	return rollbackSeconds(s.watching.firstBad, s.watching.changes[len(s.watching.changes)-1].at)
}

// worstShare is the largest share of a version in the responses of one second.
func (w *watch) worstShare(version string) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.worst[version]
}

// serveExample runs the local stack for an example until Ctrl-C.
func (d *demo) serveExample(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.examples.Sources[0], d.example, "main.tf")); err != nil {
		return fmt.Errorf("examples/%s is not an example that runs locally: %w", d.example, err)
	}
	s, err := d.build(d.example, d.printer)
	if err != nil {
		return err
	}
	binary := filepath.Base(d.Terraform.Binary)
	s.say("\nReady for examples/%s, in a copy with short durations. In another terminal:\n", d.example)
	s.say("  cd %s", s.Terraform.Dir)
	for _, line := range s.Terraform.Env {
		s.say("  export %q", line)
	}
	s.d.sayCommand(s.printer)
	s.say("  %s init && %s apply     # then edit as described in its README.md, and apply again", binary, binary)
	s.say("\nPress Ctrl-C here to stop everything.")
	<-ctx.Done()
	return nil
}
