//go:build unix

package release

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// unhurried returns a pace with a drain that is longer than long requests.
func unhurried() rehearsal.ExamplePace {
	return rehearsal.ExamplePace{Hold: "1s", Settle: "500ms", SteadyFor: "500ms", Drain: slow.Deadline(3 * time.Second).String(), Interval: "250ms"}
}

// long is a request that takes longer than a step, a bake and a settle.
const long = "/?for=2s"

// builders are the calls that create groups, rules and machines; the provider makes
// none of them.
var builders = []string{"Create", "Delete", "Register", "Deregister", "ModifyTargetGroup"}

func builds(call localaws.Call) bool {
	return slices.ContainsFunc(builders, func(b string) bool { return strings.HasPrefix(call.Action, b) })
}

func TestRelease_inOneApplyLosesNothing(t *testing.T) {
	p := e2e.NewProject(t, "one-apply-release", unhurried())
	p.MustApply()
	p.MustBeSettled()
	old := p.BluePIDs()
	p.Ask(long, 15)
	users := p.Ask("/", e2e.LoadRate)
	p.Release("green", map[string]string{"green": "1.5.0"})
	begin := time.Now()
	p.MustApply()

	if len(old) != 2 {
		t.Fatalf("blue had the processes %v, two were due", old)
	}
	if at := slices.IndexFunc(old, proc.Running); at >= 0 {
		t.Errorf("process %d of blue still runs after the apply", old[at])
	}
	p.InOrder(p.Since(begin),
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
	p.MoreRequests(users)
	p.LostNothing()
	p.MustAnswer("1.5.0")
	p.MustBeSettled()
	e2e.CheckPolicy(t, slices.DeleteFunc(p.Balancer.Calls(), builds))
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
			p := e2e.NewProject(t, "one-apply-release", e2e.Brisk())
			p.MustApply()
			p.Ask("/", e2e.ParallelRate)
			blue := p.BluePIDs()
			p.Release("green", map[string]string{"green": "1.5.0"})
			if tc.breaks != "" {
				p.Must(p.Edit("main.tf", `percent = 5, hold = "300ms"`, `percent = 5, hold = "10h"`))
				p.Terraform.Env = append(p.Terraform.Env, "LOCALAPP_BREAKS="+tc.breaks)
			} else {
				p.Must(p.Edit("main.tf", `expect_body = "version`, `expect_body = "not version`))
			}
			begin := time.Now()
			p.MustFail()
			p.MustAnswer("1.4.2")
			if now := p.BluePIDs(); !slices.Equal(now, blue) {
				t.Errorf("blue's processes were %v and are %v", blue, now)
			}
			p.Never(p.Since(begin), "machines app-blue stopped, version 1.4.2", `delete bluegreen_environment.app["blue"] begins`)
			mark := p.Mark()
			if tc.rejected {
				p.MustFail()
				if n := p.Writes(mark); n != 0 {
					t.Errorf("a rejected version was shipped again: %d writes", n)
				}
				p.Must(p.Edit("main.tf", `percent = 5, hold = "10h"`, `percent = 5, hold = "300ms"`))
			} else {
				if n := p.Writes(0); n > 1 {
					t.Errorf("a green that was never ready cost %d writes, 1 at adoption was due", n)
				}
				p.Must(p.Edit("main.tf", `expect_body = "not version`, `expect_body = "version`))
			}

			// Green is fixed, and the same edit is released.
			p.Release("green", map[string]string{"green": "1.5.1"})
			p.MustApply()
			p.MustAnswer("1.5.1")
			if at := slices.IndexFunc(blue, proc.Running); at >= 0 {
				t.Errorf("process %d of blue still runs after the release", blue[at])
			}
			p.LostNothing()
			destroyAll(p)
		})
	}
}

// destroyAll destroys the whole stack, with the variable that allows it.
func destroyAll(p *e2e.Project) {
	p.T.Helper()
	p.Terraform.Env = append(p.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
	if output, ok := p.Run("destroy", "-auto-approve"); !ok {
		p.T.Errorf("destroy failed:\n%s", output)
	}
	pids, err := rehearsal.PIDs(p.Site())
	p.Must(err)
	if len(pids) > 0 {
		p.T.Errorf("machines were left running: %v", pids)
	}
}
