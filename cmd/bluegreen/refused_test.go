package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Every verb refuses what it cannot do with exit code 2, and changes nothing.
func TestVerbs_refuse(t *testing.T) {
	server, stack := newStack(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL())
	elsewhere := strings.Replace(stack.Listener, ":123456789012:", ":999999999999:", 1)
	unknown := "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/1/2"
	verbs := map[string][]string{
		"status": nil, "rollback": {"--yes"}, "recover": nil, "approve": {"--gate", "go"}, "promote": nil, "abort": nil, "watch": nil,
	}
	for name, c := range map[string]struct {
		route  string
		faults []faults.Fault
		record traffic.Phase
		done   []string // verbs that have nothing to do, or show what is there
	}{
		"unknown route":       {route: unknown},
		"wrong account":       {route: elsewhere},
		"a target group":      {route: stack.Groups["blue"]},
		"expired credentials": {route: stack.Listener, faults: []faults.Fault{{Kind: faults.ExpiredToken}}},
		"denied":              {route: stack.Listener, faults: []faults.Fault{{Action: "DescribeListeners", Kind: faults.AccessDenied}}},
		"tags denied":         {route: stack.Listener, faults: []faults.Fault{{Action: "DescribeTags", Kind: faults.AccessDenied}}, done: []string{"status"}},
		"no record":           {route: stack.Listener, done: []string{"status", "recover"}},
		"ended":               {route: stack.Listener, record: traffic.PhaseRejected, done: []string{"status", "recover", "watch"}},
	} {
		if c.record != "" {
			putRecord(t, stack, c.record)
		}
		var remove []func()
		for _, f := range c.faults {
			remove = append(remove, server.Inject(f))
		}
		before, weights, tags := len(server.Calls()), server.Weights(stack.Listener), server.Tags(stack.Listener)
		text := ""
		for _, verb := range slices.Sorted(maps.Keys(verbs)) {
			if slices.Contains(c.done, verb) {
				continue
			}
			args := append([]string{verb, "--route", c.route}, verbs[verb]...)
			r := runWith(t.Context(), "", false, args...)
			if r.code != 2 || r.out != "" || !strings.Contains(r.err, "Nothing was changed.") && !strings.Contains(r.err, "Nothing was sent.") {
				t.Errorf("%s, %s: exit code %d\n%s%s", name, verb, r.code, r.out, r.err)
			}
			text += "$ bluegreen " + verb + "\n" + r.err + "\n"
			asJSON := runWith(t.Context(), "", false, append(args, "--json")...)
			if asJSON.code != 2 || asJSON.err != "" || !strings.Contains(asJSON.out, `"exit_code": 2`) {
				t.Errorf("%s, %s as JSON: exit code %d\n%s%s", name, verb, asJSON.code, asJSON.out, asJSON.err)
			}
		}
		golden.CheckPart(t, name, text, golden.Volatile()...)
		for _, f := range remove {
			f()
		}
		for _, call := range server.Calls()[before:] {
			if !strings.HasPrefix(call.Action, "Describe") && call.Action != "GetCallerIdentity" {
				t.Errorf("%s: the call %s", name, call.Action)
			}
		}
		if !maps.Equal(server.Weights(stack.Listener), weights) || !maps.Equal(server.Tags(stack.Listener), tags) {
			t.Errorf("%s: something was changed", name)
		}
		if c.record != "" {
			removeRecord(t, stack, server.Tags(stack.Listener))
		}
	}
}
