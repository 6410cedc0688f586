package provider_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// Without access to route53:GetChange, the first step is rolled back at its first question, and the weights are back. So they
// are after a rollback that the plan shows. The error names the permission, and claims nothing about the name servers.
func TestRecords_propagationDenied(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]bool{"a shift": false, "a rollback": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newDNSSite(t), newWorkspace(t)
			w.write(s.release("blue").String())
			w.apply().ok()
			if !split {
				w.write(s.release("green").String())
			}
			for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
				if split {
					s.set(s.record(kind, "blue", 60), s.record(kind, "green", 40))
				}
			}
			s.srv.Inject(faults.Fault{Action: "GetChange", Kind: faults.AccessDenied})
			mark := len(s.srv.Calls())
			w.apply().failsAs("error", s.volatile(), golden.ReplacePattern(`/change/C[0-9A-Z]+`, "/change/<id>"))
			s.mustHaveAll("blue")
			asked := 0
			for _, call := range s.srv.Calls()[mark:] {
				if call.Action == "GetChange" {
					asked++
				}
			}
			if asked == 0 || asked > 2 {
				t.Errorf("%d questions whether a change is in sync, want one after each write", asked)
			}
		})
	}
}

// Nothing remembers the traffic of a Create whose rollback is denied: the error has the commands that roll it back.
func TestRecords_rollbackOfACreateDenied(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	r := s.release("green")
	r.strategy = "steps = [{ percent = 5, hold = \"60s\" }]\n rollback_timeout = \"10s\""
	r.gates = expectingGate(firstCall(t, func() { s.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.AccessDenied}) }))
	w.write(r.String())
	w.apply().failsAs("error", s.volatile())
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		if got := s.weights(kind); got["green"] == 0 || got["blue"] == 0 {
			t.Errorf("the weights are %v", got)
		}
	}
}
