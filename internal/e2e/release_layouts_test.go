package e2e

import (
	"fmt"
	"testing"
	"time"

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
	cured func(*project)
}

func layouts() []layout {
	return []layout{
		{"flat", `bluegreen_environment.app[%q]`, (*project).moveTheTrafficFirst},
		{"module-per-environment", `bluegreen_environment.%s[0]`, (*project).applyTheLifecycleFirst},
		{"for-each-module", `bluegreen_environment.app[%q]`, (*project).applyTheLifecycleFirst},
		{"separate-modules", `bluegreen_environment.app[%q]`, (*project).moveTheTrafficFirst},
	}
}

func (l layout) environment(name string) string { return fmt.Sprintf(l.address, name) }

// slowly makes machines start slowly, which exposes an order that is only luck.
func (p *project) slowly() {
	p.Terraform.Env = append(p.Terraform.Env, "LOCALAPP_BOOT=700ms")
}

func TestLayouts_oneApplyRunsInOrder(t *testing.T) {
	t.Parallel()
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, l.name, brisk)
			p.mustApply()
			p.ask("/", exampleRate)
			p.slowly()

			// Green is idle and changed in place; blue is destroyed in the same apply.
			begin := time.Now()
			p.release("green", map[string]string{"green": "2"})
			p.mustApply()
			p.mustAnswer("2")
			p.inOrder(p.since(begin), "machines app-green started, version 2", "machines app-green stopped, version 1",
				"update "+l.environment("green")+" begins", "update "+l.environment("green")+" done",
				"update bluegreen_switch.web begins", "update bluegreen_switch.web done",
				"delete "+l.environment("blue")+" begins", "delete "+l.environment("blue")+" done",
				"machines app-blue stopped, version 1", "group app-blue deleted")

			// Blue is created again; green is destroyed in the same apply.
			begin = time.Now()
			p.release("blue", map[string]string{"blue": "3"})
			p.mustApply()
			p.mustAnswer("3")
			p.inOrder(p.since(begin), "group app-blue created", "machines app-blue started, version 3",
				"create "+l.environment("blue")+" begins", "create "+l.environment("blue")+" done",
				"update bluegreen_switch.web begins", "update bluegreen_switch.web done",
				"delete "+l.environment("green")+" begins", "delete "+l.environment("green")+" done",
				"machines app-green stopped, version 2", "group app-green deleted")
			p.mustBeSettled()
			p.lostNothing()
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
			p := newProject(t, l.name, brisk)
			p.must(p.Edit("main.tf", lifecycleLine, noLifecycle))
			p.mustApply()
			p.ask("/", exampleRate)
			blue := p.blues()

			begin := time.Now()
			p.release("green", map[string]string{"green": "2"})
			output := p.mustFail()
			golden.Check(t, output, golden.Volatile()...)
			p.never(p.since(begin), "machines app-blue stopped, version 1", "group app-blue deleted", "ModifyListener", "ModifyRule",
				"delete "+l.environment("blue")+" done")
			p.mustAnswer("1")
			for _, pid := range blue {
				if !proc.Running(pid) {
					t.Errorf("process %d of blue was ended", pid)
				}
			}

			l.cured(p)
			p.mustAnswer("2")
			p.mustBeSettled()
			p.lostNothing()
		})
	}
}

// moveTheTrafficFirst follows the first instruction: two applies, of which the
// second destroys the environment that the first left idle. Neither needs
// create_before_destroy.
func (p *project) moveTheTrafficFirst() {
	p.t.Helper()
	p.release("green", map[string]string{"blue": "1", "green": "2"})
	p.mustApply()
	p.release("green", map[string]string{"green": "2"})
	p.mustApply()
}

// applyTheLifecycleFirst follows the second instruction: create_before_destroy
// reaches the state by an apply that moves nothing, then the release completes.
func (p *project) applyTheLifecycleFirst() {
	p.t.Helper()
	p.restoreLine()
	p.release("blue", map[string]string{"blue": "1", "green": "2"})
	p.mustApply()
	p.release("green", map[string]string{"green": "2"})
	p.mustApply()
}

// restoreLine restores the removed line.
func (p *project) restoreLine() {
	p.t.Helper()
	p.must(p.Edit("main.tf", noLifecycle, lifecycleLine))
}
