package localalb

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The simulated services by their IAM prefixes.
const (
	serviceELB        = "elasticloadbalancing"
	serviceCloudWatch = "cloudwatch"
	serviceSTS        = "sts"
)

// cloudWatch simulates metrics and alarms. It has no goroutines: evaluations that are due run before the next call
// is executed, each as of its due time.
type cloudWatch struct {
	clock   metricsClock
	account string

	mu       sync.Mutex
	metrics  *metrics
	alarms   alarms
	previous alarms     // the alarms before the latest write, for StaleRead
	chain    []alarmKey // alarms whose state change is being propagated
}

func newCloudWatch(cfg config, elb *elbMetrics) *cloudWatch {
	return &cloudWatch{clock: elb.clock, account: cfg.account, metrics: newMetrics(elb), alarms: alarms{}}
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

// serveCloudWatch handles a call to CloudWatch in CBOR or JSON.
func (s *Server) serveCloudWatch(w http.ResponseWriter, r *http.Request, proto protocol) {
	raw, err := readBody(w, r)
	var document any
	if err == nil {
		if document, err = proto.decode(raw); err != nil {
			err = badRequest("SerializationException", "The body could not be read: %v", err)
		}
	}
	params := url.Values{}
	flatten("", document, params)
	entry := s.journal.begin(Call{Service: serviceCloudWatch, Action: proto.action, Params: params})
	s.respondCloudWatch(w, proto, entry, func() (any, error) {
		if err != nil {
			return nil, err
		}
		return s.executeCloudWatch(r, entry, document)
	})
}

// serveCloudWatchForm handles a call to CloudWatch in the form of the Query API.
func (s *Server) serveCloudWatchForm(w http.ResponseWriter, r *http.Request, form url.Values) {
	entry := s.journal.begin(Call{Service: serviceCloudWatch, Action: form.Get("Action"), Params: form})
	s.respondCloudWatch(w, queryProtocol(entry.Action), entry, func() (any, error) {
		document, err := unflatten(form)
		if err != nil {
			return nil, err
		}
		return s.executeCloudWatch(r, entry, document)
	})
}

func (s *Server) respondCloudWatch(w http.ResponseWriter, proto protocol, entry *Call, execute func() (any, error)) {
	result, failure := execute()
	if errors.Is(failure, errDropped) {
		panic(http.ErrAbortHandler) // makes net/http close the connection without a response
	}
	status, code := http.StatusOK, ""
	out := reply{action: proto.action, id: requestID(), result: result}
	if failure != nil {
		out.failure = asAPIError(failure)
		status, code = out.failure.status, out.failure.code
		w.Header().Set("X-Amzn-Query-Error", out.queryError())
	}
	s.journal.end(entry, status, code)
	body, err := proto.encode(out)
	if err != nil {
		s.log.Error("cannot encode a response", "action", entry.Action, "error", err)
	}
	if proto.contentType == "application/cbor" {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.Header().Set("Content-Type", proto.contentType)
	s.writeResponse(w, out.id, status, body)
}

// executeCloudWatch executes a call under the faults that match it.
func (s *Server) executeCloudWatch(r *http.Request, entry *Call, document any) (any, error) {
	if err := s.admit(r, entry); err != nil {
		return nil, err
	}
	op, known := s.cloudWatchOperations[entry.Action]
	if !known {
		return nil, badRequest("UnknownOperationException", "localalb does not simulate the operation %s of CloudWatch", entry.Action)
	}
	fx, err := s.applyFaults(r.Context(), entry, op.write)
	if err != nil {
		return nil, err
	}
	answer, err := s.cloudWatch.execute(op, &cloudWatchCall{cloudWatch: s.cloudWatch, region: s.regionOf(r), document: document}, fx)
	if fx.kind == DropAnswer {
		return nil, errDropped
	}
	return answer, err
}

// execute runs the evaluations that are due and then an operation. A write changes a clone of the alarms: a failed
// write has no effect, and a lost write is a clone that is discarded.
func (cw *cloudWatch) execute(op cloudWatchOperation, c *cloudWatchCall, fx effects) (any, error) {
	cw.mu.Lock()
	defer cw.mu.Unlock()
	c.now = cw.clock.now()
	cw.evaluateDue(c.now)
	before := cw.alarms
	if !op.write {
		if fx.stale && cw.previous != nil {
			cw.alarms = cw.previous
			defer func() { cw.alarms = before }()
		}
		return op.run(c)
	}
	c.lost = fx.kind == LostWrite
	cw.alarms = maps.Clone(before)
	answer, err := op.run(c)
	if err != nil || c.lost {
		cw.alarms = before
		return answer, err
	}
	cw.previous = before
	return answer, nil
}
