package provider_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// unknown is a value that is known after apply; another word gives a new value.
func unknown(word string) string {
	return fmt.Sprintf("\nresource \"terraform_data\" \"new\" {\n  triggers_replace = %q\n  input            = %q\n}\n", word, word)
}

const unknownValue = "terraform_data.new.output"

func TestEnvironment_changesOfALiveEnvironment(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	other := s.group("other")
	blue := s.blueEnv()
	blue.backing = `["asg-1", "asg-2"]`
	w.raises(s, blue, unknown("1")).ok()
	before := len(s.writes())
	for name, c := range map[string]struct {
		change  func(e *env)
		refused bool
	}{
		"version":         {func(e *env) { e.version = `"2.0"` }, true},
		"no version":      {func(e *env) { e.version = "null" }, true},
		"unknown version": {func(e *env) { e.version = unknownValue }, true},
		"group":           {func(e *env) { e.groups = fmt.Sprintf("web = %q", other) }, true},
		"entry point":     {func(e *env) { e.groups = fmt.Sprintf("api = %q", s.blue.group) }, true},
		"unknown group":   {func(e *env) { e.groups = "web = " + unknownValue }, true},
		"backing":         {func(e *env) { e.backing = `["asg-1", "asg-3"]` }, true},
		"less backing":    {func(e *env) { e.backing = `["asg-1"]` }, true},
		"unknown backing": {func(e *env) { e.backing = `["asg-1", ` + unknownValue + `]` }, true},
		"no backing":      {func(e *env) { e.backing = "[]" }, true},
		"all of it":       {func(e *env) { e.version, e.groups, e.backing = `"2.0"`, fmt.Sprintf("web = %q", other), "[]" }, true},
		"wholly unknown":  {func(e *env) { e.backing = "[for i in range(terraform_data.new.output) : tostring(i)]" }, true},

		"name":              {func(e *env) { e.name, e.label = "teal", "blue" }, false},
		"more backing":      {func(e *env) { e.backing = `["asg-0", "asg-2", "asg-1"]` }, false},
		"more, yet unknown": {func(e *env) { e.backing = `["asg-1", "asg-2", ` + unknownValue + `]` }, false},
		"one more group":    {func(e *env) { e.groups += fmt.Sprintf("\n api = %q", other) }, false},
		"drain and ready":   {func(e *env) { e.drain, e.ready = `"5m"`, "min_healthy_percent = 50" }, false},
		"not protected":     {func(e *env) { e.version, e.rest = `"2.0"`, "protect = false" }, false},
		"protection off":    {func(e *env) { e.rest = "protect = false" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := blue
			c.change(&e)
			planned := w.plans(s, e, unknown("2"))
			planned.t = t
			if !c.refused {
				planned.ok()
				return
			}
			planned.failsAs("error")
		})
	}
	if n := len(s.writes()) - before; n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestEnvironment_idleEnvironmentMayChange(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	s.testRule(s.listener, 1, s.blue.group)
	green := s.greenEnv()
	green.rest = testRoutes(s.testRule(s.listener, 2, s.green.group))
	w.raises(s, green, unknown("1")).ok()
	green.version, green.backing = unknownValue, "["+unknownValue+"]"
	w.raises(s, green, unknown("2")).ok()
	if shown := w.resources()["bluegreen_environment.green"]; shown["version"] != "2" {
		t.Errorf("the state is %v", shown)
	}
	s.changeExternally(s.listener, forward(weights{s.blue.group: 95, s.green.group: 5}))
	green.version = `"3"`
	w.plans(s, green, unknown("2")).failsAs("error")
}

func TestEnvironment_protectFalseAllowsChange(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	blue := s.blueEnv()
	w.raises(s, blue).ok()
	blue.version, blue.rest = `"2.0"`, "protect = false"
	w.raises(s, blue).ok()
	if shown := w.resources()["bluegreen_environment.blue"]; shown["version"] != "2.0" {
		t.Errorf("the state is %v", shown)
	}
}

func TestEnvironment_destroyOfALiveEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	blue := s.blueEnv()
	w.raises(s, blue).ok()
	for range 2 {
		w.raises(s).failsAs("error")
		if w.resources()["bluegreen_environment.blue"] == nil {
			t.Fatal("it is no longer in the state")
		}
	}
	w.write(settings(s.bench, "") + fmt.Sprint(blue))
	w.terraform("destroy", "-json", "-auto-approve", "-input=false").failsAs("error_2")

	blue.rest = "protect = false"
	w.raises(s, blue).ok()
	w.raises(s).ok()
	if state := w.resources(); len(state) != 0 {
		t.Errorf("protect = false left %v", state)
	}
}

