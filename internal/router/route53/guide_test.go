package route53_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The guide says what the limits of a record are, and which IAM actions the router needs.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../templates/guides/weighted-records.md")
	must(t, err)
	rows := map[string]string{}
	var actions []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(cells) == 2 {
			rows[cells[0]] = cells[1]
		}
		if len(cells) == 3 && strings.Contains(cells[0], ":") {
			actions = append(actions, strings.Trim(cells[0], "`"))
		}
	}
	limits, smallest := route53.Limits(), shift.MinShare
	for ; smallest < shift.Full; smallest++ {
		if _, exact := limits.Express(shift.Weights{"blue": smallest, "green": shift.Full - smallest}); exact {
			break
		}
	}
	for row, want := range map[string]string{
		"Weights":                     fmt.Sprintf("0 to %d", limits.Weight),
		"Smallest share":              smallest.String(),
		"Health of idle environments": map[bool]string{true: "attached at weight 0", false: "not attached"}[limits.AttachesIdle],
		"`stickiness`":                map[bool]string{true: "none", false: "some"}[limits.MaxSticky == 0],
	} {
		if rows[row] != want {
			t.Errorf("the row %q of the guide is %q, want %q", row, rows[row], want)
		}
	}
	slices.Sort(actions)
	want := slices.Sorted(slices.Values(append(route53.Permissions(), elb.NamesPermissions()...)))
	if !slices.Equal(actions, want) {
		t.Errorf("the table of the guide has the actions %v, want %v", actions, want)
	}
	if allowed := allowedIn(t, string(text)); !slices.Equal(allowed, want) {
		t.Errorf("the policy of the guide has the actions %v, want %v", allowed, want)
	}
}

// allowedIn returns the actions of the policy in a text, sorted.
func allowedIn(t *testing.T, text string) []string {
	t.Helper()
	_, policy, _ := strings.Cut(text, "```json\n")
	policy, _, _ = strings.Cut(policy, "```")
	var document struct {
		Statement []struct{ Action json.RawMessage }
	}
	must(t, json.Unmarshal([]byte(policy), &document))
	var all []string
	for _, s := range document.Statement {
		var one string
		var some []string
		if json.Unmarshal(s.Action, &one) == nil {
			some = []string{one}
		} else {
			must(t, json.Unmarshal(s.Action, &some))
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	return all
}

// What a Router and its Reader do needs the permissions and no others.
func TestPermissions(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := record(types.RRTypeA, "red", 0)
	s.HealthCheckId = new(d.healthCheck())
	d.change(types.ChangeActionCreate, s)
	routes, red := []string{d.route(appName, "A")}, d.group(appName, "red")
	mark := len(d.srv.Calls())
	for _, router := range []*route53.Router{d.forward, d.rollback} {
		must(t, router.Write(t.Context(), routes[0], d.to(d.read("A"), 95, 5)))
		_, err := router.InSync(t.Context(), routes)
		must(t, err)
		_, err = router.Health(t.Context(), []string{red})
		must(t, err)
		_, err = router.References(t.Context(), []string{red})
		must(t, err)
		_, err = router.OtherRoutes(t.Context(), routes, []string{red})
		must(t, err)
	}
	_, err := route53.NewReader(d.forward).IdleHealth(t.Context(), []string{red})
	must(t, err)
	var called []string
	for _, c := range d.srv.Calls()[mark:] {
		called = append(called, "route53:"+c.Action)
	}
	slices.Sort(called)
	if called = slices.Compact(called); !slices.Equal(called, route53.Permissions()) {
		t.Errorf("called %q, and needs %q", called, route53.Permissions())
	}
}
