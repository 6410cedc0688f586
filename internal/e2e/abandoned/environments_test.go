//go:build unix

package abandoned

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// environments are those of the quickstart as resources.
const environments = `resource "terraform_data" "version" {
  input = lookup(var.versions, "green", "")
}

resource "bluegreen_environment" "app" {
  for_each      = var.versions
  name          = each.key
  version       = each.value
  target_groups = { web = var.target_groups[each.key] }
  backed_by     = []
  drain         = "0s"
  ready { steady_for = "0s" }
  lifecycle {
    %s
  }
}
`

// inline are those of the switch in main.tf.
const inline = `environments = {
    for name, group in var.target_groups : name => {
      target_groups = { web = group }
      version       = var.versions[name]
    }
  }`

// protectedWorld has environments that are resources, no test rules, and a control plane that does not keep
// LoadBalancerArns up to date: it does not know that the switch attached green. On a rule the listener sends nothing.
func protectedWorld(t *testing.T, life string, rule bool) (w *e2e.World, route string) {
	t.Helper()
	w = e2e.NewWorld(t, quick, localaws.WithStaleGroupBalancers())
	client := w.Stack.Client()
	rules, err := client.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: &w.Stack.Listener})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rules.Rules {
		if !*x.IsDefault {
			w.Delete(*x.RuleArn)
		}
	}
	w.SetGates(rehearsal.NoGates)
	w.Edit(inline, "environments = bluegreen_environment.app")
	protect(t, w, life)
	route = w.Stack.Listener
	if rule {
		route = w.AddRule(1)
		w.Route(route)
	}
	w.MustApply()
	return w, route
}

// protect writes the environments with a lifecycle.
func protect(t *testing.T, w *e2e.World, life string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.Terraform.Dir, "environments.tf"), fmt.Appendf(nil, environments, life), 0o600); err != nil {
		t.Fatal(err)
	}
}

// states returns the resources of the state.
func states(w *e2e.World) string {
	return strings.Join(strings.Fields(w.MustRun("state", "list")), " ")
}

const both = `bluegreen_environment.app["blue"] bluegreen_environment.app["green"]`

// A shift was killed half way. Neither environment is destroyed while it has traffic, whether the switch is in the state
// (a later release) or not (its Create was killed).
func TestAbandoned_environmentsWithTrafficAreNotDestroyed(t *testing.T) {
	for name, args := range map[string][]string{
		"green": {"-target=bluegreen_environment.app[\"green\"]"}, "blue": {"-target=bluegreen_environment.app[\"blue\"]"}, "everything": nil,
	} {
		for _, created := range []bool{true, false} {
			for _, record := range []bool{true, false} {
				if !record && name != "green" {
					continue
				}
				t.Run(fmt.Sprintf("%s, switch created %t, record %t", name, created, record), func(t *testing.T) {
					t.Parallel()
					w, route := protectedWorld(t, "", created && record && name == "green")
					if !record {
						w.Edit(`provider "bluegreen" {}`, "provider \"bluegreen\" {\n  shift_record = \"off\"\n}")
					}
					release{version: "1.3"}.start(w)
					if !created {
						w.MustApply("-target=bluegreen_environment.app") // the version
						forget(t, w)
					}
					if !w.KilledAt(2, moves) {
						t.Fatal("the apply was not killed")
					}
					mark, read := w.Mark(), map[bool]string{true: "DescribeTags", false: "DescribeTargetHealth"}[created]
					for range 2 { // the second time without the switch
						out := destroy(t, w, args...)
						if !strings.Contains(out, "Cannot destroy environment") {
							t.Errorf("it is not refused:\n%s", out)
						}
						if !w.Feeds(route, "blue") || !w.Feeds(route, "green") || w.Writes(mark) > 0 || !strings.Contains(states(w), both) {
							t.Errorf("%d writes, and the state has %s", w.Writes(mark), states(w))
						}
					}
					made := e2e.CheckPolicy(t, w.Balancer.Calls()[mark:])
					if record && name != "blue" && !slices.Contains(made, "elasticloadbalancing:"+read) {
						t.Errorf("the calls are %v, without %s", made, read)
					}
					w.MustApply(e2e.Unlocked)
					if !w.Feeds(route, "green") || w.Feeds(route, "blue") {
						t.Errorf("the route does %v", w.Actions(route))
					}
					w.LostNothing()
				})
			}
		}
	}
}