func TestEnvironment_variableAllowsDestroy(t *testing.T) {
	s, w := newSite(t), newWorkspace(t)
	blue := s.blueEnv()
	blue.drain = `"10m"` // with its traffic there is nothing to wait for
	w.raises(s, blue).ok()
	t.Setenv("BLUEGREEN_ALLOW_DESTROY", "true")
	if r := w.raises(s); r.err == nil {
		t.Error("only the value 1 may allow the destroy")
	}
	t.Setenv("BLUEGREEN_ALLOW_DESTROY", "1")
	w.raises(s).ok()
}

func TestEnvironment_destroyAfterShift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.blueEnv()).ok()
	s.changeExternally(s.listener, forward(weights{s.blue.group: 0, s.green.group: 100}))
	w.raises(s).ok()
}

// pair returns blue and green under for_each, and a switch over them.
func (s *site) pair(names, active, life string) string {
	h := hcl{
		routes:  fmt.Sprintf("routes = { web = [%q] }", s.listener),
		traffic: fmt.Sprintf("active = %q", active),
	}
	return fmt.Sprintf(`
locals {
  groups = { blue = %q, green = %q }
}

resource "bluegreen_environment" "app" {
  for_each      = toset([%s])
  name          = each.key
  version       = "${each.key}-1"
  target_groups = { web = local.groups[each.key] }
  backed_by     = []
  drain         = "0s"
  ready { steady_for = "0s" }
  lifecycle { %s }
}
`, s.blue.group, s.green.group, names, life) + strings.Replace(h.resource("web"), "environments = { \n  }", "environments = bluegreen_environment.app", 1)
}

func TestEnvironment_planRefusesDestroyUnderTheSwitch(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.pair(`"blue", "green"`, "blue", "")).ok()
	listed := strings.Replace(s.pair(`"green"`, "blue", ""), "environments = bluegreen_environment.app", fmt.Sprintf(
		`environments = merge({ blue = { version = "blue-1", target_groups = { web = %q } } },
    { for name, e in bluegreen_environment.app : name => { version = e.version, target_groups = e.target_groups } })`, s.blue.group), 1)
	before := s.called()
	w.plans(s, listed).failsAs("error")
	for _, call := range s.srv.Calls()[before:] {
		if strings.HasPrefix(call.Action, "Modify") {
			t.Errorf("%s was called", call.Action)
		}
	}
	// The supported way: shift the traffic first, or in the same apply.
	w.raises(s, s.pair(`"blue", "green"`, "blue", "create_before_destroy = true")).ok()
	w.raises(s, s.pair(`"green"`, "green", "create_before_destroy = true")).ok()
	s.want("app-green 100")
	if len(w.resources()) != 2 {
		t.Errorf("left are %v", w.resources())
	}
}

func TestEnvironment_applyRefusesDestroyWithoutCreateBeforeDestroy(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.pair(`"blue", "green"`, "blue", "")).ok()
	w.raises(s, s.pair(`"green"`, "green", "")).failsAs("error")
	s.want("app-blue 100, app-green 0")
	// Follow the message: add the line alone, then apply both changes.
	w.raises(s, s.pair(`"blue", "green"`, "blue", "create_before_destroy = true")).ok()
	w.raises(s, s.pair(`"green"`, "green", "create_before_destroy = true")).ok()
	s.want("app-green 100")
}

func TestEnvironment_replacedAndTainted(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(w *workspace) run{
		"-replace": func(w *workspace) run {
			return w.terraform("apply", "-json", "-auto-approve", "-input=false", "-replace=bluegreen_environment.blue")
		},
		"taint": func(w *workspace) run {
			w.must(w.prepare("taint", "bluegreen_environment.blue").Run())
			return w.apply()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
			h := hcl{
				routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
				environments: "blue = bluegreen_environment.blue\n green = { target_groups = { web = \"" + s.green.group + "\" } }",
				traffic:      `active = "blue"`,
			}
			blue := s.blueEnv()
			blue.drain, blue.life = `"10m"`, "create_before_destroy = true" // nothing is drained: the test would not end
			w.raises(s, blue, h.resource("web")).ok()
			replace(w).ok()
			if len(w.resources()) != 2 {
				t.Errorf("the state is %v", w.resources())
			}
			s.want("app-blue 100, app-green 0")

			blue.life = ""
			w.raises(s, blue, h.resource("web")).ok()
			replace(w).failsAs("error")
			s.want("app-blue 100, app-green 0")
		})
	}
}

