package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

const (
	fastHealth = 250 * time.Millisecond
	appDelay   = 20 * time.Millisecond
	// breaksAfter is how many users the bad releases serve well.
	breaksAfter = 20
	// slower is how much slower the slow release is than the others.
	slower = 3
	// A balancer of AWS has a point of its figures each minute, which comes about
	// a minute late. A demo cannot wait for that either.
	metricsPeriod = time.Second
	metricsLate   = 500 * time.Millisecond
	// afterwards is how long an act is watched when its apply has ended, and
	// midHold where in a hold Ctrl-C is pressed.
	afterwards = time.Second
	midHold    = 700 * time.Millisecond
	// actLimit is when an act counts as hung.
	actLimit = 3 * time.Minute
)

// result is a line of the closing table.
type result struct {
	act      string
	requests int
	lost     int
	worst    string // share of the version that was sent back
	back     string // seconds to go back
	wrong    []string
}

// act is one release and how it must end.
type act struct {
	title     string
	active    string // who is to become live
	version   string
	stays     string // who is live before, and after a way back
	interrupt bool
	mustFail  bool
	bad       bool
	slow      bool
}

// play runs the acts one after the other under one kind of load.
func (d *demo) play(ctx context.Context) ([]result, error) {
	if err := d.Adopt(); err != nil {
		return nil, err
	}
	d.say("The listener is adopted: blue (%s) has all the traffic. %d requests a second from %d clients begin.", first, d.rate, d.clients)
	ctx, cancel := context.WithCancel(ctx)
	aside := d.releases(ctx)
	defer func() {
		cancel()
		for _, b := range aside {
			<-b.over
		}
	}()
	var results []result
	for _, a := range []act{
		{title: "(a) a good release", active: "green", version: second, stays: "blue"},
		{title: "(b) a release that breaks under traffic", active: "blue", version: third, stays: "green", mustFail: true, bad: true},
		{title: "(c) a release that is interrupted", active: "blue", version: fourth, stays: "green", mustFail: true, interrupt: true},
		{title: "(g) a release that is only slower", active: "blue", version: fifth, stays: "green", mustFail: true, slow: true},
	} {
		r, err := d.perform(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("act %s: %w", a.title, err)
		}
		results = append(results, r)
		if len(r.wrong) > 0 {
			return results, nil // the next act begins where this one should have ended
		}
	}
	d.say("\nActs (d), (e) and (f) were played meanwhile, on load balancers of their own:")
	for _, b := range aside {
		<-b.over
		d.say("%s", strings.TrimRight(b.said.String(), "\n"))
		if b.err != nil {
			return nil, b.err
		}
		results = append(results, b.results...)
	}
	return results, nil
}

// perform prepares the idle environment, runs one apply under load, and
// compares what happened with what must.
func (d *demo) perform(ctx context.Context, a act) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, actLimit)
	defer cancel()
	d.say("\n=== %s: %s goes to %s", a.title, a.version, a.active)
	if err := d.prepareIdle(ctx, a); err != nil {
		return result{}, err
	}
	plan, err := planned(d.Terraform)
	if err != nil {
		return result{}, err
	}
	d.say("The plan says:\n%s\n", indent(plan))
	d.load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: d.URL, Rate: d.rate, Clients: d.clients})
	d.watching = d.watch(d.Stage.Weights, d.load)
	failed, interrupted, err := d.apply(ctx, a)
	if err == nil && !a.mustFail && !failed {
		err = d.Stage.Retire(ctx, a.stays) // the old version is killed at once
		d.say("         %s (%s) is killed", a.stays, d.Versions[a.stays])
	}
	lingerErr := linger(ctx, afterwards)
	turns, worst, firstBad := d.watching.stop()
	counts := d.load.Stop()
	d.load, d.watching = nil, nil
	if err = errors.Join(err, lingerErr); err != nil {
		return result{}, err
	}
	return judge(a, story{turns: turns, worst: worst, firstBad: firstBad, interrupted: interrupted,
		failed: failed, counts: counts, clients: d.clients}), nil
}

