package elb_test

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

// The table of the guide Routers says what the limits of each kind of route are.
func TestLimits_areThoseOfTheGuide(t *testing.T) {
	text, err := os.ReadFile("../../../templates/guides/routers.md")
	must(t, err)
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); len(cells) == 4 {
			rows[strings.TrimPrefix(cells[0], "| ")] = []string{cells[1], cells[2], strings.TrimSuffix(cells[3], " |")}
		}
	}
	for i, route := range []string{listener, rule, strings.Replace(listener, "/app/", "/net/", 1)} {
		limits := elb.LimitsOf(route)
		for row, want := range map[string]string{
			"Target groups in one action": fmt.Sprint(limits.Groups),
			"Weights":                     fmt.Sprintf("0 to %d", limits.Weight),
			"Smallest share":              smallest(limits),
			"Health of idle environments": map[bool]string{true: "attached at weight 0", false: "not attached"}[limits.AttachesIdle],
			"`stickiness`":                stickinessOf(limits),
		} {
			if got := rows[row]; len(got) != 3 || got[i] != want {
				t.Errorf("%s: the row %q of the guide is %q, want %q in column %d", route, row, got, want, i+1)
			}
		}
	}
}

// smallest is the smallest share that the weights of a route express exactly.
func smallest(limits traffic.Limits) string {
	for share := shift.MinShare; share < shift.Full; share++ {
		weights := limits.Encode(shift.Weights{"a": share, "b": shift.Full - share})
		if shift.FromRaw(weights)["a"] == share {
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
