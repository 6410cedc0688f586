package program

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxShownLines = 20  // lines of a command's output
	maxLineBytes  = 500 // bytes of each line
	maxShownBytes = 200 // bytes of a line that is shown behind something
)

// escapes matches the control sequences that color a terminal.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

// Output stores the last lines that a command prints, in constant memory. It skips
// blank lines. One goroutine writes to it; it is read after that has ended.
type Output struct {
	lines   [maxShownLines]line // ring buffer
	count   int                 // number of lines printed
	current line                // the unfinished line
}

// line is the beginning of a line as it was printed.
type line struct {
	text []byte
	cut  bool // the line was longer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
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

// endLine stores the current line in place of the oldest one and reuses the memory
// of that for the next line.
func (o *Output) endLine() {
	if len(bytes.TrimSpace(o.current.text)) > 0 {
		oldest := &o.lines[o.count%maxShownLines]
		*oldest, o.current = o.current, *oldest
		o.count++
	}
	o.current.text, o.current.cut = o.current.text[:0], false
}

// String returns the line without control characters.
func (l line) String() string {
	text := string(l.text)
	if l.cut { // possibly within a character
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
func (o *Output) last() []string {
	o.endLine()
	var lines []string
	for i := max(0, o.count-maxShownLines); i < o.count; i++ {
		if text := o.lines[i%maxShownLines].String(); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// Text returns the last lines as the continuation of a sentence.
func (o *Output) Text() string {
	lines := o.last()
	switch {
	case len(lines) == 0:
		return ". No output"
	case len(lines) == 1 && len(lines[0]) <= maxShownBytes:
		return ". Output: " + lines[0]
	}
	size := fmt.Sprintf("%d lines", o.count)
	if o.count == 1 {
		size = "1 line"
	} else if o.count > len(lines) {
		size = fmt.Sprintf("last %d of %d lines", len(lines), o.count)
	}
	return ". Output (" + size + "):\n  " + strings.Join(lines, "\n  ") + "\nend of output"
}

// LastLine returns the last line as the continuation of a sentence;
// empty if the line is long.
func (o *Output) LastLine() string {
	lines := o.last()
	if len(lines) == 0 || len(lines[len(lines)-1]) > maxShownBytes {
		return ""
	}
	return ". Last line of output: " + lines[len(lines)-1]
}
