package elbv2

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const apiVersion = "2015-12-01"

// Options configures a Service.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Account is the account ID in ARNs.
	Account string
	// OmitLoneWeight omits the weight of a target group that is alone in its action.
	OmitLoneWeight bool
	// StaleGroupBalancers makes DescribeTargetGroups return the load balancer of a target group only where a
	// listener or rule was created with it.
	StaleGroupBalancers bool
	// Instances maps instance IDs to addresses. The address of any other instance is 127.0.0.1.
	Instances map[string]string
	// Propagation delays every routing change in the data plane.
	Propagation time.Duration
	// OwnAddresses gives every load balancer a loopback address of its own, instead of 127.0.0.1.
	OwnAddresses bool
	// Now is the clock of late tags. The default is time.Now.
	Now func() time.Time
}

// Service is the control plane. It is safe for concurrent use.
type Service struct {
	opts       Options
	plane      *dataplane.Plane
	operations map[string]operation

	writeMu  sync.Mutex // serializes writes
	closed   bool       // guarded by writeMu
	compiled compiled   // guarded by writeMu
	current  atomic.Pointer[state]
	previous atomic.Pointer[state] // the state before the latest write that changed more than tags, for StaleRead
}

// New returns a control plane without resources, which configures the data plane.
func New(plane *dataplane.Plane, opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Service{opts: opts, plane: plane, operations: operations()}
	s.current.Store(newState())
	return s
}

// Request is a call to the API.
type Request struct {
	// Params are the parameters of the call, including Action and Version.
	Params url.Values
	Region string
	// Effects are those of the injected faults.
	Effects faults.Effects
}

// call is the context of one API call. A write gets its own clone of the state.
type call struct {
	wire.Params
	service *Service
	state   *state
	region  string
	effects faults.Effects
}

// operation is the implementation of an action. run returns the value of the Result element.
type operation struct {
	write bool
	run   func(*call) (any, error)
}

// operations returns every simulated action of the ELBv2 API.
func operations() map[string]operation {
	return map[string]operation{
		"CreateLoadBalancer":             {true, createLoadBalancer},
		"DescribeLoadBalancers":          {false, describeLoadBalancers},
		"DeleteLoadBalancer":             {true, deleteLoadBalancer},
		"SetSecurityGroups":              {true, setSecurityGroups},
		"SetSubnets":                     {true, setSubnets},
		"SetIpAddressType":               {true, setIPAddressType},
		"DescribeCapacityReservation":    {false, describeCapacityReservation},
		"DescribeLoadBalancerAttributes": {false, describeLoadBalancerAttributes},
		"ModifyLoadBalancerAttributes":   {true, modifyLoadBalancerAttributes},
		"CreateTargetGroup":              {true, createTargetGroup},
		"DescribeTargetGroups":           {false, describeTargetGroups},
		"ModifyTargetGroup":              {true, modifyTargetGroup},
		"DeleteTargetGroup":              {true, deleteTargetGroup},
		"DescribeTargetGroupAttributes":  {false, describeTargetGroupAttributes},
		"ModifyTargetGroupAttributes":    {true, modifyTargetGroupAttributes},
		"RegisterTargets":                {true, registerTargets},
		"DeregisterTargets":              {true, deregisterTargets},
		"DescribeTargetHealth":           {false, describeTargetHealth},
		"CreateListener":                 {true, createListener},
		"DescribeListeners":              {false, describeListeners},
		"ModifyListener":                 {true, modifyListener},
		"DeleteListener":                 {true, deleteListener},
		"DescribeListenerAttributes":     {false, describeListenerAttributes},
		"ModifyListenerAttributes":       {true, modifyListenerAttributes},
		"DescribeListenerCertificates":   {false, describeListenerCertificates},
		"CreateRule":                     {true, createRule},
		"DescribeRules":                  {false, describeRules},
		"ModifyRule":                     {true, modifyRule},
		"DeleteRule":                     {true, deleteRule},
		"SetRulePriorities":              {true, setRulePriorities},
		"AddTags":                        {true, addTags},
		"RemoveTags":                     {true, removeTags},
		"DescribeTags":                   {false, describeTags},
	}
}

