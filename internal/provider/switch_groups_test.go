package provider_test

import (
	"fmt"
	"testing"
)

// One of the target groups of the live environment is replaced in a raw environments
// map. The other entry point is left alone, and the new group is released by steps.
func TestSwitch_oneOfSeveralGroupsReplaced(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	before := s.routed(s.listener)

	h, next := s.release("blue"), s.app("api-next")
	h.environments = fmt.Sprintf(`
    blue  = { version = "1.0", target_groups = { web = %q, api = %q } }
    green = { version = "1.1", target_groups = { web = %q, api = %q } }`,
		s.blue.group, next.group, s.green.group, s.apiGreen.group)
	h.strategy = `steps = [{ percent = 10, hold = "1ms" }]`
	h.gates = smokeGate(next.url, "10s", `when = "before"`)
	w.write(h.in(s.bench))
	for range 5 {
		w.plan().ok()
		w.scheduleIs("schedule")
	}
	w.applyPlan().ok()
	if got, want := s.ruleRouted(s.secondRule), "api-green 0, api-next 100"; got != want {
		t.Errorf("the rule of api has %s, want %s", got, want)
	}
	if got := s.routed(s.listener); got != before {
		t.Errorf("the listener of web has %s, want %s", got, before)
	}
	w.apply().ok()
}
