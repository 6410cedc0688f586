package report

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// NewerError reports a journal that a newer version wrote.
type NewerError struct {
	Path    string
	Version int
}

// Error implements error.
func (e *NewerError) Error() string {
	return fmt.Sprintf("%s has version %d of the journal format, and this program knows versions up to %d: use the version of bluegreen that wrote it, or a newer one", e.Path, e.Version, Version)
}

// ErrNotJournal reports a file that is no journal, and ErrDamaged a journal with a line in its
// middle that cannot be read.
var (
	ErrNotJournal = errors.New("not a journal of a shift")
	ErrDamaged    = errors.New("the journal is damaged")
)

// Read calls each with every entry of a journal. An incomplete last line, as a crash leaves it, is
// ignored. It returns a *NewerError before the first call, ErrNotJournal, ErrDamaged, or the error of
// each.
func Read(path string, each func(Entry) error) error {
	_, err := readFile(path, each)
	return err
}

// readFile is Read. It returns the size of the complete lines.
func readFile(path string, each func(Entry) error) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	r := newReader(path, f)
	err = r.readAll(each)
	return r.size, err
}

// reader reads a journal that may still grow.
type reader struct {
	path string
	in   *bufio.Reader
	part []byte // the beginning of a line
	n    int    // of lines that were read
	size int64  // of these lines
}

func newReader(path string, in io.Reader) *reader {
	return &reader{path: path, in: bufio.NewReader(in)}
}

// readAll reads what is there.
func (r *reader) readAll(each func(Entry) error) error {
	for {
		text, err := r.in.ReadBytes('\n')
		r.part = append(r.part, text...)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		line := r.part
		r.part = nil
		r.size += int64(len(line))
		e, err := r.check(line)
		if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

// check parses a line. The first one has the version.
func (r *reader) check(line []byte) (Entry, error) {
	r.n++
	e, err := parse(line)
	switch {
	case r.n == 1 && e.Version > Version: // whatever else is in it
		return e, &NewerError{r.path, e.Version}
	case err != nil && r.n > 1:
		return e, fmt.Errorf("%s, line %d: %w: %w", r.path, r.n, ErrDamaged, err)
	case err != nil || r.n == 1 && (e.Event != Opened || e.Version < 1 || e.Shift == nil):
		return e, fmt.Errorf("%s: %w", r.path, ErrNotJournal)
	}
	return e, nil
}

const (
	// followPause is how often a growing journal is read.
	followPause = 200 * time.Millisecond
	// resultTimeout is how long the result may follow the end of the shift.
	resultTimeout = 10 * time.Second
)

// Follow calls each with every entry of a journal, including those that are added while it
// follows. It returns after the result, or at the end of a shift whose process died before that,
// and with the error of each or of ctx; the latter after a last look at what is there.
func Follow(ctx context.Context, path string, each func(Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := newReader(path, f)
	var ended time.Time
	done := false
	for {
		canceled := ctx.Err()
		err := r.readAll(func(e Entry) error {
			done = done || e.Event == Ended
			if e.IsEnd() {
				ended = time.Now()
			}
			return each(e)
		})
		if err != nil || done || !ended.IsZero() && time.Since(ended) > resultTimeout {
			return err
		}
		if canceled != nil {
			return canceled
		}
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// Summary is a shift of a folder.
type Summary struct {
	Journal string // its path
	Page    string // its path; empty: there is none
	Shift   Shift
	Started time.Time
	Last    time.Time // of the last entry
	From    Percentages
	// Ended reports that the shift ended. Otherwise it is running, or its process died.
	Ended  bool
	Result Result // of a shift that ended; its Routes are missing where the process died
	Err    error  // why the journal cannot be read; the rest is what is known
}

// List returns the shifts of a folder, the newest first. A folder that does not exist has none.
func List(dir string) ([]Summary, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*"+journalSuffix))
	if err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []Summary
	for _, path := range paths {
		all = append(all, Summarize(path))
	}
	slices.SortStableFunc(all, func(a, b Summary) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.Journal, a.Journal))
	})
	return all, nil
}

// escapeGlob returns a pattern that matches only the path itself.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

const (
	// headLines is how many lines at the beginning of a journal a summary reads: the first ones
	// have the weights at the start.
	headLines = 64
	// tailBytes is how much of its end.
	tailBytes = 256 << 10
)

// errEnough ends a read.
var errEnough = errors.New("enough was read")

// Summarize reads the beginning and the end of a journal.
func Summarize(path string) Summary {
	s := Summary{Journal: path}
	if page := PagePath(path); exists(page) {
		s.Page = page
	}
	story, lines := NewStory(), 0
	err := Read(path, func(e Entry) error {
		if lines++; lines > headLines {
			return errEnough
		}
		story.Add(e)
		return nil
	})
	s.Shift, s.Started, s.Last, s.From = story.Shift, story.Started, story.Last, story.From
	if err == nil && lines == 0 {
		err = fmt.Errorf("%s: %w", path, ErrNotJournal)
	}
	if err != nil && !errors.Is(err, errEnough) {
		s.Err = err
		return s
	}
	s.Err = s.readTail()
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readTail reads the last entries.
func (s *Summary) readTail() error {
	f, err := os.Open(s.Journal)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	text := make([]byte, min(size, tailBytes))
	if _, err := f.ReadAt(text, size-int64(len(text))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		e, err := parse([]byte(line))
		if err != nil || !strings.HasSuffix(line, "\n") {
			continue // the first one may be cut, and so may the last
		}
		s.Last = e.At
		switch {
		case e.Event == Ended && e.Result != nil:
			s.Ended, s.Result = true, *e.Result
		case e.Event == string(rollout.ShiftEnded) && !s.Ended:
			s.Ended, s.Result = true, ResultOf(e)
		}
	}
	return nil
}

// Took is how long the shift took, or has taken up to its last entry.
func (s Summary) Took() time.Duration { return s.Last.Sub(s.Started) }
