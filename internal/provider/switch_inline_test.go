package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// inline returns an inline environment with more arguments.
func inline(name, group, more string) string {
	return fmt.Sprintf("\n    %q = { version = %q, target_groups = { web = %q }, %s }", name, name+"-1", group, more)
}

// machine is a resource whose ID is unknown until it is created, and again where it is replaced.
func machine(name, trigger string) string {
	return fmt.Sprintf("\nresource \"terraform_data\" %q {\n  triggers_replace = %q\n}\n", name, trigger)
}

// A misspelled version looks as if there was none, of which the schedule warns. Whether a version
// is known in the end decides the text, so that an unknown one makes the schedule unknown.
func TestSwitch_scheduleWarnsOfInlineEnvironmentsWithoutVersion(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	group := func(name, group, more string) string {
		return fmt.Sprintf("\n    %q = { target_groups = { web = %q }, %s }", name, group, more)
	}
	h := s.release("blue")
	h.environments = group("blue", s.blue.group, `version = "1.0"`) + group("green", s.green.group, `vers = "1.1"`)
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("misspelled")
	h.environments = group("blue", s.blue.group, "") + group("green", s.green.group, "")
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("none")
	h.before = later
	h.environments = group("blue", s.blue.group, `version = "1.0"`) + group("green", s.green.group, `version = local.later.name == "x" ? "1.1" : null`)
	w.write(h.in(s.bench))
	w.plan().ok()
	if planned, _ := w.planned(); planned["schedule"] != nil {
		t.Errorf("the schedule is known: %v", planned["schedule"])
	}
	w.applyPlan().ok()
	w.isEmpty()
}

// isEmpty checks that nothing is planned.
func (w *workspace) isEmpty() {
	w.t.Helper()
	if out := w.terraform("plan", "-json", "-input=false", "-detailed-exitcode"); out.err != nil {
		w.t.Errorf("the plan is not empty: %s", out.out)
	}
}

// The schedule warns of inline environments only, and backed_by, known or not, changes nothing
// but the order.
func TestSwitch_scheduleWarnsOfInlineEnvironments(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.before = machine("blue", "1") + machine("green", "1")
	h.environments = inline("blue", s.blue.group, "backed_by = [terraform_data.blue.id]") +
		inline("green", s.green.group, "backed_by = terraform_data.green[*].id")
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("create")
	w.applyPlan().ok()
	w.isEmpty()

	// The idle environment is replaced, and the schedule is known all the same.
	h.before = machine("blue", "1") + machine("green", "2")
	h.traffic = `active = "green"`
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("release")
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
	w.isEmpty()

	// One of them becomes a bluegreen_environment: no traffic moves, so there is no schedule
	// to warn in, and the next one names the other environment alone.
	h.before += env{name: "blue", version: `"blue-1"`, groups: fmt.Sprintf("web = %q", s.blue.group), backing: "[terraform_data.blue.id]"}.String()
	h.environments = "\n    blue = bluegreen_environment.blue" + inline("green", s.green.group, "backed_by = terraform_data.green[*].id")
	w.write(h.in(s.bench))
	w.apply().ok()
	h.traffic = `active = "blue"`
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("mixed")
}

// inlineEdit is an edit of a switch with the inline environments blue, which has all traffic,
// and green.
type inlineEdit struct {
	edit   func(s *site, h *hcl)
	warned bool
}

// blueBacked is blue with two resources behind it.
const blueBacked = `backed_by = ["i-1", "i-2"]`

func TestSwitch_removalOfALiveInlineEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(s *site, h *hcl){
		"removed": func(s *site, h *hcl) { h.environments = inline("green", s.green.group, "") },
		"removed from a split": func(s *site, h *hcl) {
			h.environments = inline("green", s.green.group, "") + inline("teal", s.group("teal"), "")
			h.traffic = "weights = { green = 90, teal = 10 }"
		},
		"another name with an unknown group": func(s *site, h *hcl) {
			h.before = fmt.Sprintf("\nresource \"terraform_data\" \"group\" {\n  input = %q\n}\n", s.group("teal"))
			h.environments = inline("green", s.green.group, "") + "\n teal = { target_groups = { web = terraform_data.group.output } }"
		},
		"traffic is ignored": func(s *site, h *hcl) {
			h.environments, h.rest = inline("green", s.green.group, ""), "lifecycle { ignore_changes = [active, weights] }"
		},
		"nothing behind it": func(s *site, h *hcl) {
			h.environments = inline("blue", s.blue.group, "backed_by = []") + inline("green", s.green.group, "")
		},
		"nothing behind it and no shift": func(s *site, h *hcl) {
			h.environments = inline("blue", s.blue.group, "backed_by = []") + inline("green", s.green.group, "")
			h.traffic = `active = "blue"`
		},
		"renamed, and nothing behind it": func(s *site, h *hcl) {
			h.environments = inline("azure", s.blue.group, "backed_by = []") + inline("green", s.green.group, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, h := newInline(t)
			edit(s, &h)
			w.write(h.in(s.bench))
			w.plan().failsAs("error")
			s.want("app-blue 100, app-green 0")
		})
	}
}

