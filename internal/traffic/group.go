package traffic

import "context"

// Group is routes that are written at the same time, each with a Write of its own. A router that changes
// several routes with one call waits for the writes of all of them.
type Group struct{ Routes []string }

type groupKey struct{}

// WithGroup returns the context for the Writes of a group of routes.
func WithGroup(ctx context.Context, routes []string) context.Context {
	return context.WithValue(ctx, groupKey{}, &Group{routes})
}

// GroupOf returns the group of a Write; nil: it has none. Each call of WithGroup makes another one.
func GroupOf(ctx context.Context) *Group {
	group, _ := ctx.Value(groupKey{}).(*Group)
	return group
}
