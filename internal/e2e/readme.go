package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// README returns the README.
func README(t *testing.T) string {
	t.Helper()
	root, err := rehearsal.ModuleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Fenced returns the first fenced block after a mark of a text.
func Fenced(t *testing.T, text, mark string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, mark)
	_, rest, opened := strings.Cut(rest, "```")
	_, rest, lined := strings.Cut(rest, "\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !found || !opened || !lined || !closed {
		t.Fatalf("no fenced block after %s", mark)
	}
	return block + "\n"
}

// CheckPolicy checks that the IAM policy of the README allows the calls, on the resources
// that they name, and returns their IAM actions.
func CheckPolicy(t *testing.T, calls []localaws.Call) []string {
	t.Helper()
	allowed := policy(t)
	var made []string
	for _, call := range calls {
		action := call.Service + ":" + call.Action
		if !slices.Contains(made, action) {
			made = append(made, action)
		}
		for _, resource := range resourcesOf(call) {
			if !slices.ContainsFunc(allowed, func(s statement) bool { return s.allows(action, resource) }) {
				t.Errorf("the README's policy does not allow %s on %s", action, resource)
			}
		}
	}
	return made
}

// resourcesOf returns what a call reads or changes: the ARNs in its parameters, in a
// call that names none "*".
func resourcesOf(call localaws.Call) []string {
	var all []string
	for name, values := range call.Params {
		if name == "ListenerArn" || name == "RuleArn" || strings.HasPrefix(name, "ResourceArns.") {
			all = append(all, values...)
		}
	}
	if all == nil {
		return []string{"*"}
	}
	return all
}

// statement is a statement of an IAM policy.
type statement struct {
	Action   []string
	Resource resources
}

// resources is a string or a list of strings.
type resources []string

// UnmarshalJSON implements json.Unmarshaler.
func (r *resources) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*r = resources{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(r))
}

// allows reports whether the statement allows an action on a resource.
func (s statement) allows(action, resource string) bool {
	return slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource, func(pattern string) bool {
		expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
		return regexp.MustCompile("^" + expression + "$").MatchString(resource)
	})
}

// policy returns the statements of the README's IAM policy.
func policy(t *testing.T) []statement {
	t.Helper()
	var p struct{ Statement []statement }
	if err := json.Unmarshal([]byte(Fenced(t, README(t), "<!-- iam:policy -->")), &p); err != nil {
		t.Fatal(err)
	}
	return p.Statement
}
