package gate

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxShownLines = 20  // of a command's output
	maxLineBytes  = 500 // bytes of each
)

// escapes are the sequences with which programs colour a terminal.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

// output keeps the last lines of what a command prints, however much that is.
// Blank lines are passed over. It is written to by one goroutine, and read when
// that has ended.
type output struct {
	lines [maxShownLines]line // used in a circle
	count  int              // how many lines there were
	current line             // the one that has begun
}

// line is the beginning of a line as it was printed.
type line struct {
	text []byte
	cut  bool // there was more of it
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n")
		if end < 0 {
			o.current.add(p)
			break
		}
		o.current.add(p[:end])
		o.endLine()
		p = p[end+1:]
	}
	return n, nil
}

func (l *line) add(p []byte) {
	room := maxLineBytes - len(l.text)
	l.cut = l.cut || len(p) > room
	l.text = append(l.text, p[:min(len(p), room)]...)
}

// endLine trades the line that has begun for the oldest one, whose memory it
// takes over.
func (o *output) endLine() {
	if len(bytes.TrimSpace(o.current.text)) > 0 {
		oldest := &o.lines[o.count%maxShownLines]
		*oldest, o.current = o.current, *oldest
		o.count++
	}
	o.current.text, o.current.cut = o.current.text[:0], false
}

// String is a line without what a terminal would obey.
func (l line) String() string {
	text := string(l.text)
	if l.cut { // perhaps within a character
		text = strings.ToValidUTF8(text, "")
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '?'
	}, escapes.ReplaceAllString(strings.ToValidUTF8(text, "?"), ""))
	text = strings.TrimRight(text, " ")
	if l.cut {
		text += "..."
	}
	return text
}

// last returns the last lines, the oldest first.
func (o *output) last() []string {
	o.endLine()
	var lines []string
	for i := max(0, o.count-maxShownLines); i < o.count; i++ {
		if text := o.lines[i%maxShownLines].String(); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// outputText tells the last lines, each on one of its own. It reads on from a
// sentence.
func (o *output) outputText() string {
	lines := o.last()
	switch {
	case len(lines) == 0:
		return ". It printed nothing"
	case len(lines) == 1 && len(lines[0]) <= maxShownBytes:
		return ". It printed: " + lines[0]
	}
	which := fmt.Sprintf("its output, %d lines", o.count)
	if o.count == 1 {
		which = "its output, 1 line"
	} else if o.count > len(lines) {
		which = fmt.Sprintf("the last %d of %d lines of its output", len(lines), o.count)
	}
	return ". This is " + which + ":\n  " + strings.Join(lines, "\n  ") + "\nend of output"
}

// lastLineText tells the last line where it is short.
func (o *output) lastLineText() string {
	lines := o.last()
	if len(lines) == 0 || len(lines[len(lines)-1]) > maxShownBytes {
		return ""
	}
	return ". It printed last: " + lines[len(lines)-1]
}
