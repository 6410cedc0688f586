package release

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// layout is a way to write groups, machines and environments in configuration.
// Without an environment with create_before_destroy, all but one of these destroy
// the old machines before the traffic is shifted.
type layout struct {
	name string
	// address is that of the environment, with %s for its name.
	address string
	// cured follows the instruction of the refusal without create_before_destroy.
	cured func(*e2e.Project)
}

func layouts() []layout {
	return []layout{
		{"flat", `bluegreen_environment.app[%q]`, moveTheTrafficFirst},
		{"module-per-environment", `bluegreen_environment.%s[0]`, applyTheLifecycleFirst},
		{"for-each-module", `bluegreen_environment.app[%q]`, applyTheLifecycleFirst},
		{"separate-modules", `bluegreen_environment.app[%q]`, moveTheTrafficFirst},
	}
}

func (l layout) environment(name string) string { return fmt.Sprintf(l.address, name) }

// slowly makes machines start slowly, which exposes an order that is only luck.
func slowly(p *e2e.Project) {
	p.Terraform.Env = append(p.Terraform.Env, "LOCALAPP_BOOT=700ms")
}

func TestLayouts_oneApplyRunsInOrder(t *testing.T) {
	t.Parallel()
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := e2e.NewProject(t, l.name, e2e.Brisk())
			p.MustApply()
			p.Ask("/", e2e.ParallelRate)
			slowly(p)

			// Green is idle and changed in place; blue is destroyed in the same apply.
			begin := time.Now()
			p.Release("green", map[string]string{"green": "2"})
			p.MustApply()
			p.MustAnswer("2")
			p.InOrder(p.Since(begin), "machines app-green started, version 2", "machines app-green stopped, version 1",
				"update "+l.environment("green")+" begins", "update "+l.environment("green")+" done",
				"update bluegreen_switch.web begins", "update bluegreen_switch.web done",
				"delete "+l.environment("blue")+" begins", "delete "+l.environment("blue")+" done",
				"machines app-blue stopped, version 1", "group app-blue deleted")

			// Blue is created again; green is destroyed in the same apply.
			begin = time.Now()
			p.Release("blue", map[string]string{"blue": "3"})
			p.MustApply()
			p.MustAnswer("3")
			p.InOrder(p.Since(begin), "group app-blue created", "machines app-blue started, version 3",
				"create "+l.environment("blue")+" begins", "create "+l.environment("blue")+" done",
				"update bluegreen_switch.web begins", "update bluegreen_switch.web done",
				"delete "+l.environment("green")+" begins", "delete "+l.environment("green")+" done",
				"machines app-green stopped, version 2", "group app-green deleted")
			p.MustBeSettled()
			p.LostNothing()
		})
	}
}

// The deciding line, and its replacement when it is missing.
const (
	lifecycleLine = "lifecycle { create_before_destroy = true }"
	noLifecycle   = "lifecycle {}"
)

func TestLayouts_withoutCreateBeforeDestroyIsRefused(t *testing.T) {
	t.Parallel()
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := e2e.NewProject(t, l.name, e2e.Brisk())
			p.Must(p.Edit("main.tf", lifecycleLine, noLifecycle))
			p.MustApply()
			p.Ask("/", e2e.ParallelRate)
			blue := p.BluePIDs()

			begin := time.Now()
			p.Release("green", map[string]string{"green": "2"})
			output := p.MustFail()
			golden.Check(t, output, golden.Volatile()...)
			p.Never(p.Since(begin), "machines app-blue stopped, version 1", "group app-blue deleted", "ModifyListener", "ModifyRule",
				"delete "+l.environment("blue")+" done")
			p.MustAnswer("1")
			for _, pid := range blue {
				if !proc.Running(pid) {
					t.Errorf("process %d of blue was ended", pid)
				}
			}

			l.cured(p)
			p.MustAnswer("2")
			p.MustBeSettled()
			p.LostNothing()
		})
	}
}

// moveTheTrafficFirst follows the first instruction: two applies, of which the
// second destroys the environment that the first left idle. Neither needs
// create_before_destroy.
func moveTheTrafficFirst(p *e2e.Project) {
	p.T.Helper()
	p.Release("green", map[string]string{"blue": "1", "green": "2"})
	p.MustApply()
	p.Release("green", map[string]string{"green": "2"})
	p.MustApply()
}

// applyTheLifecycleFirst follows the second instruction: create_before_destroy
// reaches the state by an apply that moves nothing, then the release completes.
func applyTheLifecycleFirst(p *e2e.Project) {
	p.T.Helper()
	restoreLine(p)
	p.Release("blue", map[string]string{"blue": "1", "green": "2"})
	p.MustApply()
	p.Release("green", map[string]string{"green": "2"})
	p.MustApply()
}

// restoreLine restores the removed line.
func restoreLine(p *e2e.Project) {
	p.T.Helper()
	p.Must(p.Edit("main.tf", noLifecycle, lifecycleLine))
}
