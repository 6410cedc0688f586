package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// exampleRate is low because examples run in parallel.
const exampleRate = 100

func TestExamples_twoEnvironments(t *testing.T) {
	t.Parallel()
	p := newProject(t, "two-environments", brisk)
	p.mustApply()
	p.ask("/", exampleRate)

	p.release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.mustApply()
	p.mustAnswer("1.5.0")

	// The revert is a change of one line: one write, no steps.
	p.release("blue", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	mark := p.mark()
	p.mustApply()
	p.mustAnswer("1.4.2")
	if n := p.writes(mark); n != 1 {
		t.Errorf("the revert took %d writes", n)
	}
	p.mustBeSettled()
	p.lostNothing()
}

func TestExamples_releaseInTwoApplies(t *testing.T) {
	t.Parallel()
	p := newProject(t, "release-in-two-applies", brisk)
	p.mustApply()
	load := p.ask("/", exampleRate)
	releases := map[string]string{"blue": "1.4.2", "green": "1.5.0"}

	p.release("blue", releases, map[string]any{"weights": map[string]int{"blue": 90, "green": 10}})
	p.mustApply()
	p.mustBeSettled()
	split := load.Counts()
	if split.ByVersion["1.5.0"] == 0 || split.ByVersion["1.4.2"] == 0 {
		t.Errorf("the canary does not share the traffic: %v", split.ByVersion)
	}

	// Both environments have traffic, so neither may change.
	p.release("blue", map[string]string{"blue": "1.4.2", "green": "1.5.1"}, map[string]any{"weights": map[string]int{"blue": 90, "green": 10}})
	mark := p.mark()
	p.mustFail()
	if n := p.writes(mark); n != 0 {
		t.Errorf("a refused change made %d writes", n)
	}

	p.release("green", releases)
	p.mustApply()
	p.mustAnswer("1.5.0")
	p.lostNothing()
}

func TestExamples_severalServices(t *testing.T) {
	t.Parallel()
	p := newProject(t, "several-services", brisk)
	p.mustApply()
	var urls map[string]string
	p.must(p.Output("urls", &urls))
	for _, url := range urls {
		p.loads = append(p.loads, rehearsal.StartLoad(rehearsal.LoadTerms{URL: url, Rate: exampleRate, Clients: 16}))
	}
	mark := p.mark()
	p.release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.mustApply()
	// Each listener: green attached, 5 %, 50 %, 100 %.
	if n := p.writes(mark); n > 8 {
		t.Errorf("the release made %d writes for two routes, 8 at the most are due", n)
	}
	for entry, url := range urls {
		resp, err := client(t).Get(url)
		p.must(err)
		_ = resp.Body.Close()
		if v := resp.Header.Get(rehearsal.VersionHeader); v != "1.5.0" {
			t.Errorf("%s answers as version %q", entry, v)
		}
	}
	p.lostNothing()
}

func TestExamples_ecsService(t *testing.T) {
	t.Parallel()
	p := newProject(t, "ecs-service", brisk)

	p.mustApply()
	p.ask("/", exampleRate)
	begin := time.Now()
	p.release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.mustApply()
	p.mustAnswer("1.5.0")
	p.inOrder(p.since(begin), "service app-green started, version 1.5.0", `update bluegreen_environment.app["green"] begins`,
		`update bluegreen_environment.app["green"] done`, "update bluegreen_switch.web begins", "update bluegreen_switch.web done")
	p.lostNothing()
}

// The stand-in is as strict as ECS; otherwise the example would prove nothing.
func TestExamples_ecsServiceIsRefusedWithoutARule(t *testing.T) {
	t.Parallel()
	p := newProject(t, "ecs-service", brisk)
	p.must(p.Edit("../modules/target_group/main.tf", `"localapp rule create `, `"true `))
	var out strings.Builder
	err := p.Apply(&out)
	if err == nil || !strings.Contains(out.String(), "does not have an associated load balancer") {
		t.Errorf("a service whose group is in no rule was not refused: %v\n%s", err, out.String())
	}
}

func TestExamples_migrations(t *testing.T) {
	t.Parallel()
	p := newProject(t, "migrations", brisk)
	p.mustApply()
	p.ask("/", exampleRate)
	begin := time.Now()
	p.release("green", map[string]string{"green": "1.5.0"}, map[string]any{"expand": "0042-add", "contract": "0041-drop"})
	p.mustApply()
	p.mustAnswer("1.5.0")
	p.inOrder(p.since(begin), "migration 0042-add applied", "machines app-green started, version 1.5.0",
		"update bluegreen_switch.web begins", "update bluegreen_switch.web done", "migration 0041-drop applied")
	p.lostNothing()
}

func TestExamples_twoStates(t *testing.T) {
	t.Parallel()
	app := newProject(t, "two-states/app", brisk)
	app.mustApply()
	traffic := app.in("two-states/traffic")
	traffic.mustApply()
	app.ask("/", exampleRate)
	releases := map[string]string{"blue": "1.4.2", "green": "1.5.0"}

	app.must(app.Set(map[string]any{"releases": releases}))
	app.mustApply()
	traffic.must(traffic.Set(map[string]any{"active": "green"}))
	traffic.mustApply()
	app.mustAnswer("1.5.0")

	// The application's state cannot destroy an environment that has traffic.
	app.must(app.Set(map[string]any{"releases": map[string]string{"blue": "1.4.2"}}))
	output := app.mustFail()
	if !strings.Contains(output, "green") {
		t.Errorf("the refusal does not name the environment:\n%s", output)
	}
	if slices.ContainsFunc(app.events(), func(e string) bool { return strings.HasPrefix(e, "machines app-green stopped, version 1.5.0") }) {
		t.Error("the live environment's machines were stopped")
	}
	app.must(app.Set(map[string]any{"releases": releases}))
	app.mustApply()
	app.mustBeSettled()

	// An idle environment is detached, then destroyed.
	traffic.must(traffic.Set(map[string]any{"active": "green", "leaving": []string{"blue"}}))
	traffic.mustApply()
	app.must(app.Set(map[string]any{"releases": map[string]string{"green": "1.5.0"}}))
	app.mustApply()
	app.mustBeSettled()
	traffic.mustBeSettled()
	app.mustAnswer("1.5.0")
	app.lostNothing()
}
