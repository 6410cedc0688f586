package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// Routes of two entry points are moved to target groups that are in no environment: the edit has both in one
// environment, or says which one is missing. Each command and edit does what it says.
func TestSwitch_rescuedOnTwoEntryPoints(t *testing.T) {
	t.Parallel()
	needAWS(t)
	for name, both := range map[string]bool{"both moved": true, "one moved": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newTwoEntries(t), newWorkspace(t)
			web, api := s.app("other-web"), s.app("other-api")
			h := s.release("blue")
			h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
			w.write(h.in(s.bench))
			w.apply().ok()
			rescued := func() string {
				s.changeExternally(s.listener, forward(weights{web.group: 1}))
				if both {
					s.changeRule(s.secondRule, forward(weights{api.group: 1}))
				}
				var r run
				s.unwritten(func() { r = w.apply() })
				r.failsAs("error")
				return r.text()
			}
			s.runs(rescued(), map[bool]int{true: 2, false: 1}[both])
			s.want("app-blue 100, app-green 0, other-web 0")
			if n := s.count(func() { w.apply().ok() }); both && n != 2 || !both && n != 1 { // which detaches it
				t.Errorf("%d writes after the commands", n)
			}

			text, edit := rescued(), fmt.Sprintf(`add environment "other-web" with target_groups = { web = %q } (plus one for api) and set active = "other-web".`, web.group)
			if both {
				edit = fmt.Sprintf(`add environment "other-api" with target_groups = { api = %q, web = %q } and set active = "other-api".`, api.group, web.group)
			}
			if !strings.Contains(text, edit) {
				t.Fatalf("%q is not in: %s", edit, text)
			}
			h = s.edited(strings.Replace(edit, "} (plus one for api)", fmt.Sprintf(", api = %q }", api.group), 1), h)
			w.write(h.in(s.bench))
			w.apply().ok()
			if got := s.traffic(s.routed(s.listener)) + " and " + s.traffic(s.ruleRouted(s.secondRule)); got != "other-web and other-api" {
				t.Errorf("accepting left %s", got)
			}
			w.plan().ok()
			if _, action := w.planned(); action != "no-op" {
				t.Errorf("the plan is %s", action)
			}
		})
	}
}

// Two routes were moved to different places, which no edit accepts: the message has one edit for each of them.
func TestSwitch_rescuedToDifferentPlaces(t *testing.T) {
	t.Parallel()
	s := newRescueSite(t, rescueStart{routes: 2, known: true})
	s.changeExternally(s.listener, forward(weights{s.blue.group: 1, s.green.group: 0}))
	s.changeRule(s.second, forward(weights{s.outsider.group: 20, s.red.group: 80}))
	text := s.refused("error")
	for _, edit := range []string{`set active = "blue"`,
		fmt.Sprintf(`add environment "outsider" with target_groups = { web = %q } and set weights = { outsider = 20, red = 80 } and 0 for the other environments instead of active`, s.outsider.group)} {
		if !strings.Contains(text, edit) {
			t.Fatalf("%q is not in: %s", edit, text)
		}
		s.write(s.edited(edit, s.h))
		s.w.apply().ok()
		want := map[bool]string{true: "app-blue", false: "app-red 80, outsider 20"}[edit == `set active = "blue"`]
		for _, got := range []string{s.traffic(s.routed(s.listener)), s.traffic(s.ruleRouted(s.second))} {
			if got != want {
				t.Errorf("%s left %s", edit, got)
			}
		}
		s.isNoOp()
	}
}

// The edit works with an environment that is a resource.
func TestSwitch_rescuedAcceptedWithAResource(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	outsider := s.app("outsider")
	const life = "create_before_destroy = true"
	w.raises(s, s.pair(`"blue", "green"`, "blue", life)).ok()
	s.changeExternally(s.listener, forward(weights{outsider.group: 1, s.blue.group: 0}))
	s.healthy(outsider.group)
	r := w.raises(s, s.pair(`"blue", "green"`, "blue", life))
	if edit := fmt.Sprintf(`add environment "outsider" with target_groups = { web = %q } and set active = "outsider".`, outsider.group); !strings.Contains(r.text(), edit) {
		t.Fatalf("%q is not in: %s", edit, r.text())
	}
	edited := strings.Replace(s.pair(`"blue", "green", "outsider"`, "outsider", life), "groups = { blue", fmt.Sprintf("groups = { outsider = %q, blue", outsider.group), 1)
	w.raises(s, edited).ok()
	s.want("app-blue 0, app-green 0, outsider 100")
	if len(w.resources()) != 4 {
		t.Errorf("the state has %v", w.addresses())
	}
}
