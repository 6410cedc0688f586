package ledger

import (
	"slices"
	"testing"
)

func TestLedger_oneRouteOfTwoSwitches(t *testing.T) {
	l := New()
	first, second := Switch{ID: l.Identify(0), Text: "first"}, Switch{ID: l.Identify(0), Text: "second"}
	if first.ID == second.ID {
		t.Fatal("two switches have one id")
	}
	if other, is := l.PlanRoute("listener", first); is {
		t.Errorf("the route is taken by %v", other)
	}
	if other, is := l.PlanRoute("listener", second); !is || other != first {
		t.Errorf("the route is taken by %v, %t", other, is)
	}
	if other, is := l.PlanRoute("rule", second); is {
		t.Errorf("the other route is taken by %v", other)
	}
	// A replacement is planned twice, and passes on its id.
	again := Switch{ID: l.Identify(first.ID), Text: "first, again"}
	if other, is := l.PlanRoute("listener", again); is {
		t.Errorf("the route of a switch that is planned twice is taken by %v", other)
	}
	// An id of another run.
	if id := l.Identify(100); id == 100 {
		t.Error("the ledger takes over an id that it never gave away")
	}
}

func TestLedger_testRouteOfASwitchInEitherOrder(t *testing.T) {
	l := New()
	if l.PlanTest("rule", "blue") {
		t.Error("a test route is refused without any switch")
	}
	if name, is := l.IsTest("rule"); !is || name != "blue" {
		t.Errorf("the test route is one of %q, %t", name, is)
	}
	l.PlanRoute("listener", Switch{ID: l.Identify(0)})
	if !l.PlanTest("listener", "blue") {
		t.Error("a route of a switch is accepted as a test route")
	}
	if name, is := l.IsTest("listener"); is {
		t.Errorf("the refused test route is one of %q", name)
	}
}

func TestLedger_seenRoutes(t *testing.T) {
	l := New()
	l.See([]string{"b", "", "a"}, []string{"web-blue"})
	l.See([]string{"b", "c"}, nil)
	if got := l.Seen(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("seen are %q", got)
	}
	if !l.IsRoute("a") || l.IsRoute("d") {
		t.Error("a route that was seen is not one, or another is")
	}
	if !l.IsSwitched("web-blue") || l.IsSwitched("web-green") {
		t.Error("the group of a switch that was seen is not known, or another is")
	}
	l.PlanGroups([]string{"web-green"})
	if !l.IsPlanned("web-green") || l.IsPlanned("web-blue") {
		t.Error("the group of a planned switch is not known, or another is")
	}
}
