package localalb

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// silence gives a request up when nothing has moved in either direction for too long.
type silence struct {
	timer *time.Timer
	limit time.Duration
}

func watchSilence(limit time.Duration, giveUp context.CancelCauseFunc) *silence {
	return &silence{timer: time.AfterFunc(limit, func() { giveUp(errTargetSilent) }), limit: limit}
}

func (s *silence) stop() { s.timer.Stop() }

// wrap makes every read count as a sign of life.
func (s *silence) wrap(body io.ReadCloser) io.ReadCloser { return &heard{ReadCloser: body, silence: s} }

// wrapRequest notes besides when the body was last read from: that is when it was written to the target.
func (s *silence) wrapRequest(body io.ReadCloser, last *atomic.Int64) io.ReadCloser {
	return &heard{ReadCloser: body, silence: s, last: last}
}

type heard struct {
	io.ReadCloser
	silence *silence
	last    *atomic.Int64 // nanoseconds since 1970; nil where nobody asks
}

// Read starts the wait anew, unless the wait is over already.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if h.last != nil {
		h.last.Store(time.Now().UnixNano())
	}
	if n > 0 && h.silence.timer.Stop() {
		h.silence.timer.Reset(h.silence.limit)
	}
	return n, err
}

// pool lends buffers to the proxies, which would make one for every answer otherwise.
type pool struct{ buffers *sync.Pool }

func newPool() pool {
	return pool{&sync.Pool{New: func() any { return new([32 << 10]byte) }}}
}

// Get lends a buffer.
func (p pool) Get() []byte {
	if b, ok := p.buffers.Get().(*[32 << 10]byte); ok {
		return b[:]
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (p pool) Put(b []byte) {
	if len(b) == 32<<10 {
		p.buffers.Put((*[32 << 10]byte)(b))
	}
}
