package e2e

import (
	"slices"
	"strings"
)

// builders are the calls that create groups, rules and machines; the provider makes
// none of them.
var builders = []string{"Create", "Delete", "Register", "Deregister", "ModifyTargetGroup"}

// mustBeWithinPolicy checks that all calls, except those of builders, are allowed by
// the README's policy.
func (p *project) mustBeWithinPolicy() {
	p.t.Helper()
	allowed, seen := policy(p.t), []string{}
	for _, call := range p.balancer.Calls() {
		action := iamAction(call)
		if slices.Contains(seen, action) || slices.ContainsFunc(builders, func(b string) bool { return strings.HasPrefix(call.Action, b) }) {
			continue
		}
		seen = append(seen, action)
		if !slices.Contains(allowed, action) {
			p.t.Errorf("%s is called and is not in the README's policy %v", action, allowed)
		}
	}
}
