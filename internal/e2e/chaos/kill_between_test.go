//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// wait is a part of a shift in which nothing is written.
type wait struct {
	name  string
	share int // of green
	reads int // of health at that share, until it is killed
	pace  rehearsal.Pace
}

// waits are the waits of a shift. Health is read about three times in a bake of 200 ms.
func waits() []wait {
	long := rehearsal.Pace{Hold: "3s", Settle: "300ms", SteadyFor: "100ms"}
	return []wait{{"first hold", 5, 3, long}, {"second hold", 50, 3, long}, {"bake", 100, 3, long},
		{"settle", 100, 9, rehearsal.Pace{Hold: "200ms", Settle: "30s", SteadyFor: "100ms"}}}
}

// killedIn releases green and kills it in a wait.
func (r *rig) killedIn(x wait) {
	r.t.Helper()
	everything := blow{"", e2e.Kill(e2e.Everything), false}
	if !r.struckIn(x, everything, true) {
		r.t.Fatal("the apply was not killed")
	}
}

// unsticky are the setups of which the number of writes does not depend on the stickiness.
func unsticky() []setup { return []setup{{routes: 1, later: true}, {routes: 3, later: true}} }

// SIGKILL in the holds, the bake and the settle.
func killedInWait(add adder) {
	for _, s := range unsticky() {
		for _, x := range waits() {
			for _, then := range intents {
				add(fmt.Sprintf("%s/%s/%s", s, x.name, then), func(t *testing.T) {
					r := newRig(t, s)
					r.killedIn(x)
					r.afterKill(then)
				})
			}
		}
	}
}

// remove deletes the only listener or, of several routes, the last rule.
func (r *rig) remove() (gone string) {
	r.t.Helper()
	client := r.Stack.Client()
	gone = r.arns[len(r.arns)-1]
	var err error
	if r.routes > 1 {
		_, err = client.DeleteRule(r.t.Context(), &elb.DeleteRuleInput{RuleArn: new(gone)})
	} else {
		_, err = client.DeleteListener(r.t.Context(), &elb.DeleteListenerInput{ListenerArn: new(gone)})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return gone
}

// replace does what a missing route needs: the rule leaves the switch, and the listener is
// created again, with all traffic on blue.
func (r *rig) replace(gone, balancer string) {
	r.t.Helper()
	if r.routes > 1 {
		r.Edit(fmt.Sprintf(", %q", gone), "")
		r.arns = r.arns[:len(r.arns)-1]
		return
	}
	out, err := r.Stack.Client().CreateListener(r.t.Context(), &elb.CreateListenerInput{LoadBalancerArn: new(balancer),
		Port: new(int32(8081)), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: new(r.Stack.Groups["blue"])}}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Edit(gone, *out.Listeners[0].ListenerArn)
	r.arns, r.Stack.Listener, r.URL = []string{*out.Listeners[0].ListenerArn}, *out.Listeners[0].ListenerArn, "http://"+r.Balancer.ListenerAddr(*out.Listeners[0].ListenerArn)
}

// A route is deleted after a shift was killed, in a hold or in the bake.
func deletedAfterKill(add adder) {
	for _, s := range unsticky() {
		for _, x := range []wait{waits()[0], waits()[2]} {
			for _, active := range []string{"green", "blue"} {
				add(fmt.Sprintf("%s/%s/%s", s, x.name, active), func(t *testing.T) {
					r := newRig(t, s)
					r.killedIn(x)
					out, err := r.Stack.Client().DescribeListeners(t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{r.Stack.Listener}})
					if err != nil {
						t.Fatal(err)
					}
					for _, load := range r.loads { // users of a route that does not exist are lost
						load.Stop()
					}
					gone := r.remove()
					r.MustConfigure(active)
					refused := r.fails()
					t.Logf("now %v\n%s", r.all(), refused)
					if !strings.Contains(refused, gone) {
						t.Errorf("it does not name %s:\n%s", gone, refused)
					}
					r.is("rejected", "", refused)
					r.replace(gone, *out.Listeners[0].LoadBalancerArn)
					r.MustConfigure(active)
					again := refused + r.must()
					r.on(active, again)
					r.is("rejected", "", again)
					r.settled(again)
					r.releases()
				})
			}
		}
	}
}
