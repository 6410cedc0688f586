//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// drainTime is how long an old environment is drained.
const drainTime = "5s"

// inlineEnvironments and environmentObjects are two ways to write the same environments.
const (
	inlineEnvironments = `  environments = {
    for name, group in var.target_groups : name => {
      target_groups = { web = group }
      version       = var.versions[name]
    }
  }
`
	environmentObjects = `  environments = bluegreen_environment.app
`
	environmentResource = `resource "bluegreen_environment" "app" {
  for_each      = var.target_groups
  name          = each.key
  version       = var.versions[each.key]
  target_groups = { web = each.value }
  test_routes   = %s
  backed_by     = []
  drain         = "` + drainTime + `"

  ready {
    steady_for = var.steady_for
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "web" {
`
)

// newDrainRig is a rig in which blue is removed by the apply that releases green.
func newDrainRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := newRig(t, s)
	r.MustConfigure("blue")
	r.Edit(inlineEnvironments, environmentObjects)
	r.Edit("resource \"bluegreen_switch\" \"web\" {\n", fmt.Sprintf(environmentResource, r.testRules()))
	r.MustApply()
	r.retire("blue")
	return r
}

// retire releases green and removes an environment from the configuration.
func (r *rig) retire(environment string) {
	r.t.Helper()
	group := r.Stack.Groups[environment]
	delete(r.Stack.Groups, environment)
	r.MustConfigure("green")
	r.Stack.Groups[environment] = group
}

// testRules returns the rules of the listener that match a header, as a list in HCL.
func (r *rig) testRules() string {
	r.t.Helper()
	out, err := r.Stack.Client().DescribeRules(r.t.Context(), &elb.DescribeRulesInput{ListenerArn: &r.Stack.Listener})
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, rule := range out.Rules {
		if len(rule.Conditions) > 0 && *rule.Conditions[0].Field == "http-header" {
			all = append(all, *rule.RuleArn)
		}
	}
	return `["` + strings.Join(all, `", "`) + `"]`
}

// draining returns what matches the reads of health of a drain: green has all the traffic, and no
// shift has an open record. It looks in a hook of its own, because it makes calls itself.
func (r *rig) draining() func(localaws.Call) bool {
	var there atomic.Bool
	isRead := func(call localaws.Call) bool {
		return call.Action == "DescribeTargetHealth" && strings.Contains(call.Params.Encode(), "app-blue")
	}
	r.t.Cleanup(r.Balancer.Hook(func(call localaws.Call) {
		if isRead(call) && !there.Load() && r.allHave(100) && !slices.ContainsFunc(r.arns, r.isShifting) {
			there.Store(true)
		}
	}))
	return func(call localaws.Call) bool { return isRead(call) && there.Load() }
}

// isShifting reports whether a route has the record of a shift that did not complete.
func (r *rig) isShifting(arn string) bool {
	for _, value := range r.Balancer.Tags(arn) {
		if strings.Contains(value, "phase=") && !strings.Contains(value, "phase=completed") {
			return true
		}
	}
	return false
}

// drained checks that one more apply of the same configuration completes the release and removes
// blue, and that a next release works.
func (r *rig) drained(out string) {
	r.t.Helper()
	out += r.must()
	r.on("green", out)
	r.is("rejected", "", out)
	r.settled(out)
	for _, arn := range r.arns {
		for _, action := range r.Actions(arn) {
			if action.ForwardConfig == nil {
				continue
			}
			for _, tuple := range action.ForwardConfig.TargetGroups {
				if r.owner(*tuple.TargetGroupArn) == "blue" {
					r.violatef(notConverged, "%s still has the target group of blue\n%s", arn, out)
				}
			}
		}
	}
	r.MustDeploy("blue", rehearsal.AppTerms{Version: "1.4"})
	r.releases()
	r.lostNothing()
}

// A signal while the old environment is drained, after the shift.
func signaledInDrain(add adder) {
	spread(func(s setup, guarded bool) {
		for _, b := range blows() {
			for _, n := range []int{1, 2} {
				add(fmt.Sprintf("%s/%s/%s/read %d", s, guardText(guarded), b.name, n), func(t *testing.T) {
					r := newDrainRig(t, s)
					if !r.struck(b, moment{n: n, matches: (*rig).draining}, guarded) {
						t.Fatal("the apply was not hit")
					}
					r.drained("")
				})
			}
		}
	})
}

// A fault that begins with the drain.
func faultInDrain(add adder) {
	for i, x := range outages() {
		s := setups()[i%len(setups())]
		add(fmt.Sprintf("%s/%s", x.name, s), func(t *testing.T) {
			r := newDrainRig(t, s)
			var once sync.Once
			began, drains := make(chan func(), 1), r.draining()
			remove := r.Balancer.Hook(func(call localaws.Call) {
				if drains(call) {
					once.Do(func() { began <- r.begin(x) })
				}
			})
			apply := r.Start(e2e.Unlocked)
			end := <-began
			remove()
			r.outage()
			end()
			out, ok := apply.Wait()
			if !ok {
				r.truthful(out)
			}
			r.drained(e2e.ErrorsIn(out))
		})
	}
}
