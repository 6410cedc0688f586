package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s",
		10 * time.Minute: "10m", 10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", 24 * time.Hour: "24h",
	} {
		if got := schedule.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%s) = %s, want %s", d, got, want)
		}
	}
}

func TestRouteName(t *testing.T) {
	var got []string
	for _, n := range []int{1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111} {
		got = append(got, strings.TrimPrefix(schedule.RouteName("web", n, 200), "web, "))
	}
	want := "1st route 2nd route 3rd route 4th route 11th route 12th route 13th route 21st route 22nd route 101st route 111th route"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if got := schedule.RouteName("web", 1, 1); got != "web" {
		t.Errorf("got %s for the only route, want web", got)
	}
}
