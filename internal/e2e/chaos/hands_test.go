//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// hand is what somebody else does to routes.
type hand struct {
	name string
	do   func(r *rig, arn string)
}

// set gives a route weights, and with sticky also stickiness.
func set(weights map[string]int32, sticky bool) func(*rig, string) {
	return func(r *rig, arn string) {
		var groups []types.TargetGroupTuple
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			groups = append(groups, types.TargetGroupTuple{TargetGroupArn: new(r.Stack.Groups[name]), Weight: new(weights[name])})
		}
		config := &types.ForwardActionConfig{TargetGroups: groups}
		if sticky {
			config.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(60))}
		}
		r.modify(arn, []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}})
	}
}

func (r *rig) modify(arn string, actions []types.Action) {
	client := r.Stack.Client()
	var err error
	if strings.Contains(arn, "listener-rule/") {
		_, err = client.ModifyRule(r.t.Context(), &elb.ModifyRuleInput{RuleArn: new(arn), Actions: actions})
	} else {
		_, err = client.ModifyListener(r.t.Context(), &elb.ModifyListenerInput{ListenerArn: new(arn), DefaultActions: actions})
	}
	if err != nil {
		r.t.Error(err)
	}
}

func untag(r *rig, arn string) {
	keys := slices.Collect(maps.Keys(r.Balancer.Tags(arn)))
	if len(keys) == 0 {
		return
	}
	if _, err := r.Stack.Client().RemoveTags(r.t.Context(), &elb.RemoveTagsInput{ResourceArns: []string{arn}, TagKeys: keys}); err != nil {
		r.t.Error(err)
	}
}

func hands() []hand {
	addRed := func(weight int32) func(*rig, string) {
		return func(r *rig, arn string) {
			weights := map[string]int32{"red": weight}
			for name, n := range r.weights(arn) {
				weights[name] = int32(n)
			}
			set(weights, false)(r, arn)
		}
	}
	return []hand{
		{"70/30", set(map[string]int32{"blue": 70, "green": 30}, false)},
		{"0/100", set(map[string]int32{"blue": 0, "green": 100}, false)},
		{"100/0", set(map[string]int32{"blue": 100, "green": 0}, false)},
		{"red at 0", addRed(0)},
		{"red at 20", addRed(20)},
		{"sticky", func(r *rig, arn string) {
			weights := map[string]int32{}
			for name, n := range r.weights(arn) {
				weights[name] = int32(n)
			}
			set(weights, true)(r, arn)
		}},
		{"untagged", untag},
		{"untagged 70/30", func(r *rig, arn string) {
			untag(r, arn)
			set(map[string]int32{"blue": 70, "green": 30}, false)(r, arn)
		}},
		{"fixed response", func(r *rig, arn string) {
			r.modify(arn, []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("503")}}})
		}},
		{"rule deleted", func(r *rig, arn string) {
			if !strings.Contains(arn, "listener-rule/") {
				return
			}
			if _, err := r.Stack.Client().DeleteRule(r.t.Context(), &elb.DeleteRuleInput{RuleArn: new(arn)}); err != nil {
				r.t.Error(err)
			}
		}},
	}
}

// lays does it on the last route, or on all of them.
func (r *rig) lays(h hand, everywhere bool) {
	r.t.Helper()
	for i, arn := range r.arns {
		if everywhere || i == len(r.arns)-1 {
			h.do(r, arn)
		}
	}
}

var atOnce = regexp.MustCompile(`(?:Back at once|Forward again): aws elbv2 modify-(?:listener|rule) .*?--(?:listener|rule)-arn (\S+) --(?:default-)?actions '([^']+)'`)

// runs the commands that an error suggests. It returns false where there are none.
func (r *rig) runs(errors string) bool {
	r.t.Helper()
	all := atOnce.FindAllStringSubmatch(errors, -1)
	for _, m := range all {
		var actions []types.Action
		if err := json.Unmarshal([]byte(m[2]), &actions); err != nil {
			r.t.Errorf("%v in %s", err, m[0])
			continue
		}
		r.modify(m[1], actions)
	}
	return len(all) > 0
}

