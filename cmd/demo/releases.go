package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// scenePace is the examples' at the speed of a demo. The drain is longer than
// the slow requests are.
var scenePace = rehearsal.ExamplePace{Hold: "800ms", Settle: "300ms", SteadyFor: "300ms", Drain: "2500ms", Interval: "250ms"}

// Slow requests are under way all the time: they are on the old side when the
// traffic leaves it, and must be answered all the same.
const (
	slowPath = "/?for=2s"
	slowRate = 15
)

// scene is one of the examples with a balancer of its own, under load.
type scene struct {
	*rehearsal.Example
	voice
	d           *demo
	balancer    *localalb.Server
	users, slow *rehearsal.Load
	watching    *watch
}

// build copies the example and starts its balancer.
func (d *demo) build(name string, v voice) (*scene, error) {
	balancer, err := localalb.Start(localalb.WithEphemeralPorts(), localalb.WithFastHealth(fastHealth),
		localalb.WithManagement("127.0.0.1:0"), localalb.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	s := &scene{d: d, voice: v, balancer: balancer}
	d.mu.Lock()
	d.scenes = append(d.scenes, s)
	d.mu.Unlock()
	terms := d.examples
	terms.Name, terms.Dir = name, filepath.Join(d.dir, "scene-"+filepath.Base(name))
	terms.Endpoint, terms.Management = balancer.URL(), balancer.ManagementURL()
	s.Example, err = rehearsal.NewExample(terms)
	return s, err
}

// newScene makes the example's first apply, which nobody looks at yet.
func (d *demo) newScene(name string, v voice) (*scene, error) {
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

// begin puts the users there, and those who ask for so much that it takes 2 s.
func (s *scene) begin(slowly int) error {
	var url string
	if err := s.Output("url", &url); err != nil {
		return err
	}
	s.slow = rehearsal.StartLoad(rehearsal.LoadTerms{URL: url + slowPath, Rate: slowly, Clients: 4 * slowly})
	s.users = rehearsal.StartLoad(rehearsal.LoadTerms{URL: url, Rate: s.d.rate, Clients: s.d.clients})
	s.watching = s.watch(s.Weights, s.users)
	return nil
}

// end stops the users, waits for their answers, and fills in what they saw.
func (s *scene) end(r *result) []turn {
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

func (s *scene) close() {
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
func (s *scene) release(ctx context.Context, active string, releases map[string]string) (failed bool, err error) {
	if err := s.Set(map[string]any{"active": active, "releases": releases}); err != nil {
		return false, err
	}
	plan, err := planned(s.Terraform)
	if err != nil {
		return false, err
	}
	s.say("The edit: releases = %s, active = %q. The plan says:\n%s\n", words(releases), active, indent(plan))
	command := s.Terraform.Command("apply", "-no-color", "release.tfplan")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		return false, s.d.abandon(command, ended, ctx.Err(), &out)
	}
	s.say("\nTerraform says:\n%s\n", indent(closing(out.String())))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return true, nil
	}
	return false, err
}

// words writes releases as terraform.tfvars has them.
func words(releases map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(releases)) {
		parts = append(parts, fmt.Sprintf("%s = %q", name, releases[name]))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// must notes what is not as it should be.
func (r *result) must(is bool, otherwise string) {
	if !is {
		r.wrong = append(r.wrong, otherwise)
	}
}

// beside is acts that are played while others are watched.
type beside struct {
	said    kept
	results []result
	err     error
	over    chan struct{}
}

// releases begins the acts in which Terraform builds and destroys the
// environments as well. They have balancers of their own, so that nothing but
// time is saved by playing them beside the others.
func (d *demo) releases(ctx context.Context) []*beside {
	var all []*beside
	for _, play := range []func(context.Context, voice) ([]result, error){d.twoColours, d.oneApply} {
		b := &beside{over: make(chan struct{})}
		all = append(all, b)
		go func() {
			defer close(b.over)
			ctx, cancel := context.WithTimeout(ctx, actLimit)
			defer cancel()
			b.results, b.err = play(ctx, voice{&b.said})
		}()
	}
	return all
}

// twoColours releases, and takes it back by reverting one line.
func (d *demo) twoColours(ctx context.Context, v voice) ([]result, error) {
	r := result{act: "(d) two colours, taken back by one line", worst: "-"}
	v.say("\n=== %s: examples/two-colours", r.act)
	s, err := d.newScene("two-colours", v)
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
	s.say("Blue still runs. One line is reverted, and nothing has to be built, stepped or waited for:")
	began, before := time.Now(), s.writes()
	failed, err = s.release(ctx, "blue", releases)
	if err != nil {
		return nil, err
	}
	r.must(!failed, "the way back failed")
	r.must(s.writes() == before+1, fmt.Sprintf("the way back took %d writes", s.writes()-before))
	if err := linger(ctx, afterwards); err != nil {
		return nil, err
	}
	turns := s.end(&r)
	last := turns[len(turns)-1]
	r.back = fmt.Sprintf("%.2f", last.at.Sub(began).Seconds())
	r.must(shares(last.weights)["blue"] == 100, "blue does not have all the traffic")
	return []result{r}, nil
}

// oneApply releases with the old environment drained and destroyed, and then
// one that is bad.
func (d *demo) oneApply(ctx context.Context, v voice) ([]result, error) {
	good := result{act: "(e) all in one apply, the old one destroyed", worst: "-", back: "-"}
	v.say("\n=== %s: examples/one-apply-release, with requests of 2 s under way", good.act)
	s, err := d.newScene("one-apply-release", v)
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
	good.must(len(old) > 0 && !slices.ContainsFunc(old, rehearsal.Running), "the old processes still run")
	s.say("The processes %v of the old version have ended, and their target group is gone.", old)
	if err := linger(ctx, afterwards); err != nil {
		return nil, err
	}
	s.end(&good)
	bad, err := d.badOne(ctx, s)
	return []result{good, bad}, err
}

// badOne is a release whose new environment breaks under traffic: the old one
// is not touched, the version does not go out again, and a mended one does.
func (d *demo) badOne(ctx context.Context, s *scene) (result, error) {
	r := result{act: "(f) the same, bad: rejected, then mended"}
	s.say("\n=== %s", r.act)
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
	r.must(failed, "the bad release went through")
	still, err := s.processes("app-green")
	if err != nil {
		return r, err
	}
	r.must(slices.Equal(old, still) && !slices.ContainsFunc(old, func(pid int) bool { return !rehearsal.Running(pid) }), "the live environment was touched")
	r.back = s.backAfter()
	s.say("Green's processes %v are the same, and live. The same edit is applied again:", still)
	before := s.writes()
	failed, err = s.release(ctx, "blue", map[string]string{"blue": third})
	if err != nil {
		return r, err
	}
	r.must(failed && s.writes() == before, "the rejected version went out again")
	failed, err = s.release(ctx, "blue", map[string]string{"blue": fourth})
	if err != nil {
		return r, err
	}
	r.must(!failed, "the mended release failed")
	r.must(!slices.ContainsFunc(old, rehearsal.Running), "the old processes still run")
	if err := linger(ctx, afterwards); err != nil {
		return r, err
	}
	r.worst = fmt.Sprintf("%.1f %%", s.watching.most(third))
	turns := s.end(&r)
	r.must(shares(turns[len(turns)-1].weights)["blue"] == 100, "blue does not have all the traffic")
	return r, nil
}

// processes are those of a fleet that runs.
func (s *scene) processes(name string) ([]int, error) {
	pids, err := rehearsal.PIDs(s.Site())
	return pids[name], err
}

// writes counts the calls that have changed an action so far.
func (s *scene) writes() int {
	n := 0
	for _, c := range s.balancer.Calls() {
		if c.Action == "ModifyListener" || c.Action == "ModifyRule" {
			n++
		}
	}
	return n
}

// backAfter is how long it took from the first bad answer to the last change
// of weights, in words.
func (s *scene) backAfter() string {
	s.watching.mu.Lock()
	defer s.watching.mu.Unlock()
	return secondsBack(s.watching.firstBad, s.watching.turns[len(s.watching.turns)-1].at)
}

// most is the largest part of a second's answers that a version gave.
func (w *watch) most(version string) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.worst[version]
}

// waitInExample leaves everything to the user until Ctrl-C.
func (d *demo) waitInExample(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.examples.Sources[0], d.example, "main.tf")); err != nil {
		return fmt.Errorf("examples/%s is no configuration that runs here: %w", d.example, err)
	}
	s, err := d.build(d.example, d.voice)
	if err != nil {
		return err
	}
	binary := filepath.Base(d.Terraform.Binary)
	s.say("\nThe stage is set for examples/%s, in a copy whose waits are seconds. In another terminal:\n", d.example)
	s.say("  cd %s", s.Terraform.Dir)
	for _, line := range s.Terraform.Env {
		s.say("  export %q", line)
	}
	s.say("  %s init && %s apply     # then edit as its README.md says, and apply again", binary, binary)
	s.say("\nCtrl-C here ends it, the machines included.")
	<-ctx.Done()
	return nil
}
