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
	part    []byte // the beginning of a line, not written yet
	open    bool   // the last line that was written is not complete
	waiting []byte // lines of others, until it is
	// Each pause begins with what waits first, so that a line that only grows holds up neither
	// itself nor the lines of others.
	partTimer, waitingTimer *time.Timer // nil: it does not run
}

func newStream(w io.Writer) *stream { return &stream{w: w} }

// Write implements io.Writer for the output of the command. It never fails.
func (s *stream) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = append(s.part, text...)
	if end := bytes.LastIndexByte(s.part, '\n') + 1; end > 0 {
		rest := append([]byte(nil), s.part[end:]...)
		s.emit(s.part[:end])
		s.part = rest
	}
	switch {
	case len(s.part) > maxPartial:
		s.emit(s.part)
	case len(s.part) > 0:
		s.after(&s.partTimer, partialPause, s.flush)
	}
	return len(text), nil
}

// Line writes a line that is not of the command.
func (s *stream) Line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(append(s.waiting, text...), '\n')
	if s.open {
		s.after(&s.waitingTimer, openPause, s.breakLine)
		return
	}
	s.emitWaiting()
}

// Close writes what waits.
func (s *stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakLine()
}

// after calls do after a pause, unless the timer runs already. It must be called with the lock,
// like all that follow.
func (s *stream) after(timer **time.Timer, pause time.Duration, do func()) {
	if *timer != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if *timer == t { // otherwise it was stopped meanwhile
			do()
		}
	})
	*timer = t
}

func stop(timer **time.Timer) {
	if *timer != nil {
		(*timer).Stop()
		*timer = nil
	}
}

// flush writes the beginning of a line.
func (s *stream) flush() { s.emit(s.part) }

// breakLine writes the beginning of a line, and ends it if lines of others wait for its end.
func (s *stream) breakLine() {
	s.flush()
	if len(s.waiting) > 0 {
		s.emit([]byte{'\n'})
	}
}

// emit writes all of the output that waits, and the lines of others if it ends a line.
func (s *stream) emit(text []byte) {
	stop(&s.partTimer)
	if len(text) > 0 {
		s.open = text[len(text)-1] != '\n'
		_, _ = s.w.Write(text)
	}
	s.part = nil
	if !s.open {
		s.emitWaiting()
	}
}

// emitWaiting writes the lines of others.
func (s *stream) emitWaiting() {
	stop(&s.waitingTimer)
	if len(s.waiting) > 0 {
		_, _ = s.w.Write(s.waiting)
		s.waiting = nil
	}
}
