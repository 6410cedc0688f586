package traffic_test

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// One of two groups of an environment was replaced, so that the environment and what it
// was share the other one.
func TestOwners_sharedGroup(t *testing.T) {
	for range 200 {
		o := traffic.NewOwners(
			map[string]map[string]string{"blue": {"web": "w", "api": "new"}, "green": {"web": "gw", "api": "ga"}},
			map[string]map[string]string{"old": {"web": "w", "api": "a"}, "older": {"web": "w", "api": "a"}}, nil)
		for _, c := range []struct{ entry, group, owner string }{
			{"web", "w", "blue"}, {"api", "new", "blue"}, {"api", "a", "old"}, {"web", "gw", "green"}, {"web", "else", "else"}, {"api", "w", "w"},
		} {
			if got := o.Owner(c.entry, c.group); got != c.owner {
				t.Fatalf("the owner of %s behind %s is %s, want %s", c.group, c.entry, got, c.owner)
			}
		}
		for _, c := range []struct{ entry, name, group string }{
			{"web", "blue", "w"}, {"web", "old", ""}, {"api", "old", "a"}, {"api", "older", ""}, {"api", "else", ""},
		} {
			if got := o.Group(c.entry, c.name, traffic.State{}); got != c.group {
				t.Fatalf("%s has %q behind %s, want %q", c.name, got, c.entry, c.group)
			}
		}
		before := shift.Weights{"old": 900, "blue": 100}
		if got := o.Resolve("web", before); !got.Equal(shift.Sole("blue")) {
			t.Fatalf("behind web: %v", got)
		}
		if got := o.Resolve("api", before); !got.Equal(before) {
			t.Fatalf("behind api: %v", got)
		}
		if got := o.Weights("web", traffic.State{Weights: map[string]int{"w": 9, "gw": 1}}); got.String() != "blue 90 %, green 10 %" {
			t.Fatalf("got %v", got)
		}
	}
}
