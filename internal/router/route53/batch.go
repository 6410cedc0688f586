package route53

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// forwardRounds is how often a batch is sent where only other fields than weights change meanwhile.
	forwardRounds = 3
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
	sets    []types.ResourceRecordSet // all that were read
}

// batch returns the changes to send. Where nothing is to change, but an earlier batch may have been
// executed whose answer was lost, it replaces a record set by the same, so that InSync has a change to
// ask for. It takes the changes of a zone to become INSYNC in their order, which Route 53 does not
// document.
func (r *sender) batch(zone string, p plan) []types.Change {
	if len(p.changes) > 0 || len(p.sets) == 0 || !r.shared.isUnsure(zone) {
		return p.changes
	}
	return replacement(p.sets[0], weightOf(p.sets[0]))
}

// compareAndSwap is sendOnce for everything but rollbacks.
func (r *sender) compareAndSwap(ctx context.Context, zone string, writes []*write) map[*write]error {
	var sent plan
	var refused error
	for range forwardRounds {
		now, errs := r.plan(ctx, writes)
		if errs != nil {
			return errs
		}
		for _, w := range writes {
			if !r.expects(w, now.before[w], sent) {
				return together(writes, w, &ChangedError{w.route.String(), now.before[w].Weights})
			}
		}
		if refused != nil && reflect.DeepEqual(now.sets, sent.sets) {
			return failed(writes, refused) // not because of a change
		}
		if refused = r.change(ctx, zone, writes, r.batch(zone, now)); refused == nil || !isConflict(refused) {
			return failed(writes, refused)
		}
		sent = now
	}
	return failed(writes, refused)
}

// expects reports whether the weights of a route are what a write may replace: what its caller read, or
// this process wrote. Other weights for the same shares are those of somebody else, such as of a guardian
// that rolled back (see Fence). After a batch was refused, it is what that batch was to replace, or what the
// write desires: the batch may have been executed, if its answer was lost and the SDK sent it again.
func (r *sender) expects(w *write, now traffic.State, sent plan) bool {
	if before, refused := sent.before[w]; refused {
		return maps.Equal(now.Weights, before.Weights) || now.EqualTraffic(traffic.State{Weights: w.byGroup()})
	}
	return maps.Equal(now.Weights, w.read().Weights) || r.shared.wrote(w.route.String(), now)
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
		if r.rollback {
			w.avoid = r.shared.lateBefore(w.route.String())
		}
		l := listings[w.route.place()]
		if l.err != nil {
			return p, together(writes, w, callError(listRecords, w.route.String(), l.err))
		}
		if r.rollback && r.shared.isFenced(w.route.String()) {
			w.avoid = append(w.avoid, weightsBy(ofType(l.sets, w.route.Type)))
		}
		changes, now, err := w.changes(l.sets, r.rollback)
		if err != nil {
			return p, together(writes, w, err)
		}
		p.changes, p.before[w] = append(p.changes, changes...), now
		p.sets = append(p.sets, ofType(l.sets, w.route.Type)...)
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
		if err := r.change(ctx, zone, writes, r.batch(zone, p)); err == nil || !isConflict(err) {
			return failed(writes, err)
		}
	}
	return failed(writes, r.change(ctx, zone, writes, withoutConditions(r.batch(zone, p))))
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
	end, answered := r.shared.begin(beforeOf(writes, changes)), true
	out, err := r.client.ChangeResourceRecordSets(awscall.Writing(ctx, func() { answered = false }), &route53api.ChangeResourceRecordSetsInput{
		HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes},
	})
	end(answered)
	if !answered {
		r.shared.unanswered(zone)
	}
	if err != nil {
		return callError(changeRecords, soleID(routes), err)
	}
	if out.ChangeInfo == nil {
		r.shared.unanswered(zone)
		return incomplete(changeRecords, soleID(routes))
	}
	r.shared.accepted(zone, aws.ToString(out.ChangeInfo.Id), routes)
	return nil
}

// beforeOf returns the weights that a batch replaces, by route and set identifier.
func beforeOf(writes []*write, changes []types.Change) map[string]map[string]int {
	before := map[string]map[string]int{}
	for _, w := range writes {
		weights := map[string]int{}
		for _, c := range changes {
			set := *c.ResourceRecordSet
			if c.Action == types.ChangeActionDelete && string(set.Type) == w.route.Type && normalName(aws.ToString(set.Name)) == w.route.Name {
				weights[identifierOf(set)] = weightOf(set)
			}
		}
		if len(weights) > 0 {
			before[w.route.String()] = weights
		}
	}
	return before
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
