package release

import (
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A shift that was killed when all traffic was back where it started: only where its record does
// not say that it rolled back itself, somebody else returned the traffic.
func TestObservation_trafficBackAfterAKill(t *testing.T) {
	for phase, want := range map[traffic.Phase]string{
		traffic.PhaseOpen: movedExternally, traffic.PhaseCompleted: movedExternally,
		traffic.PhaseRollingBack: "", traffic.PhaseRolledBack: "",
	} {
		for _, owner := range []string{"dead", "alive"} {
			s := observationOf(map[string]int{"b": 100})
			s.UpdateRecords([]traffic.Left{leftBy(s, phase, owner)}, isDead, time.Now())
			got := ""
			if r := s.State.Rejected; r != nil {
				got = r.Reason
			}
			if owner == "alive" {
				want = ""
			}
			if got != want {
				t.Errorf("%s, %s owner: rejected for %q, want %q", phase, owner, got, want)
			}
		}
	}
}

// A route with one group alone, without stickiness, is what another resource leaves that manages it: no
// evidence against the version of an abandoned shift.
func TestObservation_resetAfterAKill(t *testing.T) {
	for _, c := range []struct {
		now  traffic.State
		want bool
	}{
		{traffic.State{Weights: map[string]int{"b": 100, "g": 0}}, true},
		{traffic.State{Weights: map[string]int{"b": 100}, Stickiness: time.Hour}, true},
		{traffic.State{Weights: map[string]int{"b": 100}}, false},
	} {
		s := observationOf(nil)
		s.platform.Limits.AttachesIdle = true
		s.Update(map[string]traffic.State{"route": c.now}, time.Now())
		s.UpdateRecords([]traffic.Left{leftBy(s, traffic.PhaseOpen, "dead")}, isDead, time.Now())
		if got := s.State.Rejected != nil; got != c.want {
			t.Errorf("at %v, rejected: %t", c.now, got)
		}
	}
}

// The record of a shift whose end is saved means nothing: its process is about to remove it. The
// next plan removes what it left.
func TestObservation_recordOfASavedEnd(t *testing.T) {
	for owner, want := range map[string]int{"alive": 0, "dead": 1} {
		s := observationOf(map[string]int{"g": 100})
		s.Memory.Ended = []string{"shift"}
		s.UpdateRecords([]traffic.Left{leftBy(s, traffic.PhaseCompleted, owner)}, isDead, time.Now())
		if n := len(s.Memory.Records); n != want {
			t.Errorf("%s owner: the plan knows %d records, want %d", owner, n, want)
		}
		if s.State.Rejected != nil {
			t.Errorf("%s owner: rejected %v", owner, s.State.Rejected)
		}
	}
}

// observationOf refreshes a state whose route sends traffic to groups.
func observationOf(weights map[string]int) *Observation {
	state := *stateOf(map[string]string{"blue": "b", "green": "g"})
	state.Routes = []traffic.Route{{Entry: "web", ID: "route"}}
	s := NewObservation(state, Memory{}, Platform{})
	s.Update(map[string]traffic.State{"route": {Weights: weights}}, time.Now())
	return s
}

// leftBy is a shift from blue to green that read its goal back.
func leftBy(s *Observation, phase traffic.Phase, user string) traffic.Left {
	all := func(group string) map[string]map[string]shift.Share {
		return map[string]map[string]shift.Share{"route": {traffic.GroupKey(group): shift.Full}}
	}
	return traffic.Left{Record: traffic.Record{Shift: "shift", Switch: traffic.SwitchID(s.State.Routes), Phase: phase, Reached: shift.Full,
		Environment: "green", Version: "1", Owner: traffic.Owner{User: user}}, From: all("b"), To: all("g")}
}

func isDead(o traffic.Owner) (dead, known bool) { return o.User == "dead", true }
