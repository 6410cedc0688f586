//go:build unix

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// unhurried has a drain that is longer than slow requests.
var unhurried = rehearsal.ExamplePace{Hold: "1s", Settle: "500ms", SteadyFor: "500ms", Drain: "3s", Interval: "250ms"}

// slow is a request that takes longer than a step, a bake and a settle.
const slow = "/?for=2s"

func TestRelease_inOneApplyLosesNothing(t *testing.T) {
	p := newProject(t, "one-apply-release", unhurried)
	p.mustApply()
	p.mustBeSettled()
	old := p.blues()
	p.ask(slow, 15)
	users := p.ask("/", loadRate)
	p.release("green", map[string]string{"green": "1.5.0"})
	begin := time.Now()
	p.mustApply()

	if len(old) != 2 {
		t.Fatalf("blue had the processes %v, two were due", old)
	}
	if at := slices.IndexFunc(old, proc.Running); at >= 0 {
		t.Errorf("process %d of blue still runs after the apply", old[at])
	}
	p.inOrder(p.since(begin),
		"machines app-green started, version 1.5.0",
		`create bluegreen_environment.app["green"] begins`,
		`create bluegreen_environment.app["green"] done`,
		"update bluegreen_switch.web begins",
		"update bluegreen_switch.web done",
		`delete bluegreen_environment.app["blue"] begins`,
		`delete bluegreen_environment.app["blue"] done`,
		"machines app-blue stopped, version 1.4.2",
		"rule app-blue deleted",
		"group app-blue deleted")
	before := users.Counts().Requests
	p.eventually("a second of requests after it", func() bool { return users.Counts().Requests > before+loadRate })
	p.lostNothing()
	p.mustAnswer("1.5.0")
	p.mustBeSettled()
	p.mustBeWithinPolicy()
}

func TestRelease_badGreenLeavesBlueUntouched(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, breaks string
		rejected     bool // by users' requests, not while it was idle
	}{
		{name: "it never says that it is the version", breaks: ""},
		{name: "it breaks under traffic", breaks: "1.5.0=5", rejected: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "one-apply-release", brisk)
			p.mustApply()
			p.ask("/", exampleRate)
			blue := p.blues()
			p.release("green", map[string]string{"green": "1.5.0"})
			if tc.breaks != "" {
				p.must(p.Edit("main.tf", `percent = 5, hold = "300ms"`, `percent = 5, hold = "10m"`))
				p.Terraform.Env = append(p.Terraform.Env, "LOCALAPP_BREAKS="+tc.breaks)
			} else {
				p.must(p.Edit("main.tf", `expect_body = "version`, `expect_body = "not version`))
			}
			begin := time.Now()
			p.mustFail()
			p.mustAnswer("1.4.2")
			if now := p.blues(); !slices.Equal(now, blue) {
				t.Errorf("blue's processes were %v and are %v", blue, now)
			}
			p.never(p.since(begin), "machines app-blue stopped, version 1.4.2", `delete bluegreen_environment.app["blue"] begins`)
			mark := p.mark()
			if tc.rejected {
				p.mustFail()
				if n := p.writes(mark); n != 0 {
					t.Errorf("a rejected version was shipped again: %d writes", n)
				}
				p.must(p.Edit("main.tf", `percent = 5, hold = "10m"`, `percent = 5, hold = "300ms"`))
			} else {
				if n := p.writes(0); n > 1 {
					t.Errorf("a green that was never ready cost %d writes, 1 at adoption was due", n)
				}
				p.must(p.Edit("main.tf", `expect_body = "not version`, `expect_body = "version`))
			}

			// Green is fixed, and the same edit is released.
			p.release("green", map[string]string{"green": "1.5.1"})
			p.mustApply()
			p.mustAnswer("1.5.1")
			if at := slices.IndexFunc(blue, proc.Running); at >= 0 {
				t.Errorf("process %d of blue still runs after the release", blue[at])
			}
			p.lostNothing()
			p.destroyAll()
		})
	}
}

// destroyAll destroys the whole stack, with the variable that allows it.
func (p *project) destroyAll() {
	p.t.Helper()
	p.Terraform.Env = append(p.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
	if output, ok := p.run("destroy", "-auto-approve"); !ok {
		p.t.Errorf("destroy failed:\n%s", output)
	}
	pids, err := rehearsal.PIDs(p.Site())
	p.must(err)
	if len(pids) > 0 {
		p.t.Errorf("machines were left running: %v", pids)
	}
}

// eventually waits for a condition of the world outside this process.
func (p *project) eventually(what string, is func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(hangTimeout)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("timed out waiting: %s", what)
		}
	}
}