// prepareIdle deploys the version to the environment that is idle, as a user's
// own modules would.
func (d *demo) prepareIdle(ctx context.Context, a act) error {
	terms := rehearsal.AppTerms{Version: a.version, Delay: appDelay}
	if a.bad {
		terms.BreaksAfter = breaksAfter
	}
	if a.slow {
		terms.SlowAfter, terms.SlowBy = breaksAfter, slower
	}
	if app := d.Stage.App(a.active); app == nil || app.AppTerms != terms {
		if err := d.Deploy(ctx, a.active, terms); err != nil {
			return err
		}
	}
	return d.Configure(a.active)
}

// planned makes a plan and returns the schedule that stands in it.
func planned(t *rehearsal.Terraform) (string, error) {
	var out bytes.Buffer
	if err := t.Run(&out, "plan", "-no-color", "-out=release.tfplan"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out.String())
	}
	out.Reset()
	if err := t.Run(&out, "show", "-json", "release.tfplan"); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out.String())
	}
	var plan struct {
		Changes []struct {
			Type   string `json:"type"`
			Change struct {
				After struct {
					Schedule string `json:"schedule"`
				} `json:"after"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal(out.Bytes(), &plan); err != nil {
		return "", fmt.Errorf("unable to read the plan: %w", err)
	}
	for _, c := range plan.Changes {
		if c.Type == "bluegreen_switch" {
			return c.Change.After.Schedule, nil
		}
	}
	return "", errNoSwitch
}

var errNoSwitch = errors.New("the plan has no switch")

// apply runs the plan; in the interrupted act it presses Ctrl-C at 50 %. What
// Terraform prints is shown when it ends.
func (d *demo) apply(ctx context.Context, a act) (failed bool, interrupted time.Time, err error) {
	command := d.Terraform.Command("apply", "-no-color", "release.tfplan")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return false, interrupted, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	if a.interrupt {
		if err := d.watching.until(ctx, a.active, 50); err != nil {
			return false, interrupted, d.abandon(command, ended, err, &out)
		}
		if err := linger(ctx, midHold); err != nil {
			return false, interrupted, d.abandon(command, ended, err, &out)
		}
		d.say("         Ctrl-C")
		interrupted = time.Now()
		if err := rehearsal.Interrupt(command); err != nil {
			return false, interrupted, err
		}
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		return false, interrupted, d.abandon(command, ended, ctx.Err(), &out)
	}
	d.say("\nTerraform says:\n%s\n", indent(closing(out.String())))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return true, interrupted, nil
	}
	return false, interrupted, err
}

// abandon asks a Terraform that is not wanted any more to go back and end.
func (d *demo) abandon(command *exec.Cmd, ended <-chan error, why error, out io.Reader) error {
	err := errors.Join(why, rehearsal.Interrupt(command))
	err = errors.Join(err, <-ended)
	text, readErr := io.ReadAll(out)
	return fmt.Errorf("%w\n%s", errors.Join(err, readErr), text)
}

// linger watches a little longer: what comes after an apply counts too.
func linger(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// story is what one act really was.
type story struct {
	turns       []turn
	worst       map[string]float64
	firstBad    time.Time
	interrupted time.Time
	failed      bool
	counts      rehearsal.Counts
	clients     int
}

// judge holds an act against what it must be.
func judge(a act, s story) result {
	r := result{act: a.title, requests: s.counts.Requests, lost: s.counts.Lost, worst: "-", back: "-"}
	want := a.active
	if a.mustFail {
		want = a.stays
	}
	if s.failed != a.mustFail {
		r.wrong = append(r.wrong, fmt.Sprintf("apply failed: %t, it should be %t", s.failed, a.mustFail))
	}
	last := s.turns[len(s.turns)-1]
	if shares(last.weights)[want] != 100 {
		r.wrong = append(r.wrong, fmt.Sprintf("%s has %g %%, it should have all", want, shares(last.weights)[want]))
	}
	if s.counts.Lost > 0 {
		r.wrong = append(r.wrong, "lost: "+s.counts.FirstLost)
	}
	if a.mustFail {
		r.worst = fmt.Sprintf("%.1f %%", s.worst[a.version])
		from := s.interrupted
		if a.bad {
			from = s.firstBad
		}
		if a.slow {
			from = s.firstWeight(a.active)
		}
		r.back = secondsBack(from, last.at)
	}
	if bad, most := s.counts.Bad[a.version], exposure(a.active, s); bad > most {
		r.wrong = append(r.wrong, fmt.Sprintf("%d bad answers, the exposure explains %d at the most", bad, most))
	}
	return r
}

// firstWeight is when an environment was given its first users; zero: never.
func (s story) firstWeight(environment string) time.Time {
	for _, t := range s.turns {
		if t.weights[environment] > 0 {
			return t.at
		}
	}
	return time.Time{}
}

// secondsBack is how long users had met a bad release when the traffic was back.
// Where that was before the first bad answer came in, it says so: the gate had
// met the release before any user, or the answer was still under way.
func secondsBack(from, back time.Time) string {
	if from.IsZero() || back.Before(from) {
		return "0 (unseen)"
	}
	return fmt.Sprintf("%.2f", back.Sub(from).Seconds())
}

// exposure is how many answers the weights that were in force explain: the
// share of the requests in each turn, and what was on its way at its ends.
func exposure(environment string, s story) int {
	most := 0.0
	for i, t := range s.turns {
		after := s.counts
		if i+1 < len(s.turns) {
			after = s.turns[i+1].counts
		}
		if share := shares(t.weights)[environment]; share > 0 {
			most += share/100*float64(after.Requests-t.counts.Requests) + float64(s.clients)*share/100 + 1
		}
	}
	return int(math.Ceil(most))
}

// progress are the words of lines that tell no more than that something goes on.
var progress = []string{"Still modifying...", "Modifying...", "Still destroying...", "Destroying...", "Still creating...", "Creating...", "local-exec"}

// closing drops the progress lines that Terraform prints while it works.
func closing(text string) string {
	var kept []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if slices.ContainsFunc(progress, func(word string) bool { return strings.Contains(line, word) }) {
			continue
		}
		kept = append(kept, line)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}

func indent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("    "+line, " ")
	}
	return strings.Join(lines, "\n")
}

// printTable closes the demo.
func printTable(out *os.File, results []result) {
	_, _ = fmt.Fprintf(out, "\n%-42s %9s %6s %12s %14s  %s\n", "act", "requests", "lost", "worst share", "seconds back", "as it should be")
	for _, r := range results {
		verdict := "yes"
		if len(r.wrong) > 0 {
			verdict = "NO: " + strings.Join(r.wrong, "; ")
		}
		_, _ = fmt.Fprintf(out, "%-42s %9d %6d %12s %14s  %s\n", r.act, r.requests, r.lost, r.worst, r.back, verdict)
	}
	_, _ = fmt.Fprintln(out, "\nworst share: of all answers in one second, those of the version that was sent back.")
	_, _ = fmt.Fprintln(out, "seconds back: from the first bad answer (b, f), Ctrl-C (c), the start of the apply (d) or the first user on the slow release (g) until the balancer shows the old weights; unseen: before any user had met one.")
	_, _ = fmt.Fprintln(out, "The balancer is localalb on this machine; nothing here has met real AWS. Its health checks are faster than AWS allows, and so are its figures, on which (b) and (g) are decided:")
	_, _ = fmt.Fprintf(out, "a point stands for %s and is %s late, where on AWS it is a minute each. There, the same gate sees a bad release after 2 to 3 minutes.\n", metricsPeriod, metricsLate)
}
