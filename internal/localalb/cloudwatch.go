package localalb

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// cwOptions configures a Service.
type cwOptions struct {
	// Account is the account ID in ARNs.
	Account string
	// Period is the period of the metrics of load balancers, and of the evaluation of alarms if it is under a minute.
	Period time.Duration
	// Delay is how long after the end of its period a point of these metrics becomes visible.
	Delay time.Duration
	// Now is the clock.
	Now func() time.Time
}

// cloudWatch holds metrics and alarms. It has no goroutines: evaluations that are due run before the next call is
// executed, each as of its due time. It is safe for concurrent use.
type cloudWatch struct {
	clock      metricsClock
	account    string
	operations map[string]cloudWatchOperation

	mu       sync.Mutex
	metrics  *metrics
	alarms   alarms
	previous alarms     // the alarms before the latest write, for StaleRead
	chain    []alarmKey // alarms whose state change is being propagated
}

// newCloudWatch returns a Service without metrics and alarms. It rejects periods that no query could use.
func newCloudWatch(opts cwOptions) (*cloudWatch, error) {
	clock := metricsClock{period: opts.Period, delay: opts.Delay, now: opts.Now}
	if err := clock.check(); err != nil {
		return nil, err
	}
	return &cloudWatch{clock: clock, account: opts.Account, operations: cloudWatchOperations(), metrics: newMetrics(newELBMetrics(clock)), alarms: alarms{}}, nil
}

// LoadBalancers returns the metrics that load balancers publish.
func (cw *cloudWatch) LoadBalancers() Metrics { return cw.metrics.elb }

// cwRequest is a call to the API.
type cwRequest struct {
	Action string
	Region string
	// Document holds the parameters, decoded from whatever protocol.
	Document any
	// Effects are those of the injected faults.
	Effects effects
}

// cloudWatchCall is the context of one call to CloudWatch.
type cloudWatchCall struct {
	*cloudWatch
	region   string
	now      time.Time
	document any
	lost     bool // the write is reported as successful but discarded
}

// cloudWatchOperation is the implementation of a CloudWatch action.
type cloudWatchOperation struct {
	write bool
	run   func(*cloudWatchCall) (any, error)
}

// reads and writes return an operation that decodes the document into the input of the action.
func reads[In any](f func(*cloudWatchCall, In) (any, error)) cloudWatchOperation {
	return cloudWatchOperation{write: false, run: bound(f)}
}

func writes[In any](f func(*cloudWatchCall, In) error) cloudWatchOperation {
	return cloudWatchOperation{write: true, run: bound(func(c *cloudWatchCall, in In) (any, error) { return empty{}, f(c, in) })}
}

func bound[In any](f func(*cloudWatchCall, In) (any, error)) func(*cloudWatchCall) (any, error) {
	return func(c *cloudWatchCall) (any, error) {
		var in In
		if err := bind(c.document, &in); err != nil {
			return nil, err
		}
		return f(c, in)
	}
}

// cloudWatchOperations returns every simulated action of CloudWatch.
func cloudWatchOperations() map[string]cloudWatchOperation {
	return map[string]cloudWatchOperation{
		"PutMetricAlarm":    writes(putMetricAlarm),
		"PutCompositeAlarm": writes(putCompositeAlarm),
		"PutLogAlarm":       writes(putLogAlarm),
		"DeleteAlarms":      writes(deleteAlarms),
		"SetAlarmState":     writes(setAlarmState),
		"DescribeAlarms":    reads(describeAlarms),
		"GetMetricData":     reads(getMetricData),
		"PutMetricData":     writes(putMetricData),
	}
}

// cloudWatchActions returns the names of all simulated actions.
func cloudWatchActions() []string { return slices.Sorted(maps.Keys(cloudWatchOperations())) }

func (cw *cloudWatch) find(action string) (cloudWatchOperation, error) {
	op, known := cw.operations[action]
	if !known {
		return op, badRequest("UnknownOperationException", "localalb does not simulate the operation %s of CloudWatch", action)
	}
	return op, nil
}

// Writes reports whether an action changes anything. It returns an error for an action that is not simulated.
func (cw *cloudWatch) Writes(action string) (bool, error) {
	op, err := cw.find(action)
	return op.write, err
}

// Run runs the evaluations that are due and then a call, whose answer it returns. A write changes a clone of the
// alarms: a failed write has no effect, and a lost write is a clone that is discarded.
func (cw *cloudWatch) Run(r cwRequest) (any, error) {
	op, err := cw.find(r.Action)
	if err != nil {
		return nil, err
	}
	cw.mu.Lock()
	defer cw.mu.Unlock()
	c := &cloudWatchCall{cloudWatch: cw, region: r.Region, now: cw.clock.now(), document: r.Document}
	cw.evaluateDue(c.now)
	before := cw.alarms
	if !op.write {
		if r.Effects.stale && cw.previous != nil {
			cw.alarms = cw.previous
			defer func() { cw.alarms = before }()
		}
		return op.run(c)
	}
	c.lost = r.Effects.kind == LostWrite
	cw.alarms = maps.Clone(before)
	answer, err := op.run(c)
	if err != nil || c.lost {
		cw.alarms = before
		return answer, err
	}
	cw.previous = before
	return answer, nil
}
