package kubernetes

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// sightings are the weights that the callers of a Router know of: those of the newest object that Read returned, and
// those that were sent since. A write that finds others was decided on weights that somebody else has changed. It
// is safe for concurrent use. The zero value knows none.
type sightings struct {
	mu       sync.Mutex
	all      map[Route]sighting
	accepted map[Route]int // writes that the API accepted
}

type sighting struct {
	uid        string
	generation int64 // a read that ends late may be older than another one; 0: the kind of object has none
	weights    []map[string]int
}

// read records what was read.
func (s *sightings) read(route Route, object *unstructured.Unstructured, weights map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[Route]sighting{}
	}
	before, next := s.all[route], sighting{string(object.GetUID()), object.GetGeneration(), []map[string]int{weights}}
	if before.uid == next.uid && before.generation > next.generation {
		return
	}
	if before.uid == next.uid && before.generation == next.generation { // what was sent since may still arrive
		next.weights = append(next.weights, before.weights...)
		next.weights = next.weights[:min(len(next.weights), maxSightings)]
	}
	s.all[route] = next
}

// maxSightings limits what is remembered of one generation of an object.
const maxSightings = 2 * maxConflicts

// sent records weights that are about to be written.
func (s *sightings) sent(route Route, weights map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, has := s.all[route]; has {
		before.weights = append([]map[string]int{weights}, before.weights...)
		s.all[route] = before
	}
}

// knows reports whether a caller knows of the weights. Where nothing was read, nothing can be compared.
func (s *sightings) knows(route Route, weights map[string]int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, has := s.all[route]
	return !has || slices.ContainsFunc(before.weights, func(x map[string]int) bool { return sameShares(x, weights) })
}

// accept records that the API accepted a write.
func (s *sightings) accept(route Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		s.accepted = map[Route]int{}
	}
	s.accepted[route]++
}

// writes returns how many writes the API has accepted. A get that begins afterwards shows them: the API server reads
// from a quorum of etcd.
func (s *sightings) writes(route Route) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted[route]
}
