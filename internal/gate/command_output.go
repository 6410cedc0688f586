package gate

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const (
	shownLines = 20  // of a command's output
	shownLine  = 500 // bytes of each
)

// escapes are the sequences with which programs colour a terminal.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

// output keeps the last lines of what a command prints, however much that is.
// Blank lines are passed over. It is written to by one goroutine, and read when
// that has ended.
type output struct {
	kept [shownLines]line // used in a circle
	all  int              // how many lines there were
	next line             // the one that has begun
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
			o.next.add(p)
			break
		}
		o.next.add(p[:end])
		o.endLine()
		p = p[end+1:]
	}
	return n, nil
}

func (l *line) add(p []byte) {
	room := shownLine - len(l.text)
	l.cut = l.cut || len(p) > room
	l.text = append(l.text, p[:min(len(p), room)]...)
}

// endLine trades the line that has begun for the oldest one, whose memory it
// takes over.
func (o *output) endLine() {
	if len(bytes.TrimSpace(o.next.text)) > 0 {
		oldest := &o.kept[o.all%shownLines]
		*oldest, o.next = o.next, *oldest
		o.all++
	}
	o.next.text, o.next.cut = o.next.text[:0], false
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
	for i := max(0, o.all-shownLines); i < o.all; i++ {
		if text := o.kept[i%shownLines].String(); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// lastLines tells the last lines, each on one of its own. It reads on from a
// sentence.
func (o *output) lastLines() string {
	lines := o.last()
	switch {
	case len(lines) == 0:
		return ". It printed nothing"
	case len(lines) == 1 && len(lines[0]) <= shownBody:
		return ". It printed: " + lines[0]
	}
	which := fmt.Sprintf("its output, %d lines", o.all)
	if o.all == 1 {
		which = "its output, 1 line"
	} else if o.all > len(lines) {
		which = fmt.Sprintf("the last %d of %d lines of its output", len(lines), o.all)
	}
	return ". This is " + which + ":\n  " + strings.Join(lines, "\n  ") + "\nend of output"
}

// lastWord tells the last line where it is short.
func (o *output) lastWord() string {
	lines := o.last()
	if len(lines) == 0 || len(lines[len(lines)-1]) > shownBody {
		return ""
	}
	return ". It printed last: " + lines[len(lines)-1]
}