// Somebody else changes the routes in a hold, and then the gate fails, or it passes.
func handInHold(add adder) {
	for _, s := range setups() {
		for _, everywhere := range []bool{false, true} {
			for _, h := range hands() {
				if s.routes == 1 && (everywhere || h.name == "rule deleted") {
					continue
				}
				name := fmt.Sprintf("%s/%s/everywhere %t", s, h.name, everywhere)
				add(name+"/the gate fails", func(t *testing.T) { handThenFail(t, s, h, everywhere) })
				add(name+"/the gate passes", func(t *testing.T) { handThenPass(t, s, h, everywhere) })
			}
		}
	}
}

// begin starts a release, in whose first hold somebody else changes the routes.
func (h hand) begin(t *testing.T, s setup, everywhere bool, hold string) (*rig, *e2e.Apply) {
	t.Helper()
	pace := slow
	pace.Hold = hold
	r := newRig(t, s)
	r.red()
	delete(r.Versions, "red") // its group is in no environment
	group := r.Stack.Groups["red"]
	delete(r.Stack.Groups, "red")
	r.anyCapacity()
	apply := r.hold(pace)
	r.Stack.Groups["red"] = group
	r.lays(h, everywhere)
	return r, apply
}

func handThenFail(t *testing.T, s setup, h hand, everywhere bool) {
	t.Helper()
	r, apply := h.begin(t, s, everywhere, slow.Hold)
	r.broken.Store(true)
	out, ok := apply.Wait()
	delete(r.Stack.Groups, "red")
	if ok {
		t.Errorf("the apply succeeded:\n%s", out)
	}
	errors := e2e.ErrorsIn(out)
	t.Logf("now %v, rejected %q\n%s", r.all(), r.version("rejected"), errors)
	if h.name == "rule deleted" {
		r.withoutRule("blue", errors)
		return
	}
	r.is("rejected", "green 1.3", errors)
	if h.isBesideTraffic() {
		r.on("blue", errors)
	}
	r.runs(errors)
	r.follow(errors)
	r.on("blue", errors)
	r.releases()
	if h.name != "fixed response" {
		r.lostNothing()
	}
}

// isBesideTraffic reports whether the weights stay what the shift wrote.
func (h hand) isBesideTraffic() bool {
	return strings.HasSuffix(h.name, "sticky") || h.name == "untagged" || h.name == "red at 0"
}

func handThenPass(t *testing.T, s setup, h hand, everywhere bool) {
	t.Helper()
	r, apply := h.begin(t, s, everywhere, "3s")
	out, ok := apply.Wait()
	delete(r.Stack.Groups, "red")
	errors := e2e.ErrorsIn(out)
	t.Logf("success %t, now %v, rejected %q\n%s", ok, r.all(), r.version("rejected"), errors)
	if !ok {
		r.truthful(out)
	}
	switch {
	case h.name == "rule deleted":
		r.withoutRule("green", errors)
		return
	case h.name == "100/0" && (everywhere || s.routes == 1):
		r.is("rejected", "green 1.3", errors) // somebody returned all traffic in mid-shift
	default:
		r.is("rejected", "", errors)
	}
	if ok {
		r.on("green", out)
		r.settled(out)
	} else {
		r.runs(errors)
		r.follow(errors)
	}
	r.releases()
	if h.name != "fixed response" {
		r.lostNothing()
	}
}

// anyCapacity lets one target take the traffic of several. Each group has one.
func (r *rig) anyCapacity() {
	r.t.Helper()
	r.Edit("steady_for = var.steady_for", "steady_for = var.steady_for\n    capacity_percent = 0")
}

// withoutRule takes the rules that somebody deleted out of the switch, which then converges.
func (r *rig) withoutRule(active, errors string) {
	r.t.Helper()
	for _, arn := range slices.Backward(slices.Clone(r.arns)) {
		if r.Actions(arn) != nil {
			continue
		}
		if !strings.Contains(errors, arn) {
			r.t.Errorf("it does not name %s:\n%s", arn, errors)
		}
		r.replace(arn, "")
	}
	r.MustConfigure(active)
	out := errors + r.must()
	r.on(active, out)
	r.settled(out)
	r.releases()
}

