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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

const (
	fastHealth = 250 * time.Millisecond
	appDelay   = 20 * time.Millisecond
	// breaksAfter is the number of requests that the bad releases serve well.
	breaksAfter = 20
	// slowFactor is the latency of the slow release relative to the others, above the
	// slow_threshold of the quickstart.
	slowFactor = 30
	// AWS publishes load balancer metrics every minute, about a minute late. The demo
	// uses a faster clock.
	metricsPeriod = time.Second
	metricsLate   = 500 * time.Millisecond
	// observedAfter is how long a scenario is observed after its apply, and midHold when
	// in a hold Ctrl-C is sent.
	observedAfter = time.Second
	midHold       = 700 * time.Millisecond
	// scenarioTimeout bounds a scenario.
	scenarioTimeout = 3 * time.Minute
)

// result is a line of the summary table.
type result struct {
	scenario string
	requests int
	lost     int
	worst    string // largest share of a rejected version in one second
	rollback string // seconds until the rollback was done
	wrong    []string
}

// scenario is one release with its expected result.
type scenario struct {
	title     string
	active    string // the environment to release
	version   string
	stable    string // the environment that is live before, and after a rollback
	interrupt bool
	mustFail  bool
	bad       bool
	slow      bool
}

// runAll runs the scenarios one after the other under the same kind of load.
func (d *demo) runAll(ctx context.Context) ([]result, error) {
	if err := d.Adopt(); err != nil {
		return nil, err
	}
	d.say("The listener is adopted: blue (%s) has all traffic. Starting %d requests per second from %d clients.", first, d.rate, d.clients)
	ctx, cancel := context.WithCancel(ctx)
	aside := d.startBackground(ctx)
	defer func() {
		cancel()
		for _, b := range aside {
			<-b.done
		}
	}()
	var results []result
	for _, a := range []scenario{
		{title: "(a) a good release", active: "green", version: second, stable: "blue"},
		{title: "(b) a release that fails under traffic", active: "blue", version: third, stable: "green", mustFail: true, bad: true},
		{title: "(c) an interrupted release", active: "blue", version: fourth, stable: "green", mustFail: true, interrupt: true},
		{title: "(d) a slow release", active: "blue", version: fifth, stable: "green", mustFail: true, slow: true},
	} {
		r, err := d.runScenario(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", a.title, err)
		}
		results = append(results, r)
		if len(r.wrong) > 0 {
			return results, nil // the next scenario depends on the result of this one
		}
	}
	d.say("\nScenarios (e) to (h) ran at the same time on load balancers of their own:")
	for _, b := range aside {
		<-b.done
		d.say("%s", strings.TrimRight(b.output.String(), "\n"))
		if b.err != nil {
			return nil, b.err
		}
		results = append(results, b.results...)
	}
	return results, nil
}

// runScenario prepares the idle environment, runs one apply under load, and compares
// the result with the expected one.
func (d *demo) runScenario(ctx context.Context, a scenario) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
	defer cancel()
	d.say("\n=== %s: version %s on %s", a.title, a.version, a.active)
	if err := d.prepareIdle(ctx, a); err != nil {
		return result{}, err
	}
	plan, err := planned(d.Terraform)
	if err != nil {
		return result{}, err
	}
	d.say("Plan:\n%s\n", indent(plan))
	d.load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: d.URL, Rate: d.rate, Clients: d.clients})
	d.watching = d.watch(d.Stack.Weights, d.load, newProgress(d.printer, d.journals))
	failed, interrupted, err := d.apply(ctx, a)
	if err == nil && !a.mustFail && !failed {
		err = d.Stack.Retire(ctx, a.stable) // the old version is stopped immediately
		d.say("         %s (%s) is stopped", a.stable, d.Versions[a.stable])
	}
	lingerErr := wait(ctx, observedAfter)
	turns, worst, firstBad := d.watching.stop()
	counts := d.load.Stop()
	d.load, d.watching = nil, nil
	if err = errors.Join(err, lingerErr); err != nil {
		return result{}, err
	}
	return check(a, outcome{changes: turns, worst: worst, firstBad: firstBad, interrupted: interrupted,
		failed: failed, counts: counts, clients: d.clients}), nil
}

// prepareIdle deploys the version to the idle environment, as a user's modules would.
func (d *demo) prepareIdle(ctx context.Context, a scenario) error {
	terms := rehearsal.AppTerms{Version: a.version, Delay: appDelay}
	if a.bad {
		terms.BreaksAfter = breaksAfter
	}
	if a.slow {
		terms.SlowAfter, terms.SlowBy = breaksAfter, slowFactor
	}
	if app := d.Stack.App(a.active); app == nil || app.AppTerms != terms {
		if err := d.Deploy(ctx, a.active, terms); err != nil {
			return err
		}
	}
	return d.Configure(a.active)
}

// planned creates a plan and returns its schedule.
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
		return "", fmt.Errorf("cannot read the plan: %w", err)
	}
	for _, c := range plan.Changes {
		if c.Type == "bluegreen_switch" {
			return c.Change.After.Schedule, nil
		}
	}
	return "", errNoSwitch
}

var errNoSwitch = errors.New("the plan has no bluegreen_switch")

