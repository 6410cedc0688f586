package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// warningsOf returns the warnings of a schedule.
func warningsOf(schedule any) []string {
	var all []string
	text, _ := schedule.(string)
	for line := range strings.Lines(text) {
		if note, ok := strings.CutPrefix(strings.TrimSpace(line), "Warning: "); ok {
			all = append(all, note)
		}
	}
	return all
}

func TestGates_scheduleWarnsOfSharedTraffic(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	gate := func(kind, rest string) string { return gateBlock("idle", kind, rest) }
	for name, tt := range map[string]struct {
		gates string
		noted bool
	}{
		"the public URL":     {gate(block("http", `url = "https://app.example.com/?token=hidden"`), `when = "before"`), true},
		"always":             {gate(block("http", `url = "https://app.example.com"`), `when = "always"`), true},
		"only later":         {gate(block("http", `url = "https://app.example.com"`), `when = "after"`), false},
		"a header":           {gate(block("http", `url = "https://app.example.com"`, `headers = { X-Environment = "green" }`), `when = "before"`), false},
		"a secret header":    {gate(block("http", `url = "https://app.example.com"`, `headers_env = { X-Test = "TOKEN" }`), `when = "before"`), false},
		"a port":             {gate(block("http", `url = "https://app.example.com:8443"`), `when = "before"`), false},
		"a host of its own":  {gate(block("http", `url = "https://green.example.com"`), `when = "before"`), false},
		"no header in a map": {gate(block("http", `url = "https://app.example.com"`, "headers = {}"), `when = "before"`), true},
	} {
		t.Run(name, func(t *testing.T) {
			release := s.release("green")
			release.gates = tt.gates
			w.t = t
			w.write(release.in(s.bench))
			w.plan().ok()
			planned, _ := w.planned()
			if got := warningsOf(planned["schedule"]); len(got) > 0 != tt.noted {
				t.Errorf("the warnings are %q", got)
			}
			w.scheduleIs("schedule")
		})
	}
}

// If the input of a warning is known only after apply, so is the whole schedule:
// Terraform refuses a text that changes.
func TestGates_scheduleIsUnknownWithUnknownInput(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	release := s.release("green")
	release.before = "\nresource \"terraform_data\" \"host\" { input = \"127.0.0.1\" }\n"
	release.gates = gateBlock("idle", block("http", `url = "http://${terraform_data.host.output}`+s.green.url[strings.LastIndex(s.green.url, ":"):]+`"`), `when = "before"`)
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

func TestGates_scheduleWarnsOfShortHolds(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	_, err := s.api.ModifyTargetGroupAttributes(t.Context(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.green.group,
		Attributes: []types.TargetGroupAttribute{{Key: new("slow_start.duration_seconds"), Value: new("60")}}})
	s.must(err)
	release := s.release("blue")
	release.strategy = `steps = [{ percent = 5, hold = "5s" }, { percent = 50, hold = "2m" }]`
	release.gates = gateBlock("answers", block("http", fmt.Sprintf("url = %q", s.green.url))) + "\n" + gateBlock("users", block("target_metrics", "max_error_rate = 1"))
	w.write(release.in(s.bench))
	w.apply().ok()
	release.traffic = `active = "green"`
	w.write(release.in(s.bench))
	w.plan().ok()
	w.scheduleIs("short_holds")
}

func TestGates_missingCommand(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	release := s.release("green")
	release.gates = gateBlock("smoke", block("command", `argv = ["./smoke.sh", "green"]`, "working_dir = abspath(path.root)"))
	w.write(release.in(s.bench))
	plan := w.terraform("plan", "-json", "-input=false")
	plan.ok()
	golden.CheckPart(t, "warning", plan.warnings(), golden.Replace(w.dir, "<working directory>"))
	before := len(s.writes())
	refused := w.apply()
	refused.failsAs("blocked", golden.Replace(w.dir, "<working directory>"))
	if n := len(s.writes()); n != before {
		t.Errorf("%d writes were made", n-before)
	}
	if _, exists := w.values()["active"]; exists {
		t.Error("a Create that failed left a state")
	}
	script := "#!/bin/sh\nexit 0\n"
	s.must(os.WriteFile(filepath.Join(w.dir, "smoke.sh"), []byte(script), 0o700))
	w.apply().ok()
	if got := s.routed(s.listener); !strings.Contains(got, "app-green 100") {
		t.Errorf("the traffic is at %s", got)
	}
}

// The schedule depends on the slow start of a detached group; if the group may be
// another one at apply, the schedule is unknown.
func TestGates_scheduleIsUnknownWithUnknownSlowStart(t *testing.T) {
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
