package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// notes are those of a schedule.
func notes(schedule any) []string {
	var all []string
	text, _ := schedule.(string)
	for line := range strings.Lines(text) {
		if note, ok := strings.CutPrefix(strings.TrimSpace(line), "Note: "); ok {
			all = append(all, note)
		}
	}
	return all
}

func wantNotes(t *testing.T, schedule any, want ...string) {
	t.Helper()
	if got := strings.Join(notes(schedule), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the notes are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestGates_theScheduleTellsWhichSideIsSeen(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	gate := func(kind, rest string) string { return fmt.Sprintf("gates = { idle = { %s, %s } }", kind, rest) }
	public := "gate idle asks app.example.com before any traffic with no header, host or port that is the idle side's own: if that is the public address, the live side answers in place of green."
	for name, tt := range map[string]struct {
		gates string
		want  []string
	}{
		"the public URL":     {gate(`http = { url = "https://app.example.com/?token=hidden" }`, `when = "before"`), []string{public}},
		"always":             {gate(`http = { url = "https://app.example.com" }`, `when = "always"`), []string{public}},
		"only later":         {gate(`http = { url = "https://app.example.com" }`, `when = "after"`), nil},
		"a header":           {gate(`http = { url = "https://app.example.com", headers = { X-Environment = "green" } }`, `when = "before"`), nil},
		"a secret header":    {gate(`http = { url = "https://app.example.com", headers_env = { X-Test = "TOKEN" } }`, `when = "before"`), nil},
		"a port":             {gate(`http = { url = "https://app.example.com:8443" }`, `when = "before"`), nil},
		"a host of its own":  {gate(`http = { url = "https://green.example.com" }`, `when = "before"`), nil},
		"no header in a map": {gate(`http = { url = "https://app.example.com", headers = {} }`, `when = "before"`), []string{public}},
	} {
		t.Run(name, func(t *testing.T) {
			release := s.release("green")
			release.gates = tt.gates
			w.t = t
			w.write(release.in(s.bench))
			w.plan().ok()
			planned, _ := w.planned()
			wantNotes(t, planned["schedule"], tt.want...)
		})
	}
}

// What a note rests on may be known only at apply: then the whole schedule is,
// since a text that changes then is refused by Terraform.
func TestGates_aScheduleWaitsForWhatItsNotesRestOn(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	release := s.release("green")
	release.before = "\nresource \"terraform_data\" \"host\" { input = \"127.0.0.1\" }\n"
	release.gates = fmt.Sprintf(`gates = { idle = { http = { url = "http://${terraform_data.host.output}:%s" }, when = "before" } }`, s.green.url[strings.LastIndex(s.green.url, ":")+1:])
	w.write(release.in(s.bench))
	w.plan().ok()
	if planned, _ := w.planned(); planned["schedule"] != nil {
		t.Errorf("the schedule is known: %v", planned["schedule"])
	}
	w.apply().ok()
	if got := s.routed(s.listener); !strings.Contains(got, "app-green 100") {
		t.Errorf("the traffic is at %s", got)
	}
}

func TestGates_theScheduleTellsOfHoldsThatAreTooShort(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	_, err := s.api.ModifyTargetGroupAttributes(t.Context(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.green.group,
		Attributes: []types.TargetGroupAttribute{{Key: new("slow_start.duration_seconds"), Value: new("60")}}})
	s.must(err)
	release := s.release("blue")
	release.strategy = `steps = [{ percent = 5, hold = "5s" }, { percent = 50, hold = "2m" }]`
	release.gates = fmt.Sprintf(`gates = {
	  answers = { http = { url = %q } }
	  users   = { target_metrics = { max_error_rate = 1 } }
	}`, s.green.url)
	w.write(release.in(s.bench))
	w.apply().ok()
	release.traffic = `active = "green"`
	w.write(release.in(s.bench))
	w.plan().ok()
	planned, _ := w.planned()
	wantNotes(t, planned["schedule"],
		"gate answers is asked every 10s, so it may look only once: 5 % (5s).",
		"gate users sees a change of weights after 2m at the earliest (the period of its metrics, and how late they are), so it is waited for that long: 5 % (5s), the bake (0s).",
		"targets of green that become healthy start slowly for 1m and take less than their share, which these holds may not outlast: 5 % (5s).")
	if text, _ := planned["schedule"].(string); !strings.Contains(text, "Takes 6m to ") {
		t.Errorf("the schedule does not count what the gates add:\n%s", text)
	}
}

func TestGates_aCommandThatIsNotThere(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	release := s.release("green")
	release.gates = `gates = { smoke = { command = { argv = ["./smoke.sh", "green"], working_dir = abspath(path.root) } } }`
	w.write(release.in(s.bench))
	plan := w.terraform("plan", "-json", "-input=false")
	plan.ok()
	if !strings.Contains(plan.out, `The gate \"smoke\" could not do its work here`) || !strings.Contains(plan.out, "smoke.sh") {
		t.Errorf("the plan does not warn:\n%s", plan.out)
	}
	before := len(s.writes())
	refused := w.apply()
	if len(refused.errors) != 1 || !strings.HasPrefix(refused.errors[0].Detail, "The traffic is now: blue 100 %. Nothing was moved.\n\nThe gate \"smoke\" keeps this from beginning: ") {
		t.Errorf("the apply says\n%s", refused.text())
	}
	if n := len(s.writes()); n != before {
		t.Errorf("%d writes were made", n-before)
	}
	if _, kept := w.values()["active"]; kept {
		t.Error("a Create that failed left a state")
	}
	script := "#!/bin/sh\nexit 0\n"
	s.must(os.WriteFile(filepath.Join(w.dir, "smoke.sh"), []byte(script), 0o700))
	w.apply().ok()
	if got := s.routed(s.listener); !strings.Contains(got, "app-green 100") {
		t.Errorf("the traffic is at %s", got)
	}
}

// A group that is detached since it is idle and sticky stands on no route, and is
// known by its slow start all the same: where it may be another one by the time of
// the apply, the whole schedule waits.
func TestGates_aScheduleWaitsForAGroupWhoseSlowStartIsTold(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	_, err := s.api.ModifyTargetGroupAttributes(t.Context(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.green.group,
		Attributes: []types.TargetGroupAttribute{{Key: new("slow_start.duration_seconds"), Value: new("60")}}})
	s.must(err)
	release := func(active, version, trigger string) {
		h := s.release(active)
		h.stickiness, h.strategy = `stickiness = "1m"`, `steps = [{ percent = 50, hold = "1s" }]`
		h.before = fmt.Sprintf("\nresource \"terraform_data\" \"group\" {\n  input            = %q\n  triggers_replace = %q\n}\n", s.green.group, trigger)
		h.environments = environment("blue", "1.0", s.blue.group) +
			fmt.Sprintf("\n    green = { version = %q, target_groups = { web = terraform_data.group.output } }", version)
		w.write(h.in(s.bench))
		w.apply().ok()
	}
	release("green", "1.1", "a")
	release("blue", "1.1", "a")
	release("green", "1.2", "b")
	if got := s.routed(s.listener); got != "app-green 100" {
		t.Errorf("the traffic is at %s", got)
	}
}