// apply runs the plan; in the interrupted scenario it sends Ctrl-C at 50 %. The output
// of Terraform is printed when it ends.
func (d *demo) apply(ctx context.Context, a scenario) (failed bool, interrupted time.Time, err error) {
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
			return false, interrupted, d.interrupt(command, ended, err, &out)
		}
		if err := wait(ctx, midHold); err != nil {
			return false, interrupted, d.interrupt(command, ended, err, &out)
		}
		d.say("         Ctrl-C")
		interrupted = time.Now()
		if err := proc.Interrupt(command); err != nil {
			return false, interrupted, err
		}
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		return false, interrupted, d.interrupt(command, ended, ctx.Err(), &out)
	}
	d.watching.shifts.catchUp(ctx)
	d.say("\nTerraform output:\n%s\n", indent(withoutProgress(out.String())))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return true, interrupted, nil
	}
	return false, interrupted, err
}

// interrupt sends Ctrl-C to Terraform, so that it rolls back, and waits for its end.
func (d *demo) interrupt(command *exec.Cmd, ended <-chan error, why error, out io.Reader) error {
	err := errors.Join(why, proc.Interrupt(command))
	err = errors.Join(err, <-ended)
	text, readErr := io.ReadAll(out)
	return fmt.Errorf("%w\n%s", errors.Join(err, readErr), text)
}

// wait keeps observing, because what happens after an apply counts too.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// outcome is what was observed in a scenario.
type outcome struct {
	changes     []weightChange
	worst       map[string]float64
	firstBad    time.Time
	interrupted time.Time
	failed      bool
	counts      rehearsal.Counts
	clients     int
}

// check compares a scenario with its expected result.
func check(a scenario, s outcome) result {
	r := result{scenario: a.title, requests: s.counts.Requests, lost: s.counts.Lost, worst: "-", rollback: "-"}
	want := a.active
	if a.mustFail {
		want = a.stable
	}
	if s.failed != a.mustFail {
		r.wrong = append(r.wrong, fmt.Sprintf("apply failed: %t, want %t", s.failed, a.mustFail))
	}
	last := s.changes[len(s.changes)-1]
	if shares(last.weights)[want] != 100 {
		r.wrong = append(r.wrong, fmt.Sprintf("%s has %g %%, want 100 %%", want, shares(last.weights)[want]))
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
		r.rollback = rollbackSeconds(from, last.at)
	}
	if bad, most := s.counts.Bad[a.version], exposure(a.active, s); bad > most {
		r.wrong = append(r.wrong, fmt.Sprintf("%d bad responses, at most %d are explained by the weights", bad, most))
	}
	return r
}

// firstWeight is when an environment received its first traffic; zero: never.
func (s outcome) firstWeight(environment string) time.Time {
	for _, t := range s.changes {
		if t.weights[environment] > 0 {
			return t.at
		}
	}
	return time.Time{}
}

// rollbackSeconds is the time from the first bad response to the rollback. Where the
// rollback was done before any user saw a bad response, it says so.
func rollbackSeconds(from, back time.Time) string {
	if from.IsZero() || back.Before(from) {
		return "0 (no user affected)"
	}
	return fmt.Sprintf("%.2f", back.Sub(from).Seconds())
}

// exposure is the largest number of responses of an environment that its weights
// explain: its share of the requests between weight changes, and requests in flight.
func exposure(environment string, s outcome) int {
	most := 0.0
	for i, t := range s.changes {
		after := s.counts
		if i+1 < len(s.changes) {
			after = s.changes[i+1].counts
		}
		if share := shares(t.weights)[environment]; share > 0 {
			most += share/100*float64(after.Requests-t.counts.Requests) + float64(s.clients)*share/100 + 1
		}
	}
	return int(math.Ceil(most))
}

// progressWords are the words of Terraform's progress lines.
var progressWords = []string{"Still modifying...", "Modifying...", "Still destroying...", "Destroying...", "Still creating...", "Creating...", "local-exec"}

// withoutProgress removes Terraform's progress lines.
func withoutProgress(text string) string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if slices.ContainsFunc(progressWords, func(word string) bool { return strings.Contains(line, word) }) {
			continue
		}
		lines = append(lines, line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func indent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight("    "+line, " ")
	}
	return strings.Join(lines, "\n")
}

// printTable prints the summary.
func printTable(out *os.File, results []result) {
	_, _ = fmt.Fprintf(out, "\n%-45s %9s %6s %12s %20s  %s\n", "scenario", "requests", "lost", "worst share", "rollback (s)", "passed")
	for _, r := range results {
		verdict := "yes"
		if len(r.wrong) > 0 {
			verdict = "NO: " + strings.Join(r.wrong, "; ")
		}
		_, _ = fmt.Fprintf(out, "%-45s %9d %6d %12s %20s  %s\n", r.scenario, r.requests, r.lost, r.worst, r.rollback, verdict)
	}
	_, _ = fmt.Fprintln(out, "\nworst share: largest share of the rejected version in the responses of one second.")
	_, _ = fmt.Fprintln(out, "rollback (s): from the first bad response (b, g), Ctrl-C (c), the first request to the slow release (d), the start of the apply (e) or of bluegreen rollback (h) until the load balancer shows the stable weights.")
	_, _ = fmt.Fprintln(out, "The load balancer is localaws on this machine, not AWS. Its health checks are faster than AWS allows, and so are its metrics, which decide (b) and (d):")
	_, _ = fmt.Fprintf(out, "a period of %s that is published %s later, instead of a minute each. On AWS the same gate detects a bad release after 2 to 3 minutes.\n", metricsPeriod, metricsLate)
}
