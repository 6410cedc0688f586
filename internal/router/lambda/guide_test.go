package lambda_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The guide says what the limits of an alias are, and which IAM actions the router needs.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../templates/guides/lambda-aliases.md")
	must(t, err)
	rows := map[string]string{}
	var actions []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(cells) == 2 {
			rows[cells[0]] = cells[1]
		}
		if len(cells) == 3 && strings.HasPrefix(cells[0], "`lambda:") {
			actions = append(actions, strings.Trim(cells[0], "`"))
		}
	}
	limits := lambda.Limits()
	for row, want := range map[string]string{
		"Versions in one alias":       fmt.Sprint(limits.Groups),
		"Smallest share":              (shift.Full / shift.Share(limits.Weight)).String(),
		"Health of idle environments": map[bool]string{true: "attached at weight 0", false: "not attached"}[limits.AttachesIdle],
		"`stickiness`":                map[bool]string{true: "none", false: "some"}[limits.MaxSticky == 0],
	} {
		if rows[row] != want {
			t.Errorf("the row %q of the guide is %q, want %q", row, rows[row], want)
		}
	}
	slices.Sort(actions)
	if want := slices.Sorted(slices.Values(lambda.Permissions())); !slices.Equal(actions, want) {
		t.Errorf("the guide has the actions %v, want %v", actions, want)
	}
}
