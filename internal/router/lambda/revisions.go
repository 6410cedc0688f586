package lambda

import (
	"maps"
	"sync"
)

// revisions knows the revisions that aliases had before the last write of this process, so that a read
// that is older than that write can be distinguished from a change by somebody else. The zero value knows
// none. It is safe for concurrent use.
type revisions struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // by route: all that were read
	old  map[string]map[string]bool // by route: those that were read before the last accepted write
	lost map[string]alias           // by route: what a write was to replace that had no answer, and none was accepted since
}

// read records the revision of an alias that was read.
func (r *revisions) read(route, revision string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen, r.old = map[string]map[string]bool{}, map[string]map[string]bool{}
	}
	if r.seen[route] == nil {
		r.seen[route] = map[string]bool{}
	}
	r.seen[route][revision] = true
}

// isFresh reports whether a read of a revision is not older than the last accepted write.
func (r *revisions) isFresh(route, revision string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return revision != "" && !r.old[route][revision]
}

// sent records that a write had no answer that was to replace an alias.
func (r *revisions) sent(route string, before alias) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost == nil {
		r.lost = map[string]alias{}
	}
	r.lost[route] = before
}

// unanswered returns what the last write was to replace, if it had no answer.
func (r *revisions) unanswered(route string) (before alias, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, is = r.lost[route]
	return before, is
}

// write is to be called before an alias is written. The returned function records that the write was
// accepted.
func (r *revisions) write(route string) (accepted func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := maps.Clone(r.seen[route])
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.lost, route)
		if before != nil {
			r.old[route] = before
		}
	}
}
