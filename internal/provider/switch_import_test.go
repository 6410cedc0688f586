package provider_test

import "testing"

// The plan after an import says that no traffic is moved, and nothing in it looks like a move: the
// state has no names of environments that the configuration could rename, but in environments.
func TestSwitch_planAfterAnImport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, traffic, rest string
		moves               bool
	}{
		{name: "where the traffic is", traffic: `active = "blue"`},
		{name: "by weights", traffic: "weights = { blue = 100, green = 0 }"},
		{name: "a release at the same time", traffic: `active = "green"`, moves: true},
		{name: "ignore_changes of both", traffic: `active = "green"`, rest: "lifecycle { ignore_changes = [active, weights] }"},
		{name: "ignore_changes of active", traffic: `active = "green"`, rest: "lifecycle { ignore_changes = [active] }"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
			h := s.release("blue")
			h.traffic, h.rest = tc.traffic, tc.rest
			w.write(h.in(s.bench))
			w.imports("web=" + s.listener)
			for _, name := range []string{"active", "weights", "live", "schedule"} {
				if got := w.values()[name]; got != nil {
					t.Errorf("%s in the state is %v", name, got)
				}
			}
			w.plan().ok()
			w.scheduleIs("schedule")
			w.applyPlan().ok()
			w.isEmpty()
			want := "app-blue 100, app-green 0"
			if tc.moves {
				want = "app-blue 0, app-green 100"
			}
			s.want(want)
			if w.values()["active"] == nil || w.values()["weights"] == nil || w.values()["live"] == nil {
				t.Errorf("the state after the apply is %v", w.values())
			}
		})
	}
}