// The drain ends when the targets were seen draining and are gone.
func TestEnvironment_drains(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0})) // targets in no use do not drain
	green := s.greenEnv()
	green.drain = "null" // five minutes
	w.raises(s, green).ok()
	before := s.calls("DescribeTargetHealth")
	done := make(chan run, 1)
	go func() { done <- w.raises(s) }()
	s.until("a health check of its targets", func() bool { return s.calls("DescribeTargetHealth") > before+2 })
	select {
	case r := <-done:
		t.Fatalf("it did not wait: %s", r.text())
	default:
	}
	if s.calls("DescribeTargetGroupAttributes") != 1 {
		t.Error("the deregistration delay was not read")
	}
	_, err := s.api.ModifyTargetGroupAttributes(t.Context(), &elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.green.group,
		Attributes: []types.TargetGroupAttribute{{Key: new("deregistration_delay.timeout_seconds"), Value: new("10")}}}) // two health reads
	s.must(err)
	s.deregister(s.green)
	(<-done).ok()
}

func TestEnvironment_drainSkipsDeletedGroups(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	green := s.greenEnv()
	green.drain = `"10m"`
	w.raises(s, green).ok()
	_, err := s.api.DeleteTargetGroup(t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &s.green.group})
	s.must(err)
	w.plans(s, green).ok()
	w.raises(s).ok()
}

// interruptAtNextHealth returns a context that ends at the next health call.
func (b *bench) interruptAtNextHealth() context.Context {
	ctx, cancel := context.WithCancel(b.t.Context())
	before := b.calls("DescribeTargetHealth")
	go func() {
		defer cancel()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for b.calls("DescribeTargetHealth") == before {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx
}

func TestEnvironment_interruptedCreate(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	green := s.greenEnv()
	green.ready = "min_healthy_targets = 2"
	w.write(settings(s.bench, "") + fmt.Sprint(green))
	r := w.interrupted(s.interruptAtNextHealth(), "apply", "-json", "-auto-approve", "-input=false")
	if r.err == nil || len(r.errors) == 0 {
		t.Fatalf("it was not interrupted: %s", r.out)
	}
	r.errors = r.errors[:1] // Terraform adds that it was halted
	r.failsAs("error")
	if state := w.resources(); len(state) != 0 {
		t.Errorf("it left %v", state)
	}
}

func TestEnvironment_interruptedDrain(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	green := s.greenEnv()
	green.drain = `"10m"`
	w.raises(s, green).ok()
	w.write(settings(s.bench, ""))
	ctx := s.interruptAtNextHealth()
	r := w.interrupted(ctx, "apply", "-json", "-auto-approve", "-input=false")
	if r.err == nil || len(r.errors) == 0 {
		t.Fatalf("it was not interrupted: %s", r.out)
	}
	r.errors = r.errors[:1] // Terraform adds that it was halted
	r.failsAs("error")
	if w.resources()["bluegreen_environment.green"] == nil {
		t.Error("it is no longer in the state")
	}
}

// Other changes that would destroy a live environment are refused, and the
// instruction of the message works.
func TestEnvironment_otherPathsToDestroy(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(s *site, w *workspace) run{
		"the switch and its environments together": func(s *site, w *workspace) run { return w.raises(s) },
		"-target": func(_ *site, w *workspace) run {
			return w.terraform("destroy", "-json", "-auto-approve", "-input=false", `-target=bluegreen_environment.app["blue"]`)
		},
		"all of it": func(_ *site, w *workspace) run {
			return w.terraform("destroy", "-json", "-auto-approve", "-input=false")
		},
		"the switch before": func(s *site, w *workspace) run {
			w.terraform("apply", "-json", "-auto-approve", "-input=false", "-destroy", "-target=bluegreen_switch.web").ok()
			return w.raises(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			both := s.pair(`"blue", "green"`, "blue", "create_before_destroy = true")
			w.raises(s, both).ok()
			take(s, w).failsAs("error")
			attach := 1 // green, which was idle, has gone and taken its group off
			if name == "-target" {
				attach = 0
			}
			s.want([]string{"app-blue 100, app-green 0", "app-blue 100"}[attach])
			writes := len(s.writes())
			w.raises(s, both).ok()
			s.want("app-blue 100, app-green 0")
			if n := len(s.writes()) - writes; n != attach || len(w.resources()) != 3 {
				t.Errorf("an apply with all of it took %d writes and left %v", n, w.resources())
			}
			w.raises(s, s.pair(`"green"`, "green", "create_before_destroy = true")).ok()
			s.want("app-green 100")
		})
	}
}
