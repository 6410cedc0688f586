package dataplane

import "sync"

// flow is an open connection of a network load balancer, or a flow of UDP. Exactly one side ends it out of order.
type flow struct {
	once sync.Once
	end  func()
}

// cut ends the flow on behalf of the load balancer, unless it was reset before.
func (f *flow) cut() { f.once.Do(f.end) }

// finish says that the flow has ended: it can no longer be cut.
func (f *flow) finish() { f.once.Do(func() {}) }

// flowSet is a set of open flows. Its zero value is empty.
type flowSet struct {
	mu    sync.Mutex
	flows map[*flow]struct{}
	empty []chan struct{} // closed when the set becomes empty
}

func (s *flowSet) add(f *flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flows == nil {
		s.flows = map[*flow]struct{}{}
	}
	s.flows[f] = struct{}{}
}

func (s *flowSet) remove(f *flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flows, f)
	if len(s.flows) > 0 {
		return
	}
	for _, waiting := range s.empty {
		close(waiting)
	}
	s.empty = nil
}

func (s *flowSet) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.flows)
}

// drained returns a channel that is closed as soon as the set is empty.
func (s *flowSet) drained() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := make(chan struct{})
	if len(s.flows) == 0 {
		close(done)
		return done
	}
	s.empty = append(s.empty, done)
	return done
}

// cut ends all flows. They leave the set on their own.
func (s *flowSet) cut() {
	s.mu.Lock()
	var all []*flow
	for f := range s.flows {
		all = append(all, f)
	}
	s.mu.Unlock()
	for _, f := range all {
		f.cut()
	}
}
