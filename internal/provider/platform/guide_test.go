package platform

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The table of the guide Routers says what the platforms declare.
func TestAll_areThoseOfTheGuide(t *testing.T) {
	text, err := os.ReadFile("../../../templates/guides/routers.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | "); len(cells) == 8 {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows[cells[0]] = cells[1:]
		}
	}
	const listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/0123456789abcdef/0123456789abcdef"
	for i, route := range []string{listener, strings.Replace(listener, "listener/app", "listener-rule/app", 1) + "/0123456789abcdef",
		strings.Replace(listener, "/app/", "/net/", 1), "Z0123456789ABC/app.example.com/A", "arn:aws:lambda:eu-central-1:123456789012:function:shop:live", "httproute/shop/web#v2", "service/shop/web"} {
		p := Of(route).For([]string{route})
		if fault := p.RouteFault(route); fault != "" {
			t.Fatalf("%s: %s", route, fault)
		}
		limits := p.Limits
		if p.Block == "load_balancer" {
			limits = elb.LimitsOf(route)
		}
		groups, weights, argument, record := strings.Fields(p.LimitText)[0], fmt.Sprintf("0 to %d", limits.Weight), p.Backends, "none"
		if limits.Whole {
			groups, weights, argument = "1", "all or nothing", p.Sets
		}
		if p.Unrecorded == "" {
			record = strings.Fields(p.Words.Record.Remove)[0]
		}
		for row, want := range map[string]string{
			"Block":                               "`" + p.Block + "`",
			"Argument of an environment":          "`" + argument + "`",
			"Environments on one route at a time": groups,
			"Weights":                             weights,
			"Smallest share":                      smallest(limits),
			"`stickiness`":                        stickinessOf(limits),
			"`target_metrics`":                    map[bool]string{true: "yes", false: "no"}[p.NoRequests([]string{route}) == ""],
			"Shift record":                        record,
		} {
			if got := rows[row]; len(got) != 7 || got[i] != want {
				t.Errorf("%s: the row %q of the guide is %q, want %q in column %d", route, row, got, want, i+1)
			}
		}
		if got := rows["Health of idle environments"]; len(got) != 7 || (got[i] == "attached at weight 0") != limits.AttachesIdle {
			t.Errorf("%s: the health of idle environments is %q", route, got)
		}
	}
}

// smallest is the smallest share that the weights of a route express exactly.
func smallest(limits traffic.Limits) string {
	for share := shift.MinShare; share < shift.Full; share++ {
		if _, exact := limits.Express(shift.Weights{"a": share, "b": shift.Full - share}); exact {
			return share.String()
		}
	}
	return "none"
}

func stickinessOf(limits traffic.Limits) string {
	if limits.MaxSticky == 0 {
		return "none"
	}
	return fmt.Sprintf("`%s` to `%s`", schedule.FormatDuration(limits.MinSticky), schedule.FormatDuration(limits.MaxSticky))
}
