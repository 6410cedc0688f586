package traffic

import (
	"context"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// References finds the routes that have a group, whatever manages them.
type References interface {
	// References returns the routes that have one of the groups, in the order of the
	// groups. A group that does not exist is a MissingError.
	References(ctx context.Context, groups []string) ([]Reference, error)
}

// Reference is a route that has a group, whatever manages it.
type Reference struct {
	Route string
	Text  string // names it for people: "listener :8080", "rule 10 of listener :8080"
	Group string
	Share shift.Share // of the route's requests; 0 is attached at weight 0
	// Sticky is true where stickiness may keep sending earlier clients to the group, whatever its share.
	Sticky bool
	// Narrow is true for a rule that matches headers, cookies, query strings or source addresses. Such a
	// rule may be for tests; only the configuration says so.
	Narrow bool
	// Recorded is true where the share is what the record of a shift that did not end says, and not an observed one.
	Recorded bool
}

// CarriesTraffic reports whether requests reach the group here.
func (u Reference) CarriesTraffic() bool { return u.Share > 0 || u.Sticky }

// OtherRoute is a route that sends traffic to a group without being one of the switch.
type OtherRoute struct {
	Route  string
	Text   string   // names it for people, as in Reference
	Groups []string // the requested groups that it sends traffic to, sorted
}

// Entry is the routes and groups of one entry point.
type Entry struct {
	Name   string
	Routes []string
	Groups []string
}
