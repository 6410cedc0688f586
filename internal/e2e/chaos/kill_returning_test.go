//go:build linux

package chaos

import (
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// afterStep matches the first write of traffic after the record says that 5 % were read back.
func afterStep() func(localaws.Call) bool {
	reached := false
	return func(call localaws.Call) bool {
		reached = reached || call.Action == "AddTags" && strings.Contains(call.Params.Encode(), "reached%3D50")
		return reached && strings.HasPrefix(call.Action, "Modify")
	}
}

// returned matches the call with which everything has arrived that returns the traffic of an
// abandoned shift: a write of each route, and the note in each record of who does it.
func (r *rig) returned() func(localaws.Call) bool {
	marks, moves := 0, 0
	return func(call localaws.Call) bool {
		switch call.Action {
		case "ModifyListener", "ModifyRule":
			moves++
		case "AddTags":
			if strings.Contains(call.Params.Encode(), "phase%3Drolling_back") {
				marks++
			}
		}
		return moves >= r.routes && marks >= r.routes
	}
}

// An apply returns the traffic of an abandoned shift, and is killed before it saves that: nobody
// returned it outside this switch, so nothing is rejected, and the version ships.
func killedReturning(add adder) {
	for _, s := range setups() {
		for _, active := range []string{"blue", "red"} {
			add(s.String()+"/"+active, func(t *testing.T) {
				r := newRig(t, s)
				r.red()
				r.MustConfigure("green")
				if !r.KilledAt(1, afterStep()) {
					t.Fatal("the apply was not killed")
				}
				r.MustConfigure(active)
				if !r.KilledAt(1, r.returned(), e2e.Unlocked) {
					t.Fatal("the second apply was not killed")
				}
				r.Eventually("blue has all traffic", func() bool { return r.exposed() == 0 })
				r.is("rejected", "", "killed")
				r.MustConfigure("green")
				out := r.must()
				r.on("green", out)
				r.is("rejected", "", out)
				r.settled(out)
				r.lostNothing()
			})
		}
	}
}
