package operate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// firstLook is the pause after the first look at the record. Each further one is twice as long.
const firstLook = 250 * time.Millisecond

// noticing is a Recorder that notices whether somebody else rolls the same shift back at the same
// time. Both have read the record before either wrote it.
type noticing struct {
	traffic.Recorder
	shift, reason string // of this rollback

	mu    sync.Mutex
	other string // the reason of somebody else; empty: none was read
}

// Put implements traffic.Recorder. It looks again before the end is written, after the traffic was
// returned: that does not delay it.
func (n *noticing) Put(ctx context.Context, routes []string, r traffic.Record, whole bool) error {
	if r.Phase != traffic.PhaseRollingBack {
		n.look(ctx, routes)
	}
	return n.Recorder.Put(ctx, routes, r, whole)
}

// keepLooking looks until ctx ends. A record that both have written has the reason of one of them,
// and a running apply removes it within seconds.
func (n *noticing) keepLooking(ctx context.Context, routes []string) {
	for pause := firstLook; ctx.Err() == nil; pause *= 2 {
		n.look(ctx, routes)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// start looks in the background. stop ends that, and waits for it.
func (n *noticing) start(ctx context.Context, routes []string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looks sync.WaitGroup
	looks.Go(func() { n.keepLooking(ctx, routes) })
	return func() { cancel(); looks.Wait() }
}

// look reads whether the record has the reason of somebody else. What cannot be read is not
// noticed.
func (n *noticing) look(ctx context.Context, routes []string) {
	records, err := n.Records(ctx, routes)
	if err != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range traffic.MergeRecords(records) {
		if x.Shift == n.shift && x.Reason != "" && !traffic.SameValue(x.Reason, n.reason) {
			n.other = x.Reason
		}
	}
}

// warning says who else rolled the shift back; empty: nobody.
func (n *noticing) warning() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.other == "" {
		return ""
	}
	return fmt.Sprintf("Somebody rolled the shift back at the same time: %s. Both wrote the same weights.", n.other)
}

// aborting is who has asked the shift to roll back, and has no answer yet; empty: nobody.
func aborting(x traffic.Left) string {
	i := slices.IndexFunc(x.Requests, func(r traffic.Request) bool {
		return r.Verb == traffic.VerbAbort && r.Shift == x.Shift && !isAnswered(x, r)
	})
	if i < 0 {
		return ""
	}
	return x.Requests[i].By
}

// second is about a request that somebody else was faster than; false: it may still be answered.
// Somebody who rolls the shift back ends it, and a request of the same kind replaces this one.
func (a *asking) second(ctx context.Context, s seen, x traffic.Left) (Asked, *Problem, bool) {
	if x.Phase != traffic.PhaseOpen && x.Reason != "" {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		_ = a.Recorder.RemoveRequests(limited, a.Target.ids(), []traffic.Verb{a.Verb}) // the end of the shift removes it as well
		text := fmt.Sprintf("Another user was first with the shift %s: %s.%s", x.Shift, phaseText(x.Phase), reasonText(x.Reason))
		if a.Verb == traffic.VerbAbort {
			return a.done(s, text), nil, true
		}
		return Asked{}, refuse(a.summary, text, "Run bluegreen status to see where the traffic is."), true
	}
	if slices.ContainsFunc(x.Requests, func(r traffic.Request) bool { return r.Nonce == a.request.Nonce }) {
		return Asked{}, nil, false
	}
	i := slices.IndexFunc(x.Requests, func(r traffic.Request) bool {
		return r.Verb == a.Verb && r.Shift == a.request.Shift && r.At == a.request.At && !slices.Contains(a.shift.Requests, r)
	})
	if i < 0 {
		return Asked{}, nil, false
	}
	return Asked{}, refuse(a.summary, fmt.Sprintf("Another user made the same request at the same time: the request of %s replaced this one.", x.Requests[i].By), "Run bluegreen status in a few seconds to see the result."), true
}
