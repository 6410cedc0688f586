package localkube

import (
	"fmt"
	"slices"
	"sync"
)

// Request is a request that was answered.
type Request struct {
	Verb      string // as in RBAC: "get", "list", "create", "update", "patch", "delete"
	Resource  string // such as "httproutes" or "httproutes/status"
	Namespace string
	Name      string
	Manager   string // the field manager of a write
	Code      int    // the status of the answer; 0: the connection was closed
}

// String formats a request: "update httproutes shop/web 200".
func (r Request) String() string {
	return fmt.Sprintf("%s %s %s/%s %d", r.Verb, r.Resource, r.Namespace, r.Name, r.Code)
}

type journal struct {
	mu   sync.Mutex
	all  []Request
	hook func(Request)
}

// Requests returns the requests on resources so far. It does not contain those of discovery.
func (s *Server) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return slices.Clone(s.journal.all)
}

// Count returns how many requests with a verb on a resource were made, whatever became of them.
func (s *Server) Count(verb, plural string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Verb == verb && r.Resource == plural {
			n++
		}
	}
	return n
}

// Hook sets a function that runs before a request is executed, in its goroutine. The Code is 0. It may use
// every method of Server.
func (s *Server) Hook(hook func(Request)) {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.journal.hook = hook
}

func (j *journal) before(r Request) {
	j.mu.Lock()
	hook := j.hook
	j.mu.Unlock()
	if hook != nil {
		hook(r)
	}
}

func (j *journal) add(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, r)
}
