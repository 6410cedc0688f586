package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Messages about what does not exist name it in the words of its router: only some of it has an ARN.
func TestDiagnostics_missingByRouter(t *testing.T) {
	none, set := types.MapNull(types.StringType), types.MapValueMust(types.StringType, nil)
	const function = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
	for name, c := range map[string]struct {
		route, group string
		model        environmentModel
	}{
		"load_balancer": {webARN, greenARN, environmentModel{TargetGroups: set, Records: none, Versions: none, Services: none, Selectors: none}},
		"route53":       {"Z0123456789ABC/app.example.com/A", "Z0123456789ABC/app.example.com#green", environmentModel{TargetGroups: none, Records: set, Versions: none, Services: none, Selectors: none}},
		"lambda":        {function + ":live", function + ":12", environmentModel{TargetGroups: none, Records: none, Versions: set, Services: none, Selectors: none}},
		"kubernetes":    {"httproute/shop/web", "service/shop/web-green:8080", environmentModel{TargetGroups: none, Records: none, Versions: none, Services: set, Selectors: none}},
	} {
		t.Run(name, func(t *testing.T) {
			c.model.Name = types.StringValue("green")
			routes := []traffic.Route{{Entry: "web", ID: c.route}}
			var all []string
			for _, d := range []interface {
				Summary() string
				Detail() string
			}{
				importMissing(routes, nil),
				importedGroupMissing(c.model, []string{c.group}, nil), environmentUnreadable(c.model, &traffic.MissingError{ID: c.group}),
			} {
				all = append(all, d.Summary()+"\n"+d.Detail())
			}
			text := strings.Join(all, "\n\n") + "\n"
			p := platform.Of(c.route)
			if p.Block != name || p.Place(c.route).Region == "" && strings.Contains(text, "ARN") {
				t.Errorf("%s: %s", p.Block, text)
			}
			golden.Check(t, text)
		})
	}
}
