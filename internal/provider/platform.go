package provider

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// platform is one kind of router in the schema: its block of the switch, how its ids are
// checked and named for people, how its clients are opened, and the wording of its errors.
// A new router is a file with a platform and one line in platforms.
type platform struct {
	release.Platform

	block string // of the switch, with the argument routes
	// backends is the argument of an environment with its groups.
	backends string
	schema   func() schema.Block

	// owns reports whether a route or group is one of this platform, so that it can be
	// called.
	owns func(id string) bool
	// routeFault and groupFault say what is wrong with an id, and what to use instead;
	// empty: nothing.
	routeFault, groupFault func(id string) string
	// label names a route or group for people: an ARN without account and region.
	label func(id string) string
	// detaches reports whether a switch's routes are of this kind, so that an idle group
	// can be detached from it.
	detaches func(route string) bool
	// unread reports whether only a read shows that a route cannot be used, and
	// readFault says so for the error of that read, nil where it is another error.
	unread    func(route string) bool
	readFault func(at path.Path, route string, err error) diag.Diagnostic
	// detail words an error of the platform's calls; false: not one of its errors.
	detail func(err error) (errorDetail, bool)
	// limits says what a route cannot have more of, such as "5 target groups in one action".
	limits string
	// idleText says what it means that no route has a group.
	idleText string

	// connect opens the clients. The id is a route or group.
	connect func(ctx context.Context, b *backend, id string) (*clients, error)
}

// platforms returns all platforms.
func platforms() []platform {
	return []platform{loadBalancer()}
}

// platformOf returns the platform of a route or group. An id of none belongs to the first:
// its checks say what is wrong with it.
func platformOf(id string) platform {
	all := platforms()
	if i := slices.IndexFunc(all, func(p platform) bool { return p.owns(id) }); i >= 0 {
		return all[i]
	}
	return all[0]
}

// platform returns the platform of a switch, and the values of its block.
func (m switchModel) platform() (platform, types.Object) {
	blocks := map[string]types.Object{"load_balancer": m.LoadBalancer}
	all := platforms()
	for _, p := range all {
		if !missing(blocks[p.block]) {
			return p, blocks[p.block]
		}
	}
	return all[0], blocks[all[0].block]
}

// at is the path of the block.
func (p platform) at() path.Path { return path.Root(p.block) }

// routesAt is the path of the routes.
func (p platform) routesAt() path.Path { return p.at().AtName("routes") }

// label names a route or group for people.
func label(id string) string { return platformOf(id).label(id) }

// clients call the API of a platform.
type clients struct {
	forward, rollback traffic.Router
	reader            sharedReader
	groups            groupInspector
	// checkAccount checks, once, that the credentials belong to an allowed account.
	checkAccount func(context.Context) error
	// credentialsLast reports an error where the credentials expire within d.
	credentialsLast func(ctx context.Context, d time.Duration) error
}

// sharedReader reads for refreshes and plans. The resources of one run share its calls.
type sharedReader interface {
	traffic.References
	// Read is traffic.Router's, except that results may be a few seconds old.
	Read(ctx context.Context, routes []string) ([]traffic.State, error)
	// OtherRoutes returns the routes that send traffic to one of the groups and are not
	// among the routes.
	OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error)
	// Invalidate drops all results: something was written.
	Invalidate()
}

// groupInspector reads groups beyond their health, uncached.
type groupInspector interface {
	traffic.References
	// CheckGroups checks that every group exists and that the routes of its entry point
	// may send traffic to it.
	CheckGroups(ctx context.Context, entries ...traffic.Entry) error
	// LongestDelay returns the longest time that in-flight requests of a group may take.
	LongestDelay(ctx context.Context, groups []string) (time.Duration, error)
	// SlowStarts returns the slow start of each group that has one, also with an error.
	SlowStarts(ctx context.Context, groups []string) (map[string]time.Duration, error)
}
