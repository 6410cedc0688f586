package kubernetes_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// The roles of the guide are the permissions that TestPermissions_areExact tests, and its limits those of the router.
func TestGuide(t *testing.T) {
	data, err := os.ReadFile("../../../templates/guides/kubernetes.md")
	must(t, err)
	text := string(data)
	_, section, _ := strings.Cut(text, "\n## RBAC rules\n")
	var roles []string
	for i, block := range strings.Split(section, "```") {
		if yaml, is := strings.CutPrefix(block, "yaml\n"); is && i%2 == 1 && strings.Contains(yaml, "rbac.authorization.k8s.io") {
			roles = append(roles, yaml)
		}
	}
	want := []string{
		kubernetes.Role("bluegreen", "shop", kubernetes.Permissions(kubernetes.HTTPRoute)),
		kubernetes.Role("bluegreen", "shop", kubernetes.Permissions(kubernetes.Service)),
		kubernetes.Role("bluegreen-references", "", kubernetes.Elsewhere()),
	}
	if !slices.Equal(roles, want) {
		t.Errorf("the guide has the roles\n%s\nwant\n%s", strings.Join(roles, "\n"), strings.Join(want, "\n"))
	}
	for _, p := range kubernetes.Permissions(kubernetes.Kinds()...) { // what the guide says of a plan
		if reads := p.Verb == "get" || p.Verb == "list"; reads != p.Plan {
			t.Errorf("a plan needs %s of %s: %t", p.Verb, p.Resource, p.Plan)
		}
	}
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | "); len(cells) > 1 {
			rows[cells[0]] = cells[1:]
		}
	}
	limits := kubernetes.Limits()
	for row, want := range map[string]string{
		"Environments on one route at a time": fmt.Sprint(limits.Groups),
		"Weights":                             "0 to " + strings.Replace(fmt.Sprint(limits.Weight), "000000", ",000,000", 1),
	} {
		if got := rows[row]; len(got) != 3 || got[0] != want || got[1] != want {
			t.Errorf("the row %q of the guide is %q, want %q for Gateway API and Istio", row, got, want)
		}
	}
}