// destroy is a "terraform destroy" that fails.
func destroy(t *testing.T, w *e2e.World, args ...string) string {
	t.Helper()
	var out strings.Builder
	if err := w.Terraform.Run(&out, append([]string{"destroy", "-no-color", "-auto-approve", e2e.Unlocked}, args...)...); err == nil {
		t.Errorf("destroy succeeded:\n%s", out.String())
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(out.String(), "│", " ")), " ")
}

// A shift was killed half way, and the next configuration has one environment less. With create_before_destroy the switch
// moves the traffic away before; otherwise Terraform destroys the environment first, which is refused.
func TestAbandoned_environmentRemoved(t *testing.T) {
	for _, life := range []string{"create_before_destroy = true", ""} {
		for _, removed := range []string{"blue", "green"} {
			t.Run(fmt.Sprintf("%s, %q", removed, life), func(t *testing.T) {
				t.Parallel()
				w, route := protectedWorld(t, life, removed == "green")
				left := map[string]string{"blue": "green", "green": "blue"}[removed]
				release{version: "1.3"}.start(w)
				if !w.KilledAt(2, moves) {
					t.Fatal("the apply was not killed")
				}
				version := w.Versions[removed]
				delete(w.Versions, removed)
				w.MustConfigure(left)
				if life == "" {
					mark := w.Mark()
					if out := e2e.ErrorsIn(w.MustFail(e2e.Unlocked)); !strings.HasPrefix(out, fmt.Sprintf("Cannot destroy environment %q\n", removed)) {
						t.Errorf("it is not refused:\n%s", out)
					}
					if !w.Feeds(route, "blue") || !w.Feeds(route, "green") || w.Writes(mark) > 0 || !strings.Contains(states(w), both) {
						t.Errorf("%d writes, and the state has %s", w.Writes(mark), states(w))
					}
					// What the message says: the line alone, which moves the traffic away, then the rest.
					w.Versions[removed] = version
					w.MustConfigure(left)
					protect(t, w, "create_before_destroy = true")
					w.MustApply(e2e.Unlocked)
					delete(w.Versions, removed)
					w.MustConfigure(left)
				}
				w.MustApply(e2e.Unlocked)
				if !w.Feeds(route, left) || w.Feeds(route, removed) || strings.Contains(states(w), strconv.Quote(removed)) {
					t.Errorf("the route does %v, and the state has %s", w.Actions(route), states(w))
				}
				if out := w.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(out, "No changes") {
					t.Errorf("the plan is not empty:\n%s", out)
				}
				w.LostNothing()
			})
		}
	}
}

// An apply that replaces both environments while it shifts the traffic is killed. The next one completes the shift. The
// old objects, which Terraform calls deposed, have the target groups of the new ones: where they are not destroyed
// because of the traffic of these, the variable of the message does it, without a write.
func TestAbandoned_replacedEnvironments(t *testing.T) {
	for name, call := range map[string]func(localaws.Call) bool{"at 50 %": nthMove(2), "at 100 %": nthMove(3), "completed": phase("completed")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, route := protectedWorld(t, "create_before_destroy = true\n    replace_triggered_by = [terraform_data.version]", false)
			release{version: "1.3"}.start(w)
			if !w.KilledAt(1, call) {
				t.Fatal("the apply was not killed")
			}
			out, ok := w.Start(e2e.Unlocked).Wait()
			if errs := e2e.ErrorsIn(out); !ok && strings.Count(errs, "Cannot destroy environment") != strings.Count(out, "Error: ") {
				t.Errorf("it fails with\n%s", errs)
			}
			if !w.Feeds(route, "green") || w.Feeds(route, "blue") {
				t.Errorf("the route does %v:\n%s", w.Actions(route), out)
			}
			if !ok {
				w.Terraform.Env = append(w.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
			}
			mark := w.Mark()
			w.MustApply(e2e.Unlocked)
			if n := w.Writes(mark); n > 0 {
				t.Errorf("%d writes", n)
			}
			settled(t, w)
			w.LostNothing()
		})
	}
}

// nthMove matches the n-th write of traffic.
func nthMove(n int) func(localaws.Call) bool {
	seen := 0
	return func(call localaws.Call) bool {
		if moves(call) {
			seen++
		}
		return moves(call) && seen == n
	}
}
