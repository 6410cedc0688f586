package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// joining releases green on a listener and a rule, after blue. It returns the configuration with another rule that
// still feeds blue, or where that rule was created again.
func (s *rescueSite) joining(recreated bool) (string, hcl) {
	s.t.Helper()
	toBlue := forward(weights{s.blue.group: 100})
	h := s.h
	if recreated {
		s.deleteRule(s.second)
		again := s.rule(s.listener, "/second/*", 11, toBlue)
		h.routes = strings.Replace(h.routes, s.second, again, 1)
		return again, h
	}
	third := s.rule(s.listener, "/third/*", 12, toBlue)
	h.routes = strings.Replace(h.routes, "]", fmt.Sprintf(", %q]", third), 1)
	return third, h
}

// A route that joins, or was created again, and feeds blue while green is stable: one write to green after green's
// health, without steps, whether blue still has targets or not.
func TestSwitch_joiningRouteFeedsThePreviousVersion(t *testing.T) {
	t.Parallel()
	for _, recreated := range []bool{false, true} {
		for _, served := range []bool{true, false} {
			t.Run(fmt.Sprintf("created again %t, blue has targets %t", recreated, served), func(t *testing.T) {
				t.Parallel()
				s := newRescueSite(t, rescueStart{routes: 2, known: true})
				s.h.strategy = `steps = [{ percent = 5, hold = "10h" }]`
				route, h := s.joining(recreated)
				if !served {
					s.deregister(s.blue)
				}
				before := s.w.values()
				s.write(h)
				s.w.plan().ok()
				planned, _ := s.w.planned()
				text := fmt.Sprint(planned["schedule"])
				golden.CheckPart(t, "schedule", text, golden.Volatile()...)
				if strings.Contains(text, "unmanaged") || strings.Contains(text, "100 % -> green") || strings.Contains(text, "not managed") {
					t.Errorf("the schedule is:\n%s", text)
				}
				mark := s.called()
				if n := s.count(func() { s.w.applyPlan().ok() }); n != 1 {
					t.Errorf("%d writes, want 1", n)
				}
				if got := s.traffic(s.ruleRouted(route)); got != "app-green" {
					t.Errorf("the route has %s", got)
				}
				s.wroteAfterHealth(mark)
				after := s.w.values()
				for _, name := range []string{"previous", "stable", "live", "rejected"} {
					if fmt.Sprint(before[name]) != fmt.Sprint(after[name]) {
						t.Errorf("%s was %v and is %v", name, before[name], after[name])
					}
				}
				s.isNoOp()
			})
		}
	}
}

// wroteAfterHealth checks that the first write since a mark came after green's health was read, and within a second of
// the first call: until then, users of the route have errors if blue has no targets.
func (s *rescueSite) wroteAfterHealth(mark int) {
	s.t.Helper()
	calls, healthy := s.srv.Calls()[mark:], false
	for _, call := range calls {
		healthy = healthy || call.Action == "DescribeTargetHealth" && call.Params.Get("TargetGroupArn") == s.green.group
		if call.Action != "ModifyRule" && call.Action != "ModifyListener" {
			continue
		}
		if took := call.At.Sub(calls[0].At); !healthy || slow.Exceeds(took, time.Second) {
			s.t.Errorf("the write came %s after the start, and green's health was read before: %t", took, healthy)
		}
		return
	}
}

// A part of the traffic was moved outside Terraform: the next apply shifts it back by steps, with health and gates.
// Where a gate fails, what was observed is restored, and nothing is rejected.
func TestSwitch_partlyMoved(t *testing.T) {
	t.Parallel()
	for _, start := range []rescueStart{{routes: 1, known: true}, {routes: 1}, {routes: 2, known: true}, {routes: 2}, {routes: 2, joined: true}} {
		for name, moved := range map[string]func(s *rescueSite) ([]types.Action, string){
			"90 and 10": func(s *rescueSite) ([]types.Action, string) {
				return forward(weights{s.green.group: 90, s.blue.group: 10}), "app-blue 10, app-green 90"
			},
			"3 and 97 of red": func(s *rescueSite) ([]types.Action, string) {
				return forward(weights{s.green.group: 3, s.red.group: 97}), "app-green 3, app-red 97"
			},
		} {
			t.Run(fmt.Sprintf("%s, %s", name, start), func(t *testing.T) {
				t.Parallel()
				s := newRescueSite(t, start)
				actions, split := moved(s)
				s.move(actions)
				previous := fmt.Sprint(s.w.values()["previous"])
				h := s.h
				h.strategy = `steps = [{ percent = 50, hold = "1ms" }]`
				h.gates = s.gate()
				s.green.status.Store(500)
				s.write(h)
				s.w.apply().failsAs("gate_fails")
				if got := s.traffic(s.movedRouted()); got != split {
					t.Errorf("the failed repair left %s, want %s", got, split)
				}
				if rejected := s.w.values()["rejected"]; rejected != nil {
					t.Errorf("it rejected %v", rejected)
				}
				s.green.status.Store(200)
				moves := s.shares(func() { s.w.apply().ok() })
				if len(moves) == 0 || moves[len(moves)-1] != "app-green" || strings.HasPrefix(split, "app-green 3") && len(moves) < 2 {
					t.Errorf("the repair moved %q", moves)
				}
				if got := s.traffic(s.movedRouted()); got != "app-green" {
					t.Errorf("the repair left %s", got)
				}
				if got := fmt.Sprint(s.w.values()["previous"]); got != previous {
					t.Errorf("previous was %s and is %s", previous, got)
				}
				s.isNoOp()
			})
		}
	}
}