// reachedHalf matches a record whose routes were read back at 50 %.
var reachedHalf = regexp.MustCompile(`reached=500\b`)

// Somebody else changes the routes after a shift was killed, and then the user applies.
func handAfterKill(add adder) {
	for _, s := range []setup{{1, false, true}, {3, false, true}} {
		for _, h := range hands() {
			if s.routes == 1 && h.name == "rule deleted" {
				continue
			}
			for _, then := range []string{"same", "line", "line, planned before"} {
				add(fmt.Sprintf("%s/%s/%s", s, h.name, then), func(t *testing.T) {
					r := newRig(t, s)
					r.red()
					delete(r.Versions, "red")
					group := r.Stack.Groups["red"]
					delete(r.Stack.Groups, "red")
					r.anyCapacity()
					half := func(call localaws.Call) bool {
						return call.Action == "AddTags" && reachedHalf.MatchString(fmt.Sprint(call.Params))
					}
					if !r.KilledAt(1, half) {
						t.Fatal("the apply was not killed")
					}
					if strings.HasPrefix(then, "line") {
						r.MustConfigure("blue")
					}
					if then == "line, planned before" {
						r.MustRun("plan", "-no-color", "-out=planned", e2e.Unlocked)
					}
					r.Stack.Groups["red"] = group
					r.lays(h, true)
					left := fmt.Sprint("left ", r.all())
					delete(r.Stack.Groups, "red")
					mark := r.Mark()
					var out string
					var ok bool
					if then == "line, planned before" {
						out, ok = r.Start(e2e.Unlocked, "planned").Wait()
					} else {
						out, ok = r.apply()
					}
					t.Logf("%s: success %t, %d writes, now %v, rejected %q, live %v\n%s", left, ok, r.Writes(mark), r.all(), r.version("rejected"), r.Switch()["live"], e2e.ErrorsIn(out))
					if h.name == "rule deleted" {
						return
					}
					if !ok {
						r.truthful(out)
						errors := e2e.ErrorsIn(out)
						r.runs(errors)
						r.follow(errors)
					} else {
						r.settled(out)
					}
					r.releases()
					if h.name != "fixed response" {
						r.lostNothing()
					}
				})
			}
		}
	}
}

// Somebody else changes the routes between two applies, when no shift is left.
func handBetween(add adder) {
	for _, s := range []setup{{1, false, true}, {3, false, true}} {
		for _, h := range hands() {
			if s.routes == 1 && h.name == "rule deleted" || strings.HasPrefix(h.name, "untagged") {
				continue
			}
			for _, bad := range []bool{false, true} {
				add(fmt.Sprintf("%s/%s/bad %t", s, h.name, bad), func(t *testing.T) {
					r := newRig(t, s)
					r.red()
					delete(r.Versions, "red")
					group := r.Stack.Groups["red"]
					delete(r.Stack.Groups, "red")
					r.must()
					r.is("previous", "blue 1.2", "")
					r.Stack.Groups["red"] = group
					r.lays(h, false)
					left := fmt.Sprint("left ", r.all())
					delete(r.Stack.Groups, "red")
					r.broken.Store(bad)
					mark := r.Mark()
					out, ok := r.apply()
					t.Logf("%s: success %t, %d writes, now %v, rejected %q, previous %q\n%s", left, ok, r.Writes(mark), r.all(), r.version("rejected"), r.version("previous"), e2e.ErrorsIn(out))
					r.is("rejected", "", out)
					if h.name == "rule deleted" {
						return
					}
					if !ok {
						errors := e2e.ErrorsIn(out)
						ran := r.runs(errors)
						r.broken.Store(false) // the gate was the reason, and it is fixed
						if !ran {
							r.follow(errors)
						} else if out, ok := r.apply(); !ok {
							t.Errorf("after the commands: %s", e2e.ErrorsIn(out))
						} else {
							r.on("green", errors)
							r.settled(out)
						}
					} else {
						r.settled(out)
					}
					if r.sole() != "" {
						r.releases()
					}
				})
			}
		}
	}
}
