package elb

import (
	"context"
	"sync"
	"time"
)

// batcher answers requests for single resources with calls that many of them share:
// requests within batchWindow are sent together, one in flight is not repeated, and a
// result is cached for cacheTTL.
type batcher[T any] struct {
	// read reads resources and returns a result or an error for each.
	read func(ctx context.Context, ids []string) (map[string]T, map[string]error)

	cache resultCache[string, T]
	mu    sync.Mutex
	next  []request[T] // for the next calls
}

type request[T any] struct {
	id     string
	answer *sharedResult[T]
}

// get returns the resources in order. It fails only for its own, not for those of others
// in the same call.
func (b *batcher[T]) get(ctx context.Context, ids []string) ([]T, error) {
	var answers []*sharedResult[T]
	for _, id := range ids {
		answers = append(answers, b.request(ctx, id))
	}
	found := make([]T, 0, len(ids))
	for _, answer := range answers {
		value, err := answer.wait(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, nil
}

// request asks for a resource without waiting for it.
func (b *batcher[T]) request(ctx context.Context, id string) *sharedResult[T] {
	answer, isNew := b.cache.take(id)
	if isNew {
		b.enqueue(ctx, request[T]{id, answer})
	}
	return answer
}

// enqueue adds a request to the next calls and schedules them.
func (b *batcher[T]) enqueue(ctx context.Context, q request[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.next) == 0 {
		time.AfterFunc(batchWindow, func() { b.send(ctx) })
	}
	b.next = append(b.next, q)
}

func (b *batcher[T]) send(ctx context.Context) {
	b.mu.Lock()
	going := b.next
	b.next = nil
	b.mu.Unlock()
	var ids []string
	for _, q := range going {
		ids = append(ids, q.id)
	}
	ctx, cancel := detachedContext(ctx)
	defer cancel()
	found, errs := b.read(ctx, ids)
	for _, q := range going {
		b.cache.give(q.answer, found[q.id], errs[q.id])
	}
}

// forget empties the cache.
func (b *batcher[T]) forget() { b.cache.forget() }

// detachedContext keeps a call running when the first of its callers is canceled.
func detachedContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
}

// resultCache holds results that are in flight or cached.
type resultCache[K comparable, T any] struct {
	mu   sync.Mutex
	held map[K]*sharedResult[T]
}

// sharedResult is a result that is available once done is closed.
type sharedResult[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // cached until then; zero while in flight
}

// take returns the result to wait for, and whether the caller has to produce it. Errors are not cached.
func (s *resultCache[K, T]) take(key K) (a *sharedResult[T], isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = s.held[key]
	if a != nil && (a.until.IsZero() || a.err == nil && time.Now().Before(a.until)) {
		return a, false
	}
	if s.held == nil {
		s.held = map[K]*sharedResult[T]{}
	}
	a = &sharedResult[T]{done: make(chan struct{})}
	s.held[key] = a
	return a, true
}

func (s *resultCache[K, T]) give(a *sharedResult[T], value T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.value, a.err, a.until = value, err, time.Now().Add(cacheTTL)
	close(a.done)
}

func (s *resultCache[K, T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.held)
}

func (a *sharedResult[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