// newInline applies blue, which has all traffic, and green, and returns a release of green.
func newInline(t *testing.T) (*site, *workspace, hcl) {
	t.Helper()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.environments = inline("blue", s.blue.group, blueBacked) + inline("green", s.green.group, "")
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	h.traffic = `active = "green"`
	return s, w, h
}

func TestSwitch_otherChangesOfInlineEnvironmentsAreApplied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]inlineEdit{
		"fewer resources behind it": {edit: func(s *site, h *hcl) {
			h.environments = inline("blue", s.blue.group, `backed_by = ["i-2"]`) + inline("green", s.green.group, "")
		}},
		"backed_by is dropped": {edit: func(s *site, h *hcl) {
			h.environments = inline("blue", s.blue.group, "") + inline("green", s.green.group, "")
		}},
		"renamed": {edit: func(s *site, h *hcl) {
			h.environments = inline("azure", s.blue.group, blueBacked) + inline("green", s.green.group, "")
		}},
		"names are swapped": {edit: func(s *site, h *hcl) {
			h.environments = inline("green", s.blue.group, blueBacked) + inline("blue", s.green.group, "")
			h.traffic = `active = "blue"`
		}},
		"an idle one is removed": {edit: func(s *site, h *hcl) {
			h.environments, h.traffic = inline("blue", s.blue.group, blueBacked), `active = "blue"`
		}},
		"its group is replaced": {warned: true, edit: func(s *site, h *hcl) {
			h.environments = inline("blue", s.group("next"), blueBacked) + inline("green", s.green.group, "")
		}},
		"its group is unknown": {warned: true, edit: func(s *site, h *hcl) {
			h.before = fmt.Sprintf("\nresource \"terraform_data\" \"group\" {\n  input = %q\n}\n", s.group("next"))
			h.environments = "\n blue = { target_groups = { web = terraform_data.group.output } }" + inline("green", s.green.group, "")
		}},
		"all resources behind it are replaced": {warned: true, edit: func(s *site, h *hcl) {
			h.before = machine("blue", "1")
			h.environments = inline("blue", s.blue.group, "backed_by = [terraform_data.blue.id]") + inline("green", s.green.group, "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, h := newInline(t)
			c.edit(s, &h)
			w.write(h.in(s.bench))
			planned := w.plan()
			planned.ok()
			if c.warned {
				golden.CheckPart(t, "warning", planned.warnings(), golden.Volatile()...)
			} else if warnings := planned.warnings(); warnings != "" {
				t.Errorf("warned of %s", warnings)
			}
			w.applyPlan().ok()
			w.isEmpty()
		})
	}
}

// What an import found was never in the configuration, so a shift away from it removes nothing.
func TestSwitch_importedGroupNeedNotBeAnEnvironment(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	h.environments = inline("green", s.green.group, "")
	w.write(h.in(s.bench))
	w.imports("web=" + s.listener)
	w.apply().ok()
	if got := s.routed(s.listener); got != "app-green 100" {
		t.Errorf("the listener has %s", got)
	}
}

// An environment of another state is not inline where it arrives whole: its machines are in the
// other state, which protects them.
func TestSwitch_environmentOfAnotherStateIsNotInline(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	remote := func(name, group string) string {
		return inline(name, group, `name = "`+name+`", backed_by = ["i-1"], drain = null, resource_type = "bluegreen_environment"`)
	}
	h := s.release("blue")
	h.environments = remote("blue", s.blue.group) + remote("green", s.green.group)
	w.write(h.in(s.bench))
	w.apply().ok()
	h.environments, h.traffic = remote("green", s.green.group), `active = "green"`
	w.write(h.in(s.bench))
	w.plan().ok()
	if planned, _ := w.planned(); strings.Contains(fmt.Sprint(planned["schedule"]), "inline") {
		t.Errorf("the schedule is %s", planned["schedule"])
	}
	w.applyPlan().ok()
	if got := s.routed(s.listener); got != "app-green 100" {
		t.Errorf("the listener has %s", got)
	}
}

// Where it is unknown whether an environment is inline, so is the schedule, because the apply
// must have the same one.
func TestSwitch_unknownWhetherInline(t *testing.T) {
	t.Parallel()
	s, w, h := newInline(t)
	h.before = "\nresource \"terraform_data\" \"type\" {\n  input = \"bluegreen_environment\"\n}\n"
	h.environments = inline("blue", s.blue.group, blueBacked) + inline("green", s.green.group, "resource_type = terraform_data.type.output")
	w.write(h.in(s.bench))
	w.plan().ok()
	if planned, _ := w.planned(); planned["schedule"] != nil {
		t.Errorf("the schedule is %s", planned["schedule"])
	}
	w.applyPlan().ok()
	s.want("app-blue 0, app-green 100")
	w.isEmpty()
}
