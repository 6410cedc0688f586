package localkube

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Kind is a kind of misbehavior. Each is one of the API server or of the network.
type Kind string

// The kinds.
const (
	TooManyRequests Kind = "TooManyRequests" // 429, from priority and fairness
	ServerError     Kind = "ServerError"     // 500, from etcd
	Unauthorized    Kind = "Unauthorized"    // 401, as for an expired token
	Forbidden       Kind = "Forbidden"       // 403, as without a rule of RBAC
	Conflict        Kind = "Conflict"        // 409 for a write, whatever its resourceVersion
	DropConnection  Kind = "DropConnection"  // closes the connection without executing the request
	DropAnswer      Kind = "DropAnswer"      // executes the request and closes the connection
	LostWrite       Kind = "LostWrite"       // answers a write without executing it
	HTMLBody        Kind = "HTMLBody"        // executes the request and responds with a page, as a proxy does
	EmptyBody       Kind = "EmptyBody"       // executes the request and responds with 200 and no body
	Slow            Kind = "Slow"            // delays the request by Delay
)

func kinds() []Kind {
	return []Kind{TooManyRequests, ServerError, Unauthorized, Forbidden, Conflict, DropConnection, DropAnswer, LostWrite, HTMLBody, EmptyBody, Slow}
}

// Fault is a kind of misbehavior and the requests that it affects. Empty fields match all.
type Fault struct {
	Kind     Kind
	Verb     string // such as "update"
	Resource string // plural, such as "httproutes"
	Name     string // of the object
	Skip     int    // matching requests that are not affected before the fault begins
	Times    int    // requests to affect; 0: all until the fault is removed
	Delay    time.Duration
}

func (f Fault) matches(q request) bool {
	return (f.Verb == "" || f.Verb == q.verb) && (f.Resource == "" || f.Resource == q.resource.plural) && (f.Name == "" || f.Name == q.name) &&
		(q.writes() || f.Kind != Conflict && f.Kind != LostWrite)
}

// faultSet holds the active faults.
type faultSet struct {
	mu     sync.Mutex
	active []*activeFault
}

type activeFault struct {
	Fault
	seen int
}

// Inject adds a fault and returns a function that removes it. It panics for an unknown kind, which is a mistake of a test.
func (s *Server) Inject(f Fault) (remove func()) {
	if !slices.Contains(kinds(), f.Kind) {
		panic(fmt.Sprintf("localkube: unknown kind of fault %q, want one of %v", f.Kind, kinds()))
	}
	added := &activeFault{Fault: f}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = append(s.faults.active, added)
	return func() {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.active = slices.DeleteFunc(s.faults.active, func(x *activeFault) bool { return x == added })
	}
}

// effects returns the faults that affect a request: the delay, and the first other kind.
func (s *faultSet) effects(q request) (delay time.Duration, kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.active {
		if !f.matches(q) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Times > 0 && f.seen > f.Skip+f.Times {
			continue
		}
		if f.Kind == Slow {
			delay += f.Delay
		} else if kind == "" {
			kind = f.Kind
		}
	}
	return delay, kind
}
