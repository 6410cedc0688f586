package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// detachTimeout bounds the detaching of target groups. An interrupt does not cut it
// short, because it moves no traffic and is brief.
const detachTimeout = time.Minute

// detachAll is the end of Delete. It reads the routes again, because traffic may have come
// back during the drain, and removes the target groups from the actions that have them at
// weight 0. Without create_before_destroy Terraform destroys the groups before the switch
// could detach them, and AWS does not delete a group that an action has.
func (r *environmentResource) detachAll(ctx context.Context, c *clients, state environmentModel, groups []string) diag.Diagnostics {
	_, users, err := referencesOf(ctx, c.groups, groups)
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	if memory := rememberReferences(users); memory.carriesTraffic() {
		return r.refuse(ctx, state, memory)
	}
	err = r.detach(ctx, c, state, users)
	var live *rollout.LiveError
	switch {
	case errors.As(err, &live):
		return r.refuse(ctx, state, memoryOfLiveError(live, users))
	case err != nil:
		return diag.Diagnostics{state.notDetached(err)}
	}
	return nil
}

// detach removes the target groups from the routes that have them at weight 0. Only one
// environment detaches at a time, because several may share a listener, whose action is
// written as a whole.
func (r *environmentResource) detach(ctx context.Context, c *clients, state environmentModel, users []traffic.Reference) error {
	d := rollout.DetachSpec{Router: c.forward}
	for _, u := range users {
		if !platformOf(u.Route).detaches(u.Route) || u.Share > 0 {
			continue // another kind of route, or the only target group, as in a test rule
		}
		if len(r.backend.ledger.unclaimed([]string{u.Group})) == 0 {
			continue
		}
		d.Routes, d.Groups = append(d.Routes, u.Route), append(d.Groups, u.Group)
	}
	if len(d.Routes) == 0 {
		return nil
	}
	slices.Sort(d.Routes)
	slices.Sort(d.Groups)
	d.Routes, d.Groups = slices.Compact(d.Routes), slices.Compact(d.Groups)
	if err := c.checkAccount(ctx); err != nil {
		return err
	}
	d.OnEvent = eventLogger(ctx, "environment", state.Name.ValueString())
	r.backend.detaching.Lock()
	defer r.backend.detaching.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTimeout)
	defer cancel()
	defer c.reader.Invalidate()
	return rollout.Detach(ctx, d)
}

// memoryOfLiveError is the traffic that appeared between the last read and the write.
func memoryOfLiveError(live *rollout.LiveError, users []traffic.Reference) environmentMemory {
	t := trafficMemory{Route: live.Route, Text: label(live.Route), Group: live.Group, Share: live.Share, Sticky: live.Sticky}
	if i := slices.IndexFunc(users, func(u traffic.Reference) bool { return u.Route == live.Route }); i >= 0 {
		t.Text = users[i].Text
	}
	return environmentMemory{Traffic: []trafficMemory{t}}
}
