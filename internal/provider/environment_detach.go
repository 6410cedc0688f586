package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// detachLimit is how long taking groups off their listeners and rules may take.
// An interrupt does not cut it short: it moves nothing and is over in a moment.
const detachLimit = time.Minute

// detachAll is the end of a Delete. It looks once more, since the traffic may have
// come back while it drained, and takes the groups off the actions that name
// them in vain. Without create_before_destroy Terraform destroys them before the
// switch could, and AWS deletes no group that an action names.
func (r *environmentResource) detachAll(ctx context.Context, c *clients, state environmentModel, groups []string) diag.Diagnostics {
	_, users, err := referencesOf(ctx, c.forward, groups)
	if err != nil {
		return diag.Diagnostics{state.notDestroyed(err)}
	}
	if memory := rememberReferences(users); memory.carries() {
		return r.refuse(ctx, state, memory)
	}
	err = r.detach(ctx, c, state, users)
	var live *rollout.LiveError
	switch {
	case errors.As(err, &live):
		return r.refuse(ctx, state, liveMeanwhile(live, users))
	case err != nil:
		return diag.Diagnostics{state.notDetached(err)}
	}
	return nil
}

// detach writes nothing where nothing is named in vain. One environment does so
// at a time: they may share a listener, which is written as a whole.
func (r *environmentResource) detach(ctx context.Context, c *clients, state environmentModel, users []elb.Reference) error {
	d := rollout.DetachSpec{Router: c.forward}
	for _, u := range users {
		if _, err := elb.ParseRoute(u.Route); err != nil || u.Share > 0 {
			continue // of no Application Load Balancer, or all there is: a test's own
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
	if err := r.backend.checkAccount(ctx, c); err != nil {
		return err
	}
	d.OnEvent = func(e rollout.Event) { logEnvironment(ctx, state.Name.ValueString(), e) }
	r.backend.detaching.Lock()
	defer r.backend.detaching.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachLimit)
	defer cancel()
	defer c.reader.Invalidate()
	return rollout.Detach(ctx, d)
}

// liveMeanwhile words traffic that came between the last look and the write.
func liveMeanwhile(live *rollout.LiveError, users []elb.Reference) environmentMemory {
	t := trafficMemory{Route: live.Route, Text: displayARN(live.Route), Group: live.Group, Share: live.Share, Sticky: live.Sticky}
	if i := slices.IndexFunc(users, func(u elb.Reference) bool { return u.Route == live.Route }); i >= 0 {
		t.Text = users[i].Text
	}
	return environmentMemory{Traffic: []trafficMemory{t}}
}
