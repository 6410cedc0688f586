package localaws

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Call is an API call in the journal.
type Call struct {
	// ID numbers the calls from 1.
	ID int
	// Service is the service of the call: elasticloadbalancing, cloudwatch, route53, lambda or sts.
	Service string
	// Action is the API action, such as ModifyListener.
	Action string
	// Params holds all parameters as sent, secrets included, except for the code of functions. For every protocol they have the form of the Query
	// API: AlarmNames.member.1, MetricDataQueries.member.1.MetricStat.Stat.
	Params url.Values
	// Status is the HTTP status of the response, 0 before the response and for a dropped connection.
	Status int
	// ErrorCode is the error code of the response, "" for success.
	ErrorCode string
	// At is the time of arrival.
	At time.Time
}

// journal records calls in the order of their arrival and discards the oldest beyond its limit.
type journal struct {
	mu       sync.Mutex
	calls    []*Call
	lastID   int
	limit    int
	changed  chan struct{} // closed and replaced when a call arrives or is answered
	hooks    map[int]func(Call)
	lastHook int
}

func newJournal(limit int) *journal {
	return &journal{limit: limit, hooks: map[int]func(Call){}, changed: make(chan struct{})}
}

// begin records a call whose service, action and parameters are set.
func (j *journal) begin(call Call) *Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastID++
	c := &call
	c.ID, c.At = j.lastID, time.Now()
	j.calls = append(j.calls, c)
	if len(j.calls) > j.limit {
		j.calls = slices.Delete(j.calls, 0, len(j.calls)-j.limit)
	}
	j.announce()
	return c
}

func (j *journal) end(c *Call, status int, code string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Status, c.ErrorCode = status, code
	j.announce()
}

// announce wakes everybody who waits for a call. The caller holds the lock.
func (j *journal) announce() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) snapshot() []Call {
	out, _ := j.find(func(Call) bool { return true })
	return out
}

// find returns the calls that match, and a channel that is closed when there may be others.
func (j *journal) find(match func(Call) bool) (found []Call, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.calls {
		if match(*c) {
			found = append(found, *c)
		}
	}
	return found, j.changed
}

// await returns the calls that match as soon as there is one.
func (j *journal) await(ctx context.Context, match func(Call) bool) ([]Call, error) {
	for {
		found, changed := j.find(match)
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (j *journal) addHook(hook func(Call)) (remove func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastHook++
	id := j.lastHook
	j.hooks[id] = hook
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.hooks, id)
	}
}

// callHooks calls the hooks, oldest first, without holding the lock: a hook can block or make calls itself.
func (j *journal) callHooks(c *Call) {
	j.mu.Lock()
	current, hooks := *c, maps.Clone(j.hooks)
	j.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(hooks)) {
		hooks[id](current)
	}
}
