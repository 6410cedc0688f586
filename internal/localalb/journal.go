package localalb

import (
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Call is an API call as it stands in the journal.
type Call struct {
	// ID counts calls from 1.
	ID int
	// Service is the service that was called: elasticloadbalancing, cloudwatch or sts.
	Service string
	// Action is the API action, such as ModifyListener.
	Action string
	// Params is every parameter as it was sent, secrets included, in the form in which Elastic Load Balancing
	// takes them, whatever the protocol: AlarmNames.member.1, MetricDataQueries.member.1.MetricStat.Stat.
	Params url.Values
	// Status is the HTTP status of the answer; 0 while there is none and for a dropped connection.
	Status int
	// ErrorCode is the code of an error answer, "" for success.
	ErrorCode string
	// At is when the call came in.
	At time.Time
}

// journal keeps calls in the order in which they came in, the latest ones up to its limit.
type journal struct {
	mu    sync.Mutex
	calls []*Call
	last  int
	limit int
	hooks map[int]func(Call)
	hook  int
}

// begin takes a call in, of which the service, the action and the parameters are known.
func (j *journal) begin(call Call) *Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	c := &call
	c.ID, c.At = j.last, time.Now()
	j.calls = append(j.calls, c)
	if len(j.calls) > j.limit {
		j.calls = slices.Delete(j.calls, 0, len(j.calls)-j.limit)
	}
	return c
}

func (j *journal) end(c *Call, status int, code string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Status, c.ErrorCode = status, code
}

func (j *journal) snapshot() []Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return mapTo(j.calls, func(c *Call) Call { return *c })
}

func (j *journal) addHook(hook func(Call)) (remove func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hooks == nil {
		j.hooks = map[int]func(Call){}
	}
	j.hook++
	id := j.hook
	j.hooks[id] = hook
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.hooks, id)
	}
}

// callHooks calls every hook, oldest first, without holding anything, so that a hook may block or make calls.
func (j *journal) callHooks(c *Call) {
	j.mu.Lock()
	now, hooks := *c, maps.Clone(j.hooks)
	j.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(hooks)) {
		hooks[id](now)
	}
}
