package localalb

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The services that the endpoint plays, as IAM names them.
const (
	serviceELB        = "elasticloadbalancing"
	serviceCloudWatch = "cloudwatch"
	serviceSTS        = "sts"
)

// cloudWatch is the part of CloudWatch that judges and reads metrics. Nothing in it runs by itself: alarms that
// are due are evaluated before a call is carried out, each as at the time at which it was due.
type cloudWatch struct {
	clock   metricsClock
	account string

	mu       sync.Mutex
	metrics  *metrics
	alarms   alarms
	previous alarms     // before the latest write; for stale reads
	chain    []alarmKey // alarms whose change is being passed on
}

func newCloudWatch(cfg config, own *ownMetrics) *cloudWatch {
	return &cloudWatch{clock: own.clock, account: cfg.account, metrics: newMetrics(own), alarms: alarms{}}
}

// watchCall is one call to CloudWatch while it is carried out.
type watchCall struct {
	*cloudWatch
	region   string
	now      time.Time
	document any
	lost     bool // a write is answered and not done
}

// watchOperation is what an action of CloudWatch does.
type watchOperation struct {
	write bool
	run   func(*watchCall) (any, error)
}

// reads and writes make an operation of a function that takes the action's own input.
func reads[In any](f func(*watchCall, In) (any, error)) watchOperation {
	return watchOperation{write: false, run: bound(f)}
}

func writes[In any](f func(*watchCall, In) error) watchOperation {
	return watchOperation{write: true, run: bound(func(c *watchCall, in In) (any, error) { return empty{}, f(c, in) })}
}

func bound[In any](f func(*watchCall, In) (any, error)) func(*watchCall) (any, error) {
	return func(c *watchCall) (any, error) {
		var in In
		if err := bind(c.document, &in); err != nil {
			return nil, err
		}
		return f(c, in)
	}
}

// watchOperations is every action of CloudWatch that is simulated.
func watchOperations() map[string]watchOperation {
	return map[string]watchOperation{
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

// serveCloudWatch answers one call to CloudWatch.
func (s *Server) serveCloudWatch(w http.ResponseWriter, r *http.Request, speak dialect) {
	raw, err := readPacked(w, r)
	var document any
	if err == nil {
		if document, err = speak.decode(raw); err != nil {
			err = refuse("SerializationException", "The body could not be read: %v", err)
		}
	}
	params := url.Values{}
	flatten("", document, params)
	entry := s.journal.begin(Call{Service: serviceCloudWatch, Action: speak.action, Params: params})
	s.answerCloudWatch(w, speak, entry, func() (any, error) {
		if err != nil {
			return nil, err
		}
		return s.watchOver(r, entry, document)
	})
}

// serveCloudWatchForm answers one call to CloudWatch that comes in the form of the Query API.
func (s *Server) serveCloudWatchForm(w http.ResponseWriter, r *http.Request, form url.Values) {
	entry := s.journal.begin(Call{Service: serviceCloudWatch, Action: form.Get("Action"), Params: form})
	s.answerCloudWatch(w, queryDialect(entry.Action), entry, func() (any, error) {
		document, err := unflatten(form)
		if err != nil {
			return nil, err
		}
		return s.watchOver(r, entry, document)
	})
}

func (s *Server) answerCloudWatch(w http.ResponseWriter, speak dialect, entry *Call, carryOut func() (any, error)) {
	answer, failure := carryOut()
	if errors.Is(failure, errDropped) {
		panic(http.ErrAbortHandler) // net/http's way to close a connection without an answer
	}
	status, code := http.StatusOK, ""
	out := reply{action: speak.action, id: requestID(), answer: answer}
	if failure != nil {
		out.failure = asAPIError(failure)
		status, code = out.failure.status, out.failure.code
		w.Header().Set("X-Amzn-Query-Error", out.queryError())
	}
	s.journal.end(entry, status, code)
	body, err := speak.encode(out)
	if err != nil {
		s.log.Error("cannot encode an answer", "action", entry.Action, "error", err)
	}
	if speak.contentType == "application/cbor" {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.Header().Set("Content-Type", speak.contentType)
	s.answer(w, out.id, status, body)
}

// watchOver carries a call out, under the faults that it meets.
func (s *Server) watchOver(r *http.Request, entry *Call, document any) (any, error) {
	if err := s.admit(r, entry); err != nil {
		return nil, err
	}
	op, known := s.watchOperations[entry.Action]
	if !known {
		return nil, refuse("UnknownOperationException", "localalb does not simulate the operation %s of CloudWatch", entry.Action)
	}
	hit, err := s.misbehave(r.Context(), entry, op.write)
	if err != nil {
		return nil, err
	}
	answer, err := s.watch.carryOut(op, &watchCall{cloudWatch: s.watch, region: s.regionOf(r), document: document}, hit)
	if hit.kind == DropAnswer {
		return nil, errDropped
	}
	return answer, err
}

// carryOut makes up for the evaluations that are due and then runs an operation. Writes change a copy of the
// alarms, so that a failed write leaves nothing behind and a lost one is a copy that nobody takes over.
func (cw *cloudWatch) carryOut(op watchOperation, c *watchCall, hit effects) (any, error) {
	cw.mu.Lock()
	defer cw.mu.Unlock()
	c.now = cw.clock.now()
	cw.catchUp(c.now)
	before := cw.alarms
	if !op.write {
		if hit.stale && cw.previous != nil {
			cw.alarms = cw.previous
			defer func() { cw.alarms = before }()
		}
		return op.run(c)
	}
	c.lost = hit.kind == LostWrite
	cw.alarms = maps.Clone(before)
	answer, err := op.run(c)
	if err != nil || c.lost {
		cw.alarms = before
		return answer, err
	}
	cw.previous = before
	return answer, nil
}
