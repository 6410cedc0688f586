package lambda

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// Options configures a Service.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Account is the account ID in ARNs.
	Account string
	// Metrics counts invocations.
	Metrics dataplane.FunctionMetrics
	// Activation is how long a new version is pending, and Provisioning how long provisioned concurrency is in progress.
	Activation, Provisioning time.Duration
	// Propagation delays every change of an alias for invocations.
	Propagation time.Duration
	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

// Service is the API with the versions that run. It is safe for concurrent use.
type Service struct {
	opts       Options
	operations map[string]operation
	client     *http.Client
	background context.Context // of asynchronous invocations
	stop       context.CancelFunc
	running    sync.WaitGroup // asynchronous invocations

	countMu sync.Mutex
	counts  map[string]map[string]Counts // by ARN and version; never reset

	writeMu  sync.Mutex // serializes writes
	current  atomic.Pointer[state]
	previous atomic.Pointer[state] // the state before the latest write, for StaleRead
}

// New returns a Service without functions.
func New(opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Service{opts: opts, operations: operations(), counts: map[string]map[string]Counts{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	s.background, s.stop = context.WithCancel(context.Background())
	s.current.Store(newState())
	return s
}

// Close ends asynchronous invocations. The caller has ended the others.
func (s *Service) Close() {
	s.stop()
	s.running.Wait()
	s.client.CloseIdleConnections()
}

// Request is a call to the API.
type Request struct {
	// Context ends a synchronous invocation.
	Context context.Context
	Action  string
	Region  string
	// Document has the members of the path, the query and the body.
	Document map[string]any
	// Payload is the body of an invocation.
	Payload []byte
	// InvocationType is that of an invocation; empty: RequestResponse.
	InvocationType string
	// Effects are those of the injected faults.
	Effects faults.Effects
}

// call is the context of one API call. A write gets its own clone of the state.
type call struct {
	*Service
	request Request
	state   *state
	now     time.Time
}

// operation is the implementation of an action.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

// reads and writes return an operation that decodes the document into the input of the action.
func reads[In any](f func(*call, In) (any, error)) operation { return operation{run: bound(f)} }

func writes[In any](f func(*call, In) (any, error)) operation {
	return operation{write: true, run: bound(f)}
}

func bound[In any](f func(*call, In) (any, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		var in In
		text, err := json.Marshal(c.request.Document)
		if err == nil {
			err = json.Unmarshal(text, &in)
		}
		if err != nil {
			return nil, wire.BadRequest("SerializationException", "The body could not be read: %v", err)
		}
		return f(c, in)
	}
}

// operations returns every simulated action.
func operations() map[string]operation {
	return map[string]operation{
		"CreateFunction":                     writes(createFunction),
		"GetFunction":                        reads(getFunction),
		"GetFunctionConfiguration":           reads(getFunctionConfiguration),
		"UpdateFunctionCode":                 writes(updateFunctionCode),
		"UpdateFunctionConfiguration":        writes(updateFunctionConfiguration),
		"DeleteFunction":                     writes(deleteFunction),
		"GetFunctionCodeSigningConfig":       reads(getFunctionCodeSigningConfig),
		"PublishVersion":                     writes(publishVersion),
		"ListVersionsByFunction":             reads(listVersions),
		"CreateAlias":                        writes(createAlias),
		"GetAlias":                           reads(getAlias),
		"UpdateAlias":                        writes(updateAlias),
		"DeleteAlias":                        writes(deleteAlias),
		"ListAliases":                        reads(listAliases),
		"PutProvisionedConcurrencyConfig":    writes(putProvisioned),
		"GetProvisionedConcurrencyConfig":    reads(getProvisioned),
		"DeleteProvisionedConcurrencyConfig": writes(deleteProvisioned),
		"ListProvisionedConcurrencyConfigs":  reads(listProvisioned),
		"TagResource":                        writes(tagResource),
		"UntagResource":                      writes(untagResource),
		"ListTags":                           reads(listTags),
		"Invoke":                             reads(invoke),
	}
}

// Actions returns the names of all simulated actions.
func Actions() []string { return slices.Sorted(maps.Keys(operations())) }

// Writes reports whether an action changes anything.
func (s *Service) Writes(action string) bool { return s.operations[action].write }

// Run executes a call and returns its answer. A write takes effect as a whole or not at all.
func (s *Service) Run(r Request) (any, error) {
	op, known := s.operations[r.Action]
	if !known {
		return nil, wire.BadRequest("UnknownOperationException", "localaws does not simulate the operation %s of Lambda", r.Action)
	}
	c := &call{Service: s, request: r, now: s.opts.Now()}
	if !op.write {
		c.state = s.current.Load()
		if previous := s.previous.Load(); r.Effects.Stale && previous != nil {
			c.state = previous
		}
		return op.run(c)
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	before := s.current.Load()
	c.state = before.clone()
	result, err := op.run(c)
	if err != nil || r.Effects.Kind == faults.LostWrite {
		return result, err
	}
	s.previous.Store(before)
	s.current.Store(c.state)
	return result, nil
}

// Weights returns the shares of invocations of an alias by version, in the order of the API: as they are, even while a
// fault makes calls show older ones. It returns nil where there is no such alias.
func (s *Service) Weights(aliasARN string) map[string]float64 {
	region, name, qualifier := splitARN(aliasARN)
	f := s.current.Load().functions[functionKey{region, name}]
	if f == nil || f.aliases[qualifier] == nil {
		return nil
	}
	r := f.shown(qualifier, s.opts.Now())
	shares := map[string]float64{r.version: 1}
	for number, weight := range r.weights {
		shares[number], shares[r.version] = weight, 1-weight
	}
	return shares
}

// FinishProvisioning ends the provisioning of a version or an alias now. It fails for a reason, and otherwise the
// concurrency is ready. It panics where there is no such configuration: a test whose event never happens could not fail.
func (s *Service) FinishProvisioning(arn, reason string) {
	s.adjust(arn, func(f *function, qualifier string) bool {
		p := f.provisioned[qualifier]
		if p == nil {
			return false
		}
		next := *p
		next.readyAt, next.failure = s.opts.Now(), reason
		f.provisioned[qualifier] = &next
		return true
	})
}

// SetVersionStatus ends the pending state of a version now. With a reason, such as "InternalError", and its text, the
// version has failed; without, it is active. It panics where there is no such version.
func (s *Service) SetVersionStatus(arn, code, reason string) {
	s.adjust(arn, func(f *function, qualifier string) bool {
		i := slices.IndexFunc(f.versions, func(v *version) bool { return v.number == qualifier })
		if i < 0 {
			return false
		}
		next := *f.versions[i]
		next.activeAt, next.failure = s.opts.Now(), failure{code, reason}
		f.versions[i] = &next
		return true
	})
}

// adjust changes a function as AWS itself does, without a call. It panics where there is nothing to change.
func (s *Service) adjust(arn string, change func(f *function, qualifier string) bool) {
	region, name, qualifier := splitARN(arn)
	key := functionKey{region, name}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	next := s.current.Load().clone()
	if next.functions[key] == nil || !change(next.change(key), qualifier) {
		panic("localaws has nothing to change at " + arn)
	}
	s.current.Store(next)
}
