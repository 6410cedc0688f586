package route53

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	groupTimeout = 5 * time.Second       // after the first write of a group; the others are sent later then
	endGrace     = 50 * time.Millisecond // for the error of a batch that ends with the context of a write

	maxRecords    = 1000  // of a batch: values and aliases
	maxCharacters = 32000 // of all values of a batch
)

// write is one call of Write.
type write struct {
	ctx     context.Context
	route   Route
	raw     *raw
	weights map[string]int   // desired, by set identifier
	avoid   []map[string]int // for a rollback: weights to write no exact equal of, see avoiding
	done    chan error       // has room for the result
}

// byGroup returns the desired weights by group.
func (w *write) byGroup() map[string]int {
	weights := map[string]int{}
	for identifier, n := range w.weights {
		weights[w.route.place().group(identifier)] = n
	}
	return weights
}

// read returns the traffic that the caller knows of.
func (w *write) read() traffic.State {
	return traffic.State{Weights: weightsOf(w.route.place(), w.raw.sets)}
}

// size returns how many records and characters the changes of a write have at most: each counts twice,
// in DELETE and CREATE, or in an UPSERT.
func (w *write) size() (records, characters int) {
	for _, set := range w.raw.sets {
		records += 2 * max(1, len(set.ResourceRecords))
		for _, value := range set.ResourceRecords {
			characters += 2 * len(aws.ToString(value.Value))
		}
	}
	return records, characters
}

// wait returns the result, or the end of the write's context.
func (w *write) wait() error {
	select {
	case err := <-w.done:
		return err
	case <-w.ctx.Done():
	}
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case err := <-w.done: // of a batch that ended with it, which says what was attempted
		return err
	case <-grace.C:
		return callError(changeRecords, w.route.String(), w.ctx.Err())
	}
}

// queue collects the writes of a zone and sends those of each group in one batch, one batch after the other:
// Route 53 refuses a change of a zone while it processes another one.
type queue struct {
	zone string
	send func(ctx context.Context, writes []*write)

	mu        sync.Mutex
	gathering map[*traffic.Group]*gathering
	ready     [][]*write
	running   bool
}

// gathering is the writes of a group that have arrived.
type gathering struct {
	writes  []*write
	missing int  // writes that have not arrived
	late    bool // it was sent without them
}

// add adds a write of a group. Nil: one of the group is not written.
func (q *queue) add(ctx context.Context, group *traffic.Group, w *write) {
	ctx = context.WithoutCancel(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.gathering[group]
	if g == nil {
		g = &gathering{missing: q.size(group)}
		if q.gathering == nil {
			q.gathering = map[*traffic.Group]*gathering{}
		}
		q.gathering[group] = g
		if g.missing > 1 {
			time.AfterFunc(groupTimeout, func() { q.hurry(ctx, g) })
		}
	}
	if w != nil {
		g.writes = append(g.writes, w)
	}
	if g.missing--; g.missing == 0 {
		delete(q.gathering, group)
	}
	if g.missing == 0 || g.late {
		q.start(ctx, g)
	}
}

// size returns how many routes of a group are in the zone.
func (q *queue) size(group *traffic.Group) (n int) {
	for _, id := range group.Routes {
		if route, err := ParseRoute(id); err == nil && route.Zone == q.zone {
			n++
		}
	}
	return n
}

// hurry sends what has arrived of a group.
func (q *queue) hurry(ctx context.Context, g *gathering) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if g.missing > 0 {
		g.late = true
		q.start(ctx, g)
	}
}

// start sends what has arrived. It must be called with the lock.
func (q *queue) start(ctx context.Context, g *gathering) {
	if len(g.writes) > 0 {
		q.ready = append(q.ready, g.writes)
		g.writes = nil
	}
	if !q.running && len(q.ready) > 0 {
		q.running = true
		go q.run(ctx)
	}
}

// run sends what is ready.
func (q *queue) run(ctx context.Context) {
	for writes := q.next(); len(writes) > 0; writes = q.next() {
		for _, batch := range batches(writes) {
			batchCtx, cancel := batchContext(ctx, batch)
			q.send(batchCtx, batch)
			cancel()
		}
	}
}

