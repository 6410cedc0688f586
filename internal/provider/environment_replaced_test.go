package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// replacing is a configuration with a switch and two environments, of which green is replaced when the trigger changes.
type replacing struct {
	*site
	route   string
	green   env
	trigger string
	active  string
}

func (r replacing) String() string {
	h := hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", r.route),
		environments: fmt.Sprintf("blue = bluegreen_environment.blue\n %s = bluegreen_environment.%s", r.green.name, r.green.label),
		traffic:      fmt.Sprintf("active = %q", r.active),
		strategy:     `steps = [{ percent = 5, hold = "1ms" }]`,
	}
	green, blue := r.green, r.blueEnv()
	blue.life = green.life
	green.life += "\n    replace_triggered_by = [terraform_data.trigger]"
	return fmt.Sprintf("\nresource \"terraform_data\" \"trigger\" {\n  input = %q\n}\n", r.trigger) + blue.String() + green.String() + h.resource("web")
}

// on returns what the route forwards to, without groups at weight 0.
func (r replacing) on() string {
	if strings.Contains(r.route, "listener-rule/") {
		return r.traffic(r.ruleRouted(r.route))
	}
	return r.traffic(r.routed(r.route))
}

// newReplacing is a site with blue live, on a listener or on a rule. stale: the load balancers of a target group are not
// up to date.
func newReplacing(t *testing.T, stale, rule bool) (replacing, *workspace) {
	t.Helper()
	var options []localaws.Option
	if stale {
		options = append(options, localaws.WithStaleGroupBalancers())
	}
	r := replacing{site: newSite(t, options...), trigger: "1", active: "blue"}
	r.route, r.green = r.listener, r.greenEnv()
	r.green.label = "green"
	if rule {
		r.route = r.rule(r.listener, "/app/*", 1, forward(weights{r.blue.group: 100}))
		r.changeExternally(r.listener, fixed("404"))
	}
	return r, newWorkspace(t)
}

// replacement is an edit that replaces green.
type replacement struct {
	edit   func(r *replacing)
	group  bool // its target group too
	orphan bool // the old object has another address
}

func replacements() map[string]replacement {
	triggered := func(r *replacing) { r.trigger += "1" }
	group := func(r *replacing) { triggered(r); r.green.groups = fmt.Sprintf("web = %q", r.app("other").group) }
	address := func(r *replacing) { r.green.label += "_again" }
	return map[string]replacement{
		"triggered":             {edit: triggered},
		"triggered, new group":  {edit: group, group: true},
		"new address":           {edit: address, orphan: true},
		"new address and group": {edit: func(r *replacing) { address(r); group(r) }, group: true, orphan: true},
	}
}

const createFirst = "create_before_destroy = true"

// replaced applies an edit that is refused, or not.
func (r replacing) replaced(t *testing.T, w *workspace, edit func(r *replacing), refused bool) {
	t.Helper()
	before, label := r.on(), r.green.label
	edit(&r)
	if refused {
		// An object at another address may be planned before the switch, or after it, and then knows its routes.
		if run := w.raises(r.site, r); r.green.label == label {
			run.failsAs("refused")
		} else if run.err == nil || !strings.HasPrefix(run.text(), `Cannot destroy environment "green"`) {
			t.Errorf("it was not refused: %s", run.text())
		}
		if r.on() != before || w.resources()["bluegreen_environment."+label] == nil {
			t.Errorf("the traffic is on %s, and the state has %v", r.on(), w.addresses())
		}
		return
	}
	w.raises(r.site, r).ok()
	if (r.on() == "app-blue") != (r.active == "blue") || strings.Contains(r.on(), ",") || len(w.resources()) != 4 {
		t.Errorf("the traffic is on %s, and the state has %v", r.on(), w.addresses())
	}
	w.apply().ok() // a revert attaches no idle environment
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Errorf("the plan is %s", action)
	}
}

