package route53

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// rollbackReadTimeout limits the read before a rollback, so that time is left for the write.
	rollbackReadTimeout = 3 * time.Second
	// rollbackRounds is how often a rollback reads again after a concurrent change, before it writes
	// without a condition.
	rollbackRounds = 3
)

// sender sends the batches of a Router.
type sender struct {
	client   client
	names    lister
	shared   *shared
	rollback bool
}

// send writes a batch and gives each write its result.
func (r *sender) send(ctx context.Context, zone string, writes []*write) {
	err := r.sendOnce(ctx, zone, writes)
	if len(err) == 0 || !r.rollback || len(writes) == 1 {
		for _, w := range writes {
			w.done <- err[w]
		}
		return
	}
	var alone sync.WaitGroup
	for _, w := range writes {
		alone.Go(func() { w.done <- r.sendOnce(w.ctx, zone, []*write{w})[w] })
	}
	alone.Wait()
}

// sendOnce writes a batch. It returns nothing, or an error for every write.
func (r *sender) sendOnce(ctx context.Context, zone string, writes []*write) map[*write]error {
	if r.rollback {
		return r.overwrite(ctx, zone, writes)
	}
	return r.compareAndSwap(ctx, zone, writes)
}

// plan is the changes of a batch, and what they rest on.
type plan struct {
	changes []types.Change
	before  map[*write]traffic.State
}

// compareAndSwap is sendOnce for everything but rollbacks.
func (r *sender) compareAndSwap(ctx context.Context, zone string, writes []*write) map[*write]error {
	first, errs := r.plan(ctx, writes)
	if errs != nil {
		return errs
	}
	for _, w := range writes {
		if now := first.before[w]; !now.EqualTraffic(w.read()) && !r.shared.wrote(w.route.String(), now) {
			return together(writes, w, &ChangedError{w.route.String(), now.Weights})
		}
	}
	err := r.change(ctx, zone, writes, first.changes)
	if err == nil || !isConflict(err) {
		return failed(writes, err)
	}
	// The batch may have been executed already: its answer was lost, and the SDK sent it again.
	second, errs := r.plan(ctx, writes)
	if errs != nil {
		return errs
	}
	if len(second.changes) == 0 {
		return nil
	}
	for _, w := range writes {
		if now := second.before[w]; !now.EqualTraffic(first.before[w]) {
			return together(writes, w, &ChangedError{w.route.String(), now.Weights})
		}
	}
	err = r.change(ctx, zone, writes, second.changes)
	if err != nil && isConflict(err) {
		return r.conflict(ctx, writes, second, err)
	}
	return failed(writes, err)
}

// conflict returns why a batch was refused twice: the record sets changed again, or it was refused for
// another reason, which the API says in words only.
func (r *sender) conflict(ctx context.Context, writes []*write, sent plan, refused error) map[*write]error {
	now, errs := r.plan(ctx, writes)
	if errs != nil {
		return errs
	}
	if len(now.changes) == 0 {
		return nil
	}
	if reflect.DeepEqual(now.changes, sent.changes) {
		return failed(writes, refused)
	}
	all := map[*write]error{}
	for _, w := range writes {
		all[w] = &ChangedError{w.route.String(), now.before[w].Weights}
	}
	return all
}

// plan reads the record sets and returns the changes, or an error for every write.
func (r *sender) plan(ctx context.Context, writes []*write) (plan, map[*write]error) {
	p := plan{before: map[*write]traffic.State{}}
	var places []place
	for _, w := range writes {
		places = append(places, w.route.place())
	}
	listings := r.names.each(ctx, places)
	for _, w := range writes {
		l := listings[w.route.place()]
		if l.err != nil {
			return p, together(writes, w, callError(listRecords, w.route.String(), l.err))
		}
		changes, now, err := w.changes(l.sets, r.rollback)
		if err != nil {
			return p, together(writes, w, err)
		}
		p.changes, p.before[w] = append(p.changes, changes...), now
	}
	return p, nil
}

// overwrite is sendOnce for rollbacks.
func (r *sender) overwrite(ctx context.Context, zone string, writes []*write) map[*write]error {
	var p plan
	for range rollbackRounds {
		limited, cancel := context.WithTimeout(ctx, rollbackReadTimeout)
		fresh, errs := r.plan(limited, writes)
		cancel()
		for _, err := range errs {
			if isAboutRecord(err) {
				return errs
			}
		}
		if errs != nil {
			return failed(writes, r.change(ctx, zone, writes, upsertsOf(writes)))
		}
		p = fresh
		if err := r.change(ctx, zone, writes, p.changes); err == nil || !isConflict(err) {
			return failed(writes, err)
		}
	}
	return failed(writes, r.change(ctx, zone, writes, withoutConditions(p.changes)))
}

// upsertsOf returns the changes that write what was read when the rollback target was.
func upsertsOf(writes []*write) []types.Change {
	var all []types.Change
	for _, w := range writes {
		all = append(all, w.upserts()...)
	}
	return all
}

// withoutConditions returns the same changes without the condition that nothing else changed.
func withoutConditions(changes []types.Change) []types.Change {
	var all []types.Change
	for _, c := range changes {
		if c.Action == types.ChangeActionCreate {
			all = append(all, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: c.ResourceRecordSet})
		}
	}
	return all
}

// isAboutRecord reports whether an error is a fact about a record, and not a call that failed.
func isAboutRecord(err error) bool {
	return errors.Is(err, traffic.ErrNotFound) || errors.Is(err, ErrNotWeighted) || errors.Is(err, ErrChanged)
}

// change sends a batch, unless it is empty.
func (r *sender) change(ctx context.Context, zone string, writes []*write, changes []types.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var routes []string
	for _, w := range writes {
		routes = append(routes, w.route.String())
		r.shared.attempt(w.route.String(), w.byGroup())
	}
	out, err := r.client.ChangeResourceRecordSets(ctx, &route53api.ChangeResourceRecordSetsInput{
		HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes},
	})
	if err != nil {
		return callError(changeRecords, soleID(routes), err)
	}
	if out.ChangeInfo == nil {
		return incomplete(changeRecords, soleID(routes))
	}
	r.shared.accepted(zone, aws.ToString(out.ChangeInfo.Id), routes)
	return nil
}

// soleID is the route of a call about a single one; empty otherwise.
func soleID(routes []string) string {
	if len(routes) == 1 {
		return routes[0]
	}
	return ""
}

// isConflict reports whether the API refused a batch because a change of it is not possible, as where
// a record set to delete has other values.
func isConflict(err error) bool {
	_, refused := errors.AsType[*types.InvalidChangeBatch](err)
	return refused
}

// failed returns the same error for every write.
func failed(writes []*write, err error) map[*write]error {
	if err == nil {
		return nil
	}
	all := map[*write]error{}
	for _, w := range writes {
		all[w] = err
	}
	return all
}

// together returns the error of one write for it, and a BatchError for the others. An error that is not
// about a record is that of all.
func together(writes []*write, because *write, err error) map[*write]error {
	if !isAboutRecord(err) {
		return failed(writes, err)
	}
	all := failed(writes, &BatchError{err})
	all[because] = err
	return all
}
