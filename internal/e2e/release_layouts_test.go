package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// layout is a way in which people write groups, machines and environments
// down. Without the environment between them and create_before_destroy on it,
// all but one of these destroy the old machines before the traffic has moved.
type layout struct {
	name string
	// address is the environment's, with %s for its colour.
	address string
	// cured is how the refusal without create_before_destroy is followed.
	cured func(*project)
}

func layouts() []layout {
	return []layout{
		{"flat", `bluegreen_environment.app[%q]`, (*project).moveTheTrafficFirst},
		{"module-per-colour", `bluegreen_environment.%s[0]`, (*project).applyTheLifecycleFirst},
		{"for-each-module", `bluegreen_environment.app[%q]`, (*project).applyTheLifecycleFirst},
		{"separate-modules", `bluegreen_environment.app[%q]`, (*project).moveTheTrafficFirst},
	}
}

func (l layout) environment(colour string) string { return fmt.Sprintf(l.address, colour) }

// slowly makes machines take long to start, so that an order that is only luck
// is seen.
func (p *project) slowly() {
	p.Terraform.Env = append(p.Terraform.Env, "LOCALAPP_BOOT=700ms")
}

func TestLayouts_oneApplyIsInOrder(t *testing.T) {
	t.Parallel()
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, l.name, brisk)
			p.mustApply()
			p.ask("/", exampleRate)
			p.slowly()

			// Green is idle and changed in place; blue goes in the same apply.
			begin := time.Now()
			p.release("green", map[string]string{"green": "2"})
			p.mustApply()
			p.mustAnswer("2")
			p.inOrder(p.since(begin), "machines app-green started, version 2", "machines app-green stopped, version 1",
				"update "+l.environment("green")+" begins", "update "+l.environment("green")+" done",
				"update bluegreen_switch.web begins", "update bluegreen_switch.web done",
				"delete "+l.environment("blue")+" begins", "delete "+l.environment("blue")+" done",
				"machines app-blue stopped, version 1", "group app-blue deleted")

			// Blue is built anew; green goes in the same apply.
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

// The line that decides, and what stands in its place where it is missing.
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
			told := p.mustFail()
			golden.Check(t, told, golden.Volatile()...)
			p.never(p.since(begin), "machines app-blue stopped, version 1", "group app-blue deleted", "ModifyListener", "ModifyRule",
				"delete "+l.environment("blue")+" done")
			p.mustAnswer("1")
			for _, pid := range blue {
				if !rehearsal.Running(pid) {
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

// moveTheTrafficFirst is one way out of the refusal: two applies, of which the
// second destroys what the first has left idle. Neither needs
// create_before_destroy.
func (p *project) moveTheTrafficFirst() {
	p.t.Helper()
	p.release("green", map[string]string{"blue": "1", "green": "2"})
	p.mustApply()
	p.release("green", map[string]string{"green": "2"})
	p.mustApply()
}

// applyTheLifecycleFirst is the other: create_before_destroy reaches the state
// by an apply that moves nothing, and the release goes through as it is.
func (p *project) applyTheLifecycleFirst() {
	p.t.Helper()
	p.giveBack()
	p.release("blue", map[string]string{"blue": "1", "green": "2"})
	p.mustApply()
	p.release("green", map[string]string{"green": "2"})
	p.mustApply()
}

// giveBack writes the line that was taken out.
func (p *project) giveBack() {
	p.t.Helper()
	p.must(p.Edit("main.tf", noLifecycle, lifecycleLine))
}