// An idle environment is replaced by the apply that shifts the traffic to it. Without create_before_destroy Terraform
// destroys it first: where its routes are not known then, it may have traffic.
func TestEnvironment_replacedWhereTrafficIsShiftedToIt(t *testing.T) {
	t.Parallel()
	for name, x := range replacements() {
		for _, life := range []string{createFirst, ""} {
			for _, stale := range []bool{false, true} {
				if life == "" && stale && x.group != x.orphan || life != "" && !stale {
					continue // they take a while, and are as the others
				}
				t.Run(fmt.Sprintf("%s, %q, stale %t", name, life, stale), func(t *testing.T) {
					t.Parallel()
					r, w := newReplacing(t, stale, x.group)
					r.green.life = life
					w.raises(r.site, r).ok()
					r.replaced(t, w, func(r *replacing) {
						x.edit(r)
						r.active = "green"
					}, x.orphan && !x.group || stale && life == "")
				})
			}
		}
	}
}

// A live environment is replaced by the apply that shifts the traffic away from it. Without create_before_destroy and
// with the same group at another address, Terraform may create the new object first, which has the group then.
func TestEnvironment_replacedWhereTrafficIsShiftedAway(t *testing.T) {
	t.Parallel()
	for name, x := range replacements() {
		for _, life := range []string{createFirst, ""} {
			for _, stale := range []bool{false, true} {
				if x.orphan && !x.group && life == "" || life != "" && !stale {
					continue
				}
				t.Run(fmt.Sprintf("%s, %q, stale %t", name, life, stale), func(t *testing.T) {
					t.Parallel()
					r, w := newReplacing(t, stale, x.group)
					r.green.life, r.active = life, "green"
					w.raises(r.site, r).ok()
					r.replaced(t, w, func(r *replacing) {
						x.edit(r)
						r.active = "blue"
					}, x.group && !x.orphan || life == "")
				})
			}
		}
	}
}

// An abandoned shift left half of the traffic on green, which the next apply replaces, and completes the shift or rolls
// it back.
func TestEnvironment_replacedAfterAnAbandonedShift(t *testing.T) {
	t.Parallel()
	for name, x := range replacements() {
		for _, active := range []string{"green", "blue"} {
			for _, life := range []string{createFirst, ""} {
				if x.orphan == (active == "green") || life == "" && x.orphan != x.group {
					continue // they take a while, and are as the others
				}
				t.Run(fmt.Sprintf("%s, active %s, %q", name, active, life), func(t *testing.T) {
					t.Parallel()
					r, w := newReplacing(t, true, false)
					r.green.life, r.active = life, "green"
					w.raises(r.site, r).ok()
					r.active = "blue"
					w.raises(r.site, r).ok()
					r.changeExternally(r.listener, forward(weights{r.blue.group: 50, r.site.green.group: 50}))
					r.replaced(t, w, func(r *replacing) {
						x.edit(r)
						r.active = active
					}, life == "" || x.group && !x.orphan || active == "green" && x.orphan && !x.group)
				})
			}
		}
	}
}

// What the message says about an environment whose routes are not known works.
func TestEnvironment_replacedWhereRoutesAreNotKnown(t *testing.T) {
	t.Parallel()
	r, w := newReplacing(t, true, false)
	w.raises(r.site, r).ok()
	removed := func(r replacing) string {
		return strings.ReplaceAll(strings.Split(r.String(), `resource "bluegreen_environment" "green"`)[0]+r.String()[strings.Index(r.String(), "\nresource \"bluegreen_switch\""):],
			" green = bluegreen_environment.green", "")
	}
	w.raises(r.site, removed(r)).failsAs("refused")
	r.green.life = createFirst
	w.raises(r.site, r).ok()
	w.raises(r.site, removed(r)).ok()
	if len(w.resources()) != 3 || r.on() != "app-blue" {
		t.Errorf("the traffic is on %s, and the state has %v", r.on(), w.addresses())
	}
}