// next returns the writes that are sent next. Without any, the queue does not run any more.
func (q *queue) next() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ready) == 0 {
		q.running = false
		return nil
	}
	writes := q.ready[0]
	q.ready = q.ready[1:]
	return writes
}

// batches divides writes into as few batches as their size allows, without those that have ended.
func batches(writes []*write) [][]*write {
	var all [][]*write
	records, characters := 0, 0
	for _, w := range writes {
		if err := w.ctx.Err(); err != nil {
			w.done <- err
			continue
		}
		n, length := w.size()
		if len(all) == 0 || records+n > maxRecords || characters+length > maxCharacters {
			all, records, characters = append(all, nil), 0, 0
		}
		all[len(all)-1] = append(all[len(all)-1], w)
		records, characters = records+n, characters+length
	}
	return all
}

// batchContext returns a context that ends with the last of the writes.
func batchContext(ctx context.Context, writes []*write) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	var left atomic.Int64
	left.Store(int64(len(writes)))
	var latest time.Time
	stops := []func() bool{}
	limited := true
	for _, w := range writes {
		deadline, has := w.ctx.Deadline()
		limited = limited && has
		if deadline.After(latest) {
			latest = deadline
		}
		stops = append(stops, context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 && !errors.Is(w.ctx.Err(), context.DeadlineExceeded) {
				cancel()
			}
		}))
	}
	if !limited {
		latest = time.Time{}
	}
	end := func() {}
	if !latest.IsZero() {
		ctx, end = context.WithDeadline(ctx, latest)
	}
	return ctx, func() {
		end()
		cancel()
		for _, stop := range stops {
			stop()
		}
	}
}

// changes returns the changes that give the fresh record sets of a name the desired weights, and the
// state that they have now. They are those of all record sets of the route, so that none of them can
// change meanwhile; for a rollback, which must not fail because of that, only of those with another
// weight. A rollback also ignores a missing group with weight 0.
func (w *write) changes(all []types.ResourceRecordSet, rollback bool) ([]types.Change, traffic.State, error) {
	now, err := stateOf(w.route, all)
	if err != nil {
		return nil, now, err
	}
	sets := ofType(all, w.route.Type)
	for identifier, n := range w.weights {
		exists := slices.ContainsFunc(sets, func(s types.ResourceRecordSet) bool { return identifierOf(s) == identifier })
		if !exists && (n > 0 || !rollback) {
			return nil, now, missing(w.route.place().group(identifier))
		}
	}
	weights := w.of(sets)
	if maps.Equal(weights, weightsBy(sets)) {
		return nil, now, nil
	}
	var changes []types.Change
	for _, set := range sets {
		if n := weights[identifierOf(set)]; !rollback || weightOf(set) != n {
			changes = append(changes, replacement(set, n)...)
		}
	}
	return changes, now, nil
}

// of returns the weights to write to the record sets of the route, by set identifier.
func (w *write) of(sets []types.ResourceRecordSet) map[string]int {
	weights := map[string]int{}
	for _, set := range sets {
		weights[identifierOf(set)] = w.weights[identifierOf(set)]
	}
	return avoiding(weights, w.avoid)
}

// replacement returns the changes that give a record set another weight, if it is as it was read.
func replacement(set types.ResourceRecordSet, weight int) []types.Change {
	return []types.Change{
		{Action: types.ChangeActionDelete, ResourceRecordSet: new(set)},
		{Action: types.ChangeActionCreate, ResourceRecordSet: new(withWeight(set, weight))},
	}
}

// upserts returns the changes that write the record sets that were read earlier with the desired
// weights, whatever they are now.
func (w *write) upserts() []types.Change {
	var changes []types.Change
	weights := w.of(w.raw.sets)
	for _, set := range w.raw.sets {
		changes = append(changes, types.Change{
			Action: types.ChangeActionUpsert, ResourceRecordSet: new(withWeight(set, weights[identifierOf(set)])),
		})
	}
	return changes
}
