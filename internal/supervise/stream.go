package supervise

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// partialPause is how long the beginning of a line waits for its end.
	partialPause = 100 * time.Millisecond
	// maxPartial is how much of it waits.
	maxPartial = 64 << 10
	// openPause is how long lines of others wait for the end of a line whose beginning was written.
	openPause = time.Second
)

// stream writes the output of a command, and lines of others between its lines. A writer that
// fails, such as a pipe that nobody reads any more, loses the output and not the command.
type stream struct {
	mu      sync.Mutex
	w       io.Writer
	part    []byte      // the beginning of a line, not written yet
	open    bool        // the last line that was written is not complete
	waiting []byte      // lines of others, until it is
	timer   *time.Timer // of part or waiting
}

func newStream(w io.Writer) *stream { return &stream{w: w} }

// Write implements io.Writer for the output of the command. It never fails.
func (s *stream) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = append(s.part, text...)
	if end := bytes.LastIndexByte(s.part, '\n') + 1; end > 0 {
		s.emit(s.part[:end])
		s.part = append([]byte(nil), s.part[end:]...)
	}
	switch {
	case len(s.part) > maxPartial:
		s.emit(s.part)
		s.part = nil
	case len(s.part) > 0:
		s.after(partialPause)
	}
	return len(text), nil
}

// Line writes a line that is not of the command.
func (s *stream) Line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(append(s.waiting, text...), '\n')
	if s.open {
		s.after(openPause)
		return
	}
	s.emit(nil)
}

// Close writes what waits.
func (s *stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	if s.timer != nil {
		s.timer.Stop()
	}
}

// after flushes after a pause. It must be called with the lock, like all that follow.
func (s *stream) after(pause time.Duration) {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flush()
	})
}

// flush writes the beginning of a line and what waits for its end.
func (s *stream) flush() {
	if len(s.part) > 0 {
		part := s.part
		s.part = nil
		s.emit(part)
		if len(s.waiting) > 0 {
			s.after(openPause)
		}
		return
	}
	if len(s.waiting) > 0 && s.open {
		s.emit([]byte{'\n'})
	}
}

// emit writes a text, and what waits if it ends a line.
func (s *stream) emit(text []byte) {
	if len(text) > 0 {
		s.open = text[len(text)-1] != '\n'
		_, _ = s.w.Write(text)
	}
	if !s.open && len(s.waiting) > 0 {
		_, _ = s.w.Write(s.waiting)
		s.waiting = nil
	}
}
