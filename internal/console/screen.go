package console

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// Screen is a terminal that is redrawn in place. It uses the alternate screen, so that a window
// that changes its size leaves nothing behind. It is not safe for concurrent use.
type Screen struct {
	out  io.Writer
	size func() (width, height int)
	open bool
}

const (
	// The size of a window that cannot be read.
	defaultWidth, defaultHeight = 80, 24

	enter = ansi.SetModeAltScreenSaveCursor + ansi.HideCursor
	leave = ansi.ShowCursor + ansi.ResetModeAltScreenSaveCursor
	// begin and end surround a frame, which terminals that know the mode show at once.
	begin = ansi.SetModeSynchronizedOutput + "\x1b[H"
	end   = ansi.EraseScreenBelow + ansi.ResetModeSynchronizedOutput
)

// NewScreen returns the screen of a terminal. It writes nothing before the first Draw.
func NewScreen(out io.Writer) *Screen {
	return &Screen{out: out, size: func() (int, int) { return sizeOf(out) }}
}

// sizeOf is the size of the window of a terminal.
func sizeOf(out io.Writer) (width, height int) {
	if file, is := out.(interface{ Fd() uintptr }); is {
		if width, height, err := term.GetSize(file.Fd()); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return defaultWidth, defaultHeight
}

// Draw shows head, and below it the last lines of tail that fit. Lines that are too long are cut.
func (s *Screen) Draw(head, tail []string) error {
	width, height := s.size()
	var b strings.Builder
	if !s.open {
		b.WriteString(enter)
	}
	s.open = true
	b.WriteString(begin)
	for i, line := range fit(head, tail, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(ansi.Truncate(line, width, "…") + ansi.ResetStyle + ansi.EraseLineRight)
	}
	b.WriteString(end)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// fit returns as much as fits into a window. The head is cut only where it does not fit alone.
func fit(head, tail []string, height int) []string {
	if len(head) >= height {
		return head[:height]
	}
	return append(head[:len(head):len(head)], tail[max(0, len(tail)-(height-len(head))):]...)
}

// Close restores the terminal as it was before the first Draw.
func (s *Screen) Close() error {
	if !s.open {
		return nil
	}
	s.open = false
	_, err := io.WriteString(s.out, leave)
	return err
}
