package route53

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// Options configures a Service.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// Propagation is the time for which a change is PENDING.
	Propagation time.Duration
	// Processing is the time after a change of a zone in which another one is rejected with PriorRequestNotComplete.
	Processing time.Duration
	// RequestRate is the number of calls per second that are served, 0 for any number. AWS has 5 per account.
	RequestRate int
	// BalancerZone is the hosted zone ID of load balancers, to which aliases refer.
	BalancerZone string
	// Balancer returns the load balancer with a DNS name, which is in lower case with a dot at the end.
	Balancer func(name string) (nameserver.Balancer, bool)
}

// Service holds hosted zones and health checks. It has no goroutines: changes that are due become INSYNC before the
// next call or query is answered. It is safe for concurrent use.
type Service struct {
	opts       Options
	operations map[string]operation

	mu        sync.Mutex
	state     *state
	previous  *state // the state before the latest write, for StaleRead
	bucket    bucket
	changes   map[string]*change
	queues    map[string][]*change // by zone ID, oldest first: those that are PENDING
	published map[string]*nameserver.Zone
	holds     int
	busy      map[string]time.Time // by zone ID: until when further changes are rejected
	failing   map[string]bool      // by health check ID: whether its checkers report failures
}

// state is everything that the API returns. What its maps refer to never changes: a write works on a clone and puts
// new values in it.
type state struct {
	zones  map[string]*zone
	checks map[string]*healthCheck
	tags   map[tagged]map[string]string
}

func (s *state) clone() *state {
	return &state{zones: maps.Clone(s.zones), checks: maps.Clone(s.checks), tags: maps.Clone(s.tags)}
}

// New returns a Service without hosted zones.
func New(opts Options) *Service {
	return &Service{
		opts: opts, operations: operations(), bucket: bucket{rate: opts.RequestRate},
		state:   &state{zones: map[string]*zone{}, checks: map[string]*healthCheck{}, tags: map[tagged]map[string]string{}},
		changes: map[string]*change{}, queues: map[string][]*change{}, published: map[string]*nameserver.Zone{}, busy: map[string]time.Time{},
		failing: map[string]bool{},
	}
}

// Request is a call to the API.
type Request struct {
	Action string
	// Document holds the parameters, those of the path and the query included.
	Document any
	// Effects are those of the injected faults.
	Effects faults.Effects
}

// call is the context of one call.
type call struct {
	*Service
	now       time.Time
	document  any
	submitted []*change // PENDING if the call succeeds
}

// operation is the implementation of an action.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

func reads[In any](f func(*call, In) (any, error)) operation {
	return operation{write: false, run: bound(f)}
}

func writes[In any](f func(*call, In) (any, error)) operation {
	return operation{write: true, run: bound(f)}
}

func bound[In any](f func(*call, In) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		var in In
		if err := wire.Bind(c.document, &in); err != nil {
			return nil, asInvalidInput(err)
		}
		return f(c, in)
	}
}

// asInvalidInput returns the error for a parameter of a wrong type, which Route 53 has no other code for.
func asInvalidInput(err error) error {
	if known, ok := errors.AsType[*wire.Error](err); ok {
		return invalidInput("%s", known.Message)
	}
	return err
}

// operations returns every simulated action of Route 53.
func operations() map[string]operation {
	return map[string]operation{
		"ChangeResourceRecordSets": writes(changeRecords),
		"ListResourceRecordSets":   reads(listRecords),
		"GetChange":                reads(getChange),
		"CreateHostedZone":         writes(createZone),
		"GetHostedZone":            reads(getZone),
		"DeleteHostedZone":         writes(deleteZone),
		"UpdateHostedZoneComment":  writes(updateZoneComment),
		"ListHostedZones":          reads(listZones),
		"ListHostedZonesByName":    reads(listZonesByName),
		"GetDNSSEC":                reads(getDNSSEC),
		"CreateHealthCheck":        writes(createHealthCheck),
		"GetHealthCheck":           reads(getHealthCheck),
		"UpdateHealthCheck":        writes(updateHealthCheck),
		"DeleteHealthCheck":        writes(deleteHealthCheck),
		"ListHealthChecks":         reads(listHealthChecks),
		"GetHealthCheckStatus":     reads(getHealthCheckStatus),
		"ChangeTagsForResource":    writes(changeTags),
		"ListTagsForResource":      reads(listTags),
	}
}

// Actions returns the names of all simulated actions.
func Actions() []string { return slices.Sorted(maps.Keys(operations())) }

func (s *Service) find(action string) (operation, error) {
	op, known := s.operations[action]
	if !known {
		return op, wire.BadRequest("InvalidAction", "localaws does not simulate this operation of Route 53")
	}
	return op, nil
}

// Writes reports whether an action changes anything. It returns an error for an action that is not simulated.
func (s *Service) Writes(action string) (bool, error) {
	op, err := s.find(action)
	return op.write, err
}

// Run runs a call and returns its answer. A write changes a clone of the state: a failed write has no effect, and a
// lost write is a clone that is discarded.
func (s *Service) Run(r Request) (any, error) {
	op, err := s.find(r.Action)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Service: s, now: s.opts.Now(), document: r.Document}
	if !s.bucket.take(c.now) {
		return nil, wire.BadRequest("Throttling", "Rate exceeded")
	}
	s.settle(c.now)
	before := s.state
	if !op.write {
		if r.Effects.Stale && s.previous != nil {
			s.state = s.previous
			defer func() { s.state = before }()
		}
		return op.run(c)
	}
	s.state = before.clone()
	answer, err := op.run(c)
	if err != nil {
		s.state = before
		return nil, err
	}
	if r.Effects.Kind == faults.LostWrite {
		s.state = before
		s.lose(c.submitted)
		return answer, nil
	}
	s.previous = before
	for _, change := range c.submitted {
		s.enqueue(change, c.now, r.Effects.SyncDelay)
	}
	return answer, nil
}

func invalidInput(format string, args ...any) error {
	return wire.BadRequest("InvalidInput", format, args...)
}

func notFound(code, format string, args ...any) error {
	out := wire.BadRequest(code, format, args...)
	if known, ok := errors.AsType[*wire.Error](out); ok {
		known.Status = http.StatusNotFound
	}
	return out
}

// bucket is a token bucket: it holds as many calls as are served per second.
type bucket struct {
	rate    int // 0: without a limit
	tokens  float64
	updated time.Time // zero before the first call
}

// take reports whether a call is served.
func (b *bucket) take(now time.Time) bool {
	if b.rate <= 0 {
		return true
	}
	limit := float64(b.rate)
	if b.updated.IsZero() {
		b.tokens = limit
	}
	b.tokens = min(limit, b.tokens+limit*max(0, now.Sub(b.updated).Seconds()))
	b.updated = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
