package awscall

import (
	"context"
	"sync"
	"time"
)

const (
	batchWindow = 5 * time.Millisecond // requests within this time share calls
	cacheTTL    = 2 * time.Second
	callTimeout = 20 * time.Second // of a shared call, so that a refresh without an answer ends soon
)

// Batcher answers requests for single resources with calls that many of them share:
// requests within batchWindow are sent together, one in flight is not repeated, and a
// result is cached for cacheTTL.
type Batcher[T any] struct {
	// Each reads resources and returns a result or an error for each.
	Each func(ctx context.Context, ids []string) (map[string]T, map[string]error)

	cache Cache[string, T]
	mu    sync.Mutex
	next  []request[T] // for the next calls
}

type request[T any] struct {
	id     string
	answer *Result[T]
}

// Get returns the resources in order. It fails only for its own, not for those of others
// in the same call.
func (b *Batcher[T]) Get(ctx context.Context, ids []string) ([]T, error) {
	var answers []*Result[T]
	for _, id := range ids {
		answers = append(answers, b.Request(ctx, id))
	}
	found := make([]T, 0, len(ids))
	for _, answer := range answers {
		value, err := answer.Wait(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, nil
}

// Request asks for a resource without waiting for it.
func (b *Batcher[T]) Request(ctx context.Context, id string) *Result[T] {
	answer, isNew := b.cache.take(id)
	if isNew {
		b.enqueue(ctx, request[T]{id, answer})
	}
	return answer
}

// enqueue adds a request to the next calls and schedules them.
func (b *Batcher[T]) enqueue(ctx context.Context, q request[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.next) == 0 {
		time.AfterFunc(batchWindow, func() { b.send(ctx) })
	}
	b.next = append(b.next, q)
}

func (b *Batcher[T]) send(ctx context.Context) {
	b.mu.Lock()
	going := b.next
	b.next = nil
	b.mu.Unlock()
	var ids []string
	for _, q := range going {
		ids = append(ids, q.id)
	}
	ctx, cancel := Detached(ctx)
	defer cancel()
	found, errs := b.Each(ctx, ids)
	for _, q := range going {
		b.cache.give(q.answer, found[q.id], errs[q.id])
	}
}

// Forget empties the cache.
func (b *Batcher[T]) Forget() { b.cache.Forget() }

// Detached returns a context that keeps a call running when the first of its callers is canceled.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
}

// Cache holds results that are in flight or cached.
type Cache[K comparable, T any] struct {
	mu   sync.Mutex
	held map[K]*Result[T]
}

// Result is a result that is available once done is closed.
type Result[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // cached until then; zero while in flight
}

// take returns the result to wait for, and whether the caller has to produce it. Errors are not cached.
func (s *Cache[K, T]) take(key K) (a *Result[T], isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = s.held[key]
	if a != nil && (a.until.IsZero() || a.err == nil && time.Now().Before(a.until)) {
		return a, false
	}
	if s.held == nil {
		s.held = map[K]*Result[T]{}
	}
	a = &Result[T]{done: make(chan struct{})}
	s.held[key] = a
	return a, true
}

// Get returns the result of key, which read produces where it is not in flight or cached. The call goes on
// when the first of its callers is canceled.
func (s *Cache[K, T]) Get(ctx context.Context, key K, read func(context.Context) (T, error)) (T, error) {
	a, isNew := s.take(key)
	if isNew {
		go func() {
			ctx, cancel := Detached(ctx)
			defer cancel()
			value, err := read(ctx)
			s.give(a, value, err)
		}()
	}
	return a.Wait(ctx)
}

// give sets a result.
func (s *Cache[K, T]) give(a *Result[T], value T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.value, a.err, a.until = value, err, time.Now().Add(cacheTTL)
	close(a.done)
}

// Forget empties the cache.
func (s *Cache[K, T]) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.held)
}

// Wait returns the result once it is available, or the cause of the end of ctx.
func (a *Result[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
