package localalb

import (
	"context"
	"io"
	"sync"
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

type heard struct {
	io.ReadCloser
	silence *silence
}

// Read starts the wait anew, unless the wait is over already.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
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
