package dataplane

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// idleTimer cancels a request when no data has arrived in either direction for the idle timeout.
type idleTimer struct {
	timer *time.Timer
	limit time.Duration
}

func newIdleTimer(limit time.Duration, cancel context.CancelCauseFunc) *idleTimer {
	return &idleTimer{timer: time.AfterFunc(limit, func() { cancel(errIdleTimeout) }), limit: limit}
}

func (s *idleTimer) stop() { s.timer.Stop() }

// restart begins the limit anew unless it has passed.
func (s *idleTimer) restart() {
	if s.timer.Stop() {
		s.timer.Reset(s.limit)
	}
}

// wrap restarts the timer with every read that returns data.
func (s *idleTimer) wrap(body io.ReadCloser) io.ReadCloser {
	return &activityReader{ReadCloser: body, timer: s}
}

// wrapRequest also stores the time of the last read, which is when the last byte was sent to the target.
func (s *idleTimer) wrapRequest(body io.ReadCloser, lastRead *atomic.Int64) io.ReadCloser {
	return &activityReader{ReadCloser: body, timer: s, lastRead: lastRead}
}

type activityReader struct {
	io.ReadCloser
	timer    *idleTimer
	lastRead *atomic.Int64 // nanoseconds since the Unix epoch; nil if not needed
}

// Read reads from the body and restarts the timer unless it has expired.
func (r *activityReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.lastRead != nil {
		r.lastRead.Store(time.Now().UnixNano())
	}
	if n > 0 {
		r.timer.restart()
	}
	return n, err
}

// pool reuses the buffers of the proxies, which would otherwise allocate one for every response.
type pool struct{ buffers *sync.Pool }

func newPool() pool {
	return pool{&sync.Pool{New: func() any { return new([32 << 10]byte) }}}
}

// Get returns a buffer.
func (p pool) Get() []byte {
	if b, ok := p.buffers.Get().(*[32 << 10]byte); ok {
		return b[:]
	}
	return make([]byte, 32<<10)
}

// Put returns a buffer to the pool.
func (p pool) Put(b []byte) {
	if len(b) == 32<<10 {
		p.buffers.Put((*[32 << 10]byte)(b))
	}
}
