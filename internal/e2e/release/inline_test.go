package release

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// toggle is an edit of the tutorial's feature toggles: blue is enabled and gets the traffic.
func toggle(p *e2e.Project, green bool) {
	p.T.Helper()
	p.Must(p.Set(map[string]any{"active": "blue", "enable_blue_env": true, "enable_green_env": green}))
}

const (
	blueStarted  = "machines app-blue started, version 1"
	greenStopped = "machines app-green stopped, version 2"
	shiftBegins  = "update bluegreen_switch.web begins"
	shiftDone    = "update bluegreen_switch.web done"
)

// Terraform destroys the machines of an inline environment before the switch shifts the
// traffic. So one edit that also removes the live environment is refused, and the two
// applies that the refusal names lose nothing.
func TestInline_removalInTheApplyOfTheShiftIsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, environments string }{
		{"the entry is removed", ""},
		{"the machines alone are removed", "environments = local.environments"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := e2e.NewProject(t, "feature-toggles", e2e.Brisk())
			if tc.environments != "" {
				p.Must(p.Edit("main.tf", "environments = { for name, e in local.environments : name => e if local.enabled[name] }", tc.environments))
			}
			p.MustApply()
			p.MustAnswer("2")
			p.Ask("/", e2e.ParallelRate)
			slowly(p)

			begin := time.Now()
			toggle(p, false)
			output := p.MustFail()
			golden.Check(t, output, golden.Volatile()...)
			p.Never(p.Since(begin), greenStopped, shiftBegins, "ModifyListener")
			p.MustAnswer("2")

			// First the shift: the machines are created before it.
			begin = time.Now()
			toggle(p, true)
			p.MustApply()
			p.MustAnswer("1")
			p.InOrder(p.Since(begin), blueStarted, shiftBegins, shiftDone)

			// Then the removal.
			begin = time.Now()
			toggle(p, false)
			p.MustApply()
			p.InOrder(p.Since(begin), greenStopped)
			p.MustAnswer("1")
			p.MustBeSettled()
			p.LostNothing()
		})
	}
}

// Without backed_by the switch does not know what one edit does to the live environment:
// its machines are gone before the shift. The users are on an empty target group then, so
// the shift waits neither for steady health nor through its holds, none of which would end.
func TestInline_liveSideWithoutMachinesIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	p := e2e.NewProject(t, "feature-toggles", e2e.Brisk())
	for _, color := range []string{"blue", "green"} {
		p.Must(p.Edit("main.tf", ", backed_by = terraform_data."+color+"[*].id", ""))
	}
	p.Must(p.Edit("main.tf", "for name, e in local.environments : name => e if local.enabled[name]", "for name, e in local.environments : name => e"))
	p.Must(p.Edit("main.tf", "  strategy {\n", "  depends_on = [terraform_data.blue, terraform_data.green]\n\n  strategy {\n"))
	p.MustApply()
	p.MustAnswer("2")
	load := p.Ask("/", e2e.ParallelRate)
	p.MoreRequests(load)

	p.Must(p.Edit("main.tf", `hold = "300ms"`, `hold = "10h"`))
	p.Must(p.Edit("main.tf", `steady_for = "300ms"`, `steady_for = "9m"`))
	begin := time.Now()
	toggle(p, false)
	p.MustApply()
	p.MustAnswer("1")
	p.InOrder(p.Since(begin), greenStopped, shiftBegins, "ModifyListener", shiftDone) // one write: no step
	p.MustBeSettled()
	counts := load.Stop()
	if len(counts.LostAt) == 0 {
		t.Fatal("no request was lost: the live environment had machines")
	}
	t.Logf("users without an answer: %d requests in %s", counts.Lost, counts.LostAt[len(counts.LostAt)-1].Sub(counts.LostAt[0]).Round(time.Millisecond))
	if n := counts.LostAfter(p.When(shiftDone)); n > 0 {
		t.Errorf("%d requests were lost after the shift", n)
	}
}
