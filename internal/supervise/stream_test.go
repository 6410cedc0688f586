package supervise

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// written is what a stream wrote, a text per write.
type written struct{ all []string }

func (w *written) Write(text []byte) (int, error) {
	w.all = append(w.all, string(text))
	return len(text), nil
}

func (w *written) text() string { return strings.Join(w.all, "") }

func TestStream(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(*stream)
		want string
	}{
		"lines":                     {func(s *stream) { _, _ = s.Write([]byte("a\nb\n")); s.Line("x") }, "a\nb\nx\n"},
		"before the beginning":      {func(s *stream) { _, _ = s.Write([]byte("a")); s.Line("x"); _, _ = s.Write([]byte("b\n")) }, "x\nab\n"},
		"after the end":             {func(s *stream) { begin(s, "a"); s.Line("x"); s.Line("y"); _, _ = s.Write([]byte("b\nc\n")) }, "ab\nc\nx\ny\n"},
		"a line that does not end":  {func(s *stream) { begin(s, "Enter a value: "); s.Line("x"); time.Sleep(2 * openPause) }, "Enter a value: \nx\n"},
		"its end, and another line": {func(s *stream) { begin(s, "a"); s.Line("x"); begin(s, "b"); begin(s, "c\n") }, "abc\nx\n"},
		"the end of everything":     {func(s *stream) { _, _ = s.Write([]byte("a")) }, "a"},
		"with a line":               {func(s *stream) { begin(s, "a"); s.Line("x") }, "a\nx\n"},
		"a very long line":          {func(s *stream) { _, _ = s.Write(bytes.Repeat([]byte("a"), maxPartial+1)); s.Line("x") }, strings.Repeat("a", maxPartial+1) + "\nx\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w written
				s := newStream(&w)
				tt.do(s)
				s.Close()
				if w.text() != tt.want {
					t.Errorf("got %q, want %q", w.text(), tt.want)
				}
			})
		})
	}
}

// begin writes a text and waits until it is written, although its line is not complete.
func begin(s *stream, text string) {
	_, _ = s.Write([]byte(text))
	time.Sleep(2 * partialPause)
}

// A line is one write, however the command writes it.
func TestStream_writesWholeLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w written
		s := newStream(&w)
		for _, r := range "one line\n" {
			_, _ = s.Write([]byte(string(r)))
		}
		if len(w.all) != 1 {
			t.Errorf("written: %q", w.all)
		}
		s.Close()
	})
}

// A progress bar writes without end, and neither it nor the lines of others wait for that end.
func TestStream_aLineThatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w written
		s := newStream(&w)
		defer s.Close()
		began := time.Now()
		for text := ""; !strings.Contains(text, "x\n"); {
			_, _ = s.Write([]byte("#\r"))
			if time.Since(began) == 0 {
				time.Sleep(2 * partialPause)
				s.Line("x")
			}
			time.Sleep(partialPause / 2)
			s.mu.Lock()
			text = w.text()
			s.mu.Unlock()
			if late := time.Since(began) - time.Duration(strings.Count(text, "#"))*partialPause/2; late > 4*partialPause {
				t.Fatalf("%s of output is not written after %s", late, time.Since(began))
			}
			if time.Since(began) > 2*openPause {
				t.Fatalf("a line waits after %s: %q", time.Since(began), text)
			}
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

// The output of a command is read although nobody reads it.
func TestStream_neverFails(t *testing.T) {
	s := newStream(broken{})
	if n, err := s.Write([]byte("a\n")); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	s.Close()
}
