package cloudwatch

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// Options configures a Service.
type Options struct {
	// Account is the account ID in ARNs.
	Account string
	// Period is the period of the metrics of load balancers, and of the evaluation of alarms if it is under a minute.
	Period time.Duration
	// Delay is how long after the end of its period a point of these metrics becomes visible.
	Delay time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Service holds metrics and alarms. It has no goroutines: evaluations that are due run before the next call is
// executed, each as of its due time. It is safe for concurrent use.
type Service struct {
	clock      metricsClock
	account    string
	operations map[string]operation

	mu       sync.Mutex
	metrics  *metrics
	alarms   alarms
	previous alarms     // the alarms before the latest write, for StaleRead
	chain    []alarmKey // alarms whose state change is being propagated
}

// New returns a Service without metrics and alarms. It rejects periods that no query could use.
func New(opts Options) (*Service, error) {
	clock := metricsClock{period: opts.Period, delay: opts.Delay, now: opts.Now}
	if err := clock.check(); err != nil {
		return nil, err
	}
	return &Service{clock: clock, account: opts.Account, operations: operations(), metrics: newMetrics(newELBMetrics(clock)), alarms: alarms{}}, nil
}

// LoadBalancers returns the metrics that load balancers publish.
func (cw *Service) LoadBalancers() dataplane.Metrics { return cw.metrics.elb }

// Request is a call to the API.
type Request struct {
	Action string
	Region string
	// Document holds the parameters, decoded from whatever protocol.
	Document any
	// Effects are those of the injected faults.
	Effects faults.Effects
}

// call is the context of one call to CloudWatch.
type call struct {
	*Service
	region   string
	now      time.Time
	document any
	lost     bool // the write is reported as successful but discarded
}

// operation is the implementation of a CloudWatch action.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

// reads and writes return an operation that decodes the document into the input of the action.
func reads[In any](f func(*call, In) (any, error)) operation {
	return operation{write: false, run: bound(f)}
}

func writes[In any](f func(*call, In) error) operation {
	return operation{write: true, run: bound(func(c *call, in In) (any, error) { return wire.Empty{}, f(c, in) })}
}

func bound[In any](f func(*call, In) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		var in In
		if err := wire.Bind(c.document, &in); err != nil {
			return nil, err
		}
		return f(c, in)
	}
}

// operations returns every simulated action of CloudWatch.
func operations() map[string]operation {
	return map[string]operation{
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

// Actions returns the names of all simulated actions.
func Actions() []string { return slices.Sorted(maps.Keys(operations())) }

func (cw *Service) find(action string) (operation, error) {
	op, known := cw.operations[action]
	if !known {
		return op, wire.BadRequest("UnknownOperationException", "localaws does not simulate the operation %s of CloudWatch", action)
	}
	return op, nil
}

// Writes reports whether an action changes anything. It returns an error for an action that is not simulated.
func (cw *Service) Writes(action string) (bool, error) {
	op, err := cw.find(action)
	return op.write, err
}

// Run runs the evaluations that are due and then a call, whose answer it returns. A write changes a clone of the
// alarms: a failed write has no effect, and a lost write is a clone that is discarded.
func (cw *Service) Run(r Request) (any, error) {
	op, err := cw.find(r.Action)
	if err != nil {
		return nil, err
	}
	cw.mu.Lock()
	defer cw.mu.Unlock()
	c := &call{Service: cw, region: r.Region, now: cw.clock.now(), document: r.Document}
	cw.evaluateDue(c.now)
	before := cw.alarms
	if !op.write {
		if r.Effects.Stale && cw.previous != nil {
			cw.alarms = cw.previous
			defer func() { cw.alarms = before }()
		}
		return op.run(c)
	}
	c.lost = r.Effects.Kind == faults.LostWrite
	cw.alarms = maps.Clone(before)
	answer, err := op.run(c)
	if err != nil || c.lost {
		cw.alarms = before
		return answer, err
	}
	cw.previous = before
	return answer, nil
}
