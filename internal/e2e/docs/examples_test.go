package docs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func TestExamples_twoEnvironments(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "two-environments", e2e.Brisk())
	p.MustApply()
	p.Ask("/", e2e.ParallelRate)

	p.Release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	p.MustAnswer("1.5.0")

	// The revert is a change of one line: one write, no steps.
	p.Release("blue", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	mark := p.Mark()
	p.MustApply()
	p.MustAnswer("1.4.2")
	if n := p.Writes(mark); n != 1 {
		t.Errorf("the revert took %d writes", n)
	}
	p.MustBeSettled()
	p.LostNothing()
}

func TestExamples_nlb(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "nlb", e2e.Brisk())
	p.MustApply()
	p.Loads = append(p.Loads, rehearsal.StartLoad(rehearsal.LoadTerms{URL: p.Users(), Rate: e2e.ParallelRate, Clients: 16, NewConnections: true}))

	p.Release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	p.MustAnswer("1.5.0")
	p.MustBeSettled()
	p.LostNothing()
}

func TestExamples_lambda(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "lambda", e2e.Brisk())
	p.MustApply()
	p.MustAnswer("1.4.2")
	p.Ask("/", e2e.ParallelRate)

	p.Release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	p.MustAnswer("1.5.0")
	p.MustBeSettled()
	p.Release("blue", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	p.MustAnswer("1.4.2")
	p.LostNothing()
	p.Terraform.Env = append(p.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
	if output, ok := p.Run("destroy", "-auto-approve"); !ok {
		t.Errorf("destroy failed:\n%s", output)
	}
}

func TestExamples_releaseInTwoApplies(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "release-in-two-applies", e2e.Brisk())
	p.MustApply()
	load := p.Ask("/", e2e.ParallelRate)
	releases := map[string]string{"blue": "1.4.2", "green": "1.5.0"}

	p.Release("blue", releases, map[string]any{"weights": map[string]int{"blue": 90, "green": 10}})
	p.MustApply()
	p.MustBeSettled()
	split := load.Counts()
	if split.ByVersion["1.5.0"] == 0 || split.ByVersion["1.4.2"] == 0 {
		t.Errorf("the canary does not share the traffic: %v", split.ByVersion)
	}

	// Both environments have traffic, so neither may change.
	p.Release("blue", map[string]string{"blue": "1.4.2", "green": "1.5.1"}, map[string]any{"weights": map[string]int{"blue": 90, "green": 10}})
	mark := p.Mark()
	p.MustFail()
	if n := p.Writes(mark); n != 0 {
		t.Errorf("a refused change made %d writes", n)
	}

	p.Release("green", releases)
	p.MustApply()
	p.MustAnswer("1.5.0")
	p.LostNothing()
}

func TestExamples_severalServices(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "several-services", e2e.Brisk())
	p.MustApply()
	var urls map[string]string
	p.Must(p.Output("urls", &urls))
	for _, url := range urls {
		p.Loads = append(p.Loads, rehearsal.StartLoad(rehearsal.LoadTerms{URL: url, Rate: e2e.ParallelRate, Clients: 16}))
	}
	mark := p.Mark()
	p.Release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	// Each listener: green attached, 5 %, 50 %, 100 %.
	if n := p.Writes(mark); n > 8 {
		t.Errorf("the release made %d writes for two routes, 8 at the most are due", n)
	}
	for entry, url := range urls {
		resp, err := e2e.Client(t).Get(url)
		p.Must(err)
		_ = resp.Body.Close()
		if v := resp.Header.Get(rehearsal.VersionHeader); v != "1.5.0" {
			t.Errorf("%s answers as version %q", entry, v)
		}
	}
	p.LostNothing()
}

func TestExamples_ecsService(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "ecs-service", e2e.Brisk())

	p.MustApply()
	p.Ask("/", e2e.ParallelRate)
	begin := time.Now()
	p.Release("green", map[string]string{"blue": "1.4.2", "green": "1.5.0"})
	p.MustApply()
	p.MustAnswer("1.5.0")
	p.InOrder(p.Since(begin), "service app-green started, version 1.5.0", `update bluegreen_environment.app["green"] begins`,
		`update bluegreen_environment.app["green"] done`, "update bluegreen_switch.web begins", "update bluegreen_switch.web done")
	p.LostNothing()
}

// The stand-in is as strict as ECS; otherwise the example would prove nothing.
func TestExamples_ecsServiceIsRefusedWithoutARule(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "ecs-service", e2e.Brisk())
	p.Must(p.Edit("../modules/target_group/main.tf", `"localapp rule create `, `"true `))
	p.Must(p.Edit("../modules/target_group/main.tf", "jsondecode(file(terraform_data.test_rule.output.record)).arn", "var.listener_arn"))
	var out strings.Builder
	err := p.Apply(&out)
	if err == nil || !strings.Contains(out.String(), "does not have an associated load balancer") {
		t.Errorf("a service whose group is in no rule was not refused: %v\n%s", err, out.String())
	}
}

func TestExamples_migrations(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "migrations", e2e.Brisk())
	p.MustApply()
	p.Ask("/", e2e.ParallelRate)
	begin := time.Now()
	p.Release("green", map[string]string{"green": "1.5.0"}, map[string]any{"expand": "0042-add", "contract": "0041-drop"})
	p.MustApply()
	p.MustAnswer("1.5.0")
	p.InOrder(p.Since(begin), "migration 0042-add applied", "machines app-green started, version 1.5.0",
		"update bluegreen_switch.web begins", "update bluegreen_switch.web done", "migration 0041-drop applied")
	p.LostNothing()
}

func TestExamples_twoStates(t *testing.T) {
	t.Parallel()
	app := e2e.NewProject(t, "two-states/app", e2e.Brisk())
	app.MustApply()
	traffic := app.Sibling("two-states/traffic")
	traffic.MustApply()
	app.Ask("/", e2e.ParallelRate)
	releases := map[string]string{"blue": "1.4.2", "green": "1.5.0"}

	app.Must(app.Set(map[string]any{"releases": releases}))
	app.MustApply()
	traffic.Must(traffic.Set(map[string]any{"active": "green"}))
	traffic.MustApply()
	app.MustAnswer("1.5.0")

	// The application's state cannot destroy an environment that has traffic.
	app.Must(app.Set(map[string]any{"releases": map[string]string{"blue": "1.4.2"}}))
	output := app.MustFail()
	if !strings.Contains(output, "green") {
		t.Errorf("the refusal does not name the environment:\n%s", output)
	}
	if slices.ContainsFunc(app.Events(), func(e string) bool { return strings.HasPrefix(e, "machines app-green stopped, version 1.5.0") }) {
		t.Error("the live environment's machines were stopped")
	}
	app.Must(app.Set(map[string]any{"releases": releases}))
	app.MustApply()
	app.MustBeSettled()

	// An idle environment is detached, then destroyed.
	traffic.Must(traffic.Set(map[string]any{"active": "green", "leaving": []string{"blue"}}))
	traffic.MustApply()
	app.Must(app.Set(map[string]any{"releases": map[string]string{"green": "1.5.0"}}))
	app.MustApply()
	app.MustBeSettled()
	traffic.MustBeSettled()
	app.MustAnswer("1.5.0")
	app.LostNothing()
}
