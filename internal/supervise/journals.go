package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// scanPause is how often the file with the announcements is read.
const scanPause = 200 * time.Millisecond

// journals follows the journals that are announced in a file.
type journals struct {
	file string
	line func(text string) // prints a progress line
	say  func(format string, args ...any)
	json bool

	cancel context.CancelFunc
	scans  chan struct{} // closed when no scan is running any more
	mu     sync.Mutex    // guards all
	all    []*journal    // in the order of their announcement
}

// journal is one that is followed.
type journal struct {
	path   string
	cancel context.CancelFunc // ends the follower
	done   chan struct{}      // closed when it has ended
	// What follows belongs to the follower until it has ended.
	story *report.Story
	n     int // of lines that were read
}

// newAnnouncements creates the file for announcements, in a folder of its own. Its path is absolute:
// the command may run in another directory.
func newAnnouncements() (string, error) {
	dir, err := os.MkdirTemp("", "bluegreen-exec-")
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "journals")
	return file, os.WriteFile(file, nil, 0o600)
}

// removeAnnouncements removes what newAnnouncements created.
func removeAnnouncements(file string) {
	if file != "" {
		_ = os.RemoveAll(filepath.Dir(file))
	}
}

// follow follows what is announced in the file of the session. Without a file, nothing is.
func (s *session) follow(ctx context.Context) *journals {
	ctx, cancel := context.WithCancel(ctx)
	j := &journals{file: s.file, json: s.options.JSON, line: s.err.Line, say: s.say, cancel: cancel, scans: make(chan struct{})}
	go func() {
		defer close(j.scans)
		for {
			j.scan(ctx)
			select {
			case <-ctx.Done():
				return
			case <-time.After(scanPause):
			}
		}
	}()
	return j
}

// scan starts to follow what was announced since the last scan.
func (j *journals) scan(ctx context.Context) {
	paths, err := report.Announced(j.file)
	if err != nil {
		return // there is no file
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, path := range paths[min(len(j.all), len(paths)):] {
		x := &journal{path: path, story: report.NewStory()}
		j.all = append(j.all, x)
		j.start(ctx, x)
	}
}

// start starts the follower of a journal.
func (j *journals) start(ctx context.Context, x *journal) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	x.cancel, x.done = cancel, done
	go func() {
		defer close(done)
		j.tail(ctx, x)
	}()
}

// catchUp prints what a journal has until now, so that what is printed next comes after it.
func (j *journals) catchUp(ctx context.Context, x *journal) {
	x.cancel()
	<-x.done
	if !x.story.Ended {
		j.start(context.WithoutCancel(ctx), x)
	}
}

// announced returns all that were announced until now.
func (j *journals) announced(ctx context.Context) []*journal {
	j.scan(context.WithoutCancel(ctx))
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]*journal(nil), j.all...)
}

// tail prints a journal until it ends or ctx does. It may not exist yet, and never will if nothing
// is shifted.
func (j *journals) tail(ctx context.Context, x *journal) {
	for {
		line := 0
		err := report.Follow(ctx, x.path, func(e report.Entry) error {
			if line++; line > x.n { // the others were printed before
				x.n = line
				j.print(x, e)
			}
			return nil
		})
		if !errors.Is(err, os.ErrNotExist) {
			if err != nil && ctx.Err() == nil {
				j.say("Warning: The journal cannot be followed: %s", err)
			}
			if x.story.Ended && !j.json {
				j.line(prefix(x.story) + x.story.Closing())
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(scanPause):
		}
	}
}

// print prints an entry.
func (j *journals) print(x *journal, e report.Entry) {
	x.story.Add(e)
	if j.json {
		if text, err := json.Marshal(e); err == nil {
			j.line(string(text))
		}
		return
	}
	if line := x.story.Line(e); line != "" {
		j.line(prefix(x.story) + line)
	}
}

// prefix begins a progress line, so that it is found among those of the command.
func prefix(s *report.Story) string {
	return fmt.Sprintf("[bluegreen %s] ", strings.Join(s.Shift.Entries, ", "))
}

// stop reads what is there and stops following. After it, the stories do not change.
func (j *journals) stop(ctx context.Context) []*journal {
	j.cancel()
	<-j.scans
	all := j.announced(ctx)
	var written []*journal
	for _, x := range all {
		x.cancel()
		<-x.done
		if x.story.Shift.ID != "" { // otherwise nothing was shifted
			written = append(written, x)
		}
	}
	return written
}