// Actions returns the names of all simulated actions.
func Actions() []string { return slices.Sorted(maps.Keys(operations())) }

func (s *Service) find(form url.Values) (operation, error) {
	action, version := form.Get("Action"), form.Get("Version")
	op, known := s.operations[action]
	if !known || version != apiVersion {
		return operation{}, wire.BadRequest("InvalidAction", "Could not find operation %s for version %s", action, version)
	}
	return op, nil
}

// Writes reports whether a call changes anything. It returns an error for an action that is not simulated.
func (s *Service) Writes(form url.Values) (bool, error) {
	op, err := s.find(form)
	return op.write, err
}

// Run executes a call and returns the value of the Result element. A write is atomic: it takes effect as a whole, in
// the control plane and in the data plane, or not at all.
func (s *Service) Run(r Request) (any, error) {
	op, err := s.find(r.Params)
	if err != nil {
		return nil, err
	}
	c := &call{Params: wire.NewParams(r.Params), service: s, region: r.Region, effects: r.Effects}
	if !op.write {
		c.state = s.current.Load()
		if previous := s.previous.Load(); r.Effects.Stale && previous != nil && !ofTags(r.Params) {
			c.state = previous
		}
		return op.run(c)
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if s.closed {
		return nil, &wire.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The server is closing"}
	}
	before := s.current.Load()
	c.state = before.clone()
	result, err := op.run(c)
	if err != nil || r.Effects.Kind == faults.LostWrite {
		return result, err
	}
	if err := s.apply(c.state, s.opts.Propagation+r.Effects.SyncDelay); err != nil {
		return nil, err
	}
	if !ofTags(r.Params) {
		s.previous.Store(before)
	}
	s.current.Store(c.state)
	return result, nil
}

// ofTags reports whether a call reads or changes nothing but tags. Tags have a history of their own, so that a write
// of tags does not make the older weights unreadable for StaleRead, nor the reverse.
func ofTags(form url.Values) bool { return strings.HasSuffix(form.Get("Action"), "Tags") }

// apply configures the data plane.
func (s *Service) apply(next *state, delay time.Duration) error {
	rules := s.compiled.next(next)
	if err := s.plane.Apply(next.config(rules), delay); err != nil {
		return wire.BadRequest("InvalidConfigurationRequest", "localaws %v. Ask for another port, or let it take free ones", err)
	}
	s.compiled = rules
	return nil
}

// Close rejects all further writes and returns when none is in progress. Afterwards the data plane can be closed.
func (s *Service) Close() {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.closed = true
}

// ListenerStatus is a listener as the control plane shows it.
type ListenerStatus struct {
	Port  int
	Rules []RuleStatus
}

// RuleStatus is a rule of a listener in the form of the management port.
type RuleStatus struct {
	ARN      string         `json:"arn"`
	Priority string         `json:"priority"`
	Actions  []string       `json:"actions"`
	Weights  map[string]int `json:"weights,omitempty"`
}

// Status returns all listeners by ARN.
func (s *Service) Status() map[string]ListenerStatus {
	now := s.current.Load()
	out := map[string]ListenerStatus{}
	for arn, l := range now.listeners {
		out[arn] = ListenerStatus{Port: l.port, Rules: mapTo(now.rulesOf(arn), newRuleStatus)}
	}
	return out
}

func newRuleStatus(r *rule) RuleStatus {
	out := RuleStatus{ARN: r.arn, Priority: showRule(r).Priority}
	for _, a := range r.actions {
		out.Actions = append(out.Actions, a.Type)
		if a.ForwardConfig == nil {
			continue
		}
		out.Weights = map[string]int{}
		for _, g := range a.ForwardConfig.TargetGroups.Members {
			out.Weights[g.TargetGroupArn] = g.share()
		}
	}
	return out
}
