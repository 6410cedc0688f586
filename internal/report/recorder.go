package report

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

const (
	// maxQueued is how many entries wait for the disk. More are lost.
	maxQueued = 10_000
	// closeTimeout is how long the end of a shift waits for the disk.
	closeTimeout = 5 * time.Second
	// pagePause is the minimum between two versions of a page, and pageInterval the maximum while
	// the shift runs, so that the time on the page shows that its process is alive.
	pagePause    = 2 * time.Second
	pageInterval = 15 * time.Second
)

// Options is what a Recorder records, and where.
type Options struct {
	// Dir is the folder of the journal and the page. Empty: neither is written.
	Dir   string
	Shift Shift
}

// Recorder records one shift. Its methods must be called from one goroutine.
type Recorder struct {
	dir   string
	id    string // of the shift
	queue queue
	story *Story // guarded by mu
	mu    sync.Mutex
	n     int // of the last entry

	resumes bool              // the journal of another process
	groups  map[string]string // Shift.Groups of that

	held    []Entry // not recorded yet, because it is not known whether traffic or actions change
	idle    bool    // the events up to now are those of an apply that changes nothing
	started bool
	open    func() (file, error)

	writerDone, pageDone chan struct{}
	dirty                chan struct{} // holds one token while the page is outdated
	journalErr, pageErr  error         // to be read after the channels above are closed
}

// Closed is what a Recorder left.
type Closed struct {
	// Page is the path of the page; empty: there is none.
	Page string
	// Warning is what could not be recorded; empty: nothing.
	Warning string
	// Story is what happened. Nil: nothing was recorded, or the disk still does not answer.
	Story *Story
}

// New returns a recorder, which writes nothing before the first event.
func New(o Options) *Recorder {
	r := &Recorder{dir: o.Dir, id: o.Shift.ID, story: NewStory(), writerDone: make(chan struct{}), pageDone: make(chan struct{}), dirty: make(chan struct{}, 1)}
	r.queue.wake = make(chan struct{}, 1)
	r.open = func() (file, error) { return openNew(r.Journal()) }
	o.Shift.Entries, o.Shift.Routes = slices.Concat([]string{}, o.Shift.Entries), slices.Concat([]ShiftRoute{}, o.Shift.Routes)
	r.held = []Entry{{Event: Opened, Version: Version, Shift: &o.Shift}}
	return r
}

// Resume returns a recorder that continues a journal whose process died. What it cannot read, it
// leaves alone.
func Resume(path string) *Recorder {
	r := New(Options{Dir: filepath.Dir(path), Shift: Shift{ID: strings.TrimSuffix(filepath.Base(path), journalSuffix)}})
	r.resumes, r.held, r.n = true, nil, -1
	r.start()
	return r
}

// Journal returns the path of the journal.
func (r *Recorder) Journal() string { return JournalPath(r.dir, r.id) }

// JournalPath returns the path of the journal of a shift.
func JournalPath(dir, id string) string { return filepath.Join(dir, id+journalSuffix) }

// PagePath returns the path of the page beside a journal.
func PagePath(journal string) string {
	return journal[:len(journal)-len(filepath.Ext(journal))] + ".html"
}

const journalSuffix = ".jsonl"

// OnEvent records an event, as rollout.Spec.OnEvent. It does not wait for the disk.
func (r *Recorder) OnEvent(e rollout.Event) {
	r.record(entryOf(e))
}

// record queues an entry. An apply that changes nothing has no record: its first events are
// held back until another one follows.
func (r *Recorder) record(e Entry) {
	if e.Event == string(rollout.ShiftStarted) {
		r.idle = e.Kind == shift.NoChange.String()
	}
	e.N = r.n + 1
	r.n = e.N
	if !r.started {
		if r.held[0].At.IsZero() {
			r.held[0].At = e.At
		}
		r.held = append(r.held, e)
		quiet := e.Event == string(rollout.ShiftStarted) || e.Event == string(rollout.RouteRead) || e.IsEnd()
		if r.idle && quiet {
			return
		}
		r.start()
		return
	}
	r.queue.add(e)
}

// start starts the goroutines with what was held back.
func (r *Recorder) start() {
	r.started = true
	for _, e := range r.held {
		r.queue.add(e)
	}
	go r.writeJournal()
	go r.writePages()
}

// Close records the result and waits for the disk, for closeTimeout at most. It must be called
// once, after the last event.
func (r *Recorder) Close(end Result, now time.Time) Closed {
	if !r.started && r.idle {
		return Closed{}
	}
	r.record(Entry{At: now, Event: Ended, Result: &end})
	if !r.started {
		return Closed{}
	}
	r.queue.close()
	limit := time.NewTimer(closeTimeout)
	defer limit.Stop()
	for _, done := range []chan struct{}{r.writerDone, r.pageDone} {
		select {
		case <-done:
		case <-limit.C:
			return Closed{Warning: r.warning(fmt.Errorf("the disk did not answer within %s", closeTimeout))}
		}
	}
	c := Closed{Story: r.story}
	if r.dir == "" {
		return c
	}
	if r.pageErr == nil {
		c.Page = PagePath(r.Journal())
	}
	err := cmp.Or(r.journalErr, r.pageErr)
	if lost := r.queue.lost; lost > 0 {
		err = errors.Join(err, fmt.Errorf("%d events were lost, because the disk was too slow", lost))
	}
	if err != nil {
		c.Warning = r.warning(err)
	}
	return c
}

func (r *Recorder) warning(err error) string {
	return fmt.Sprintf("The report of the shift in %s is missing or incomplete: %s", r.dir, err)
}

// writeJournal is the goroutine of the journal.
func (r *Recorder) writeJournal() {
	defer close(r.writerDone)
	j := &journal{open: r.open}
	before := 0 // the number of lines that another process wrote
	if r.resumes {
		if before = r.resume(j); before == 0 {
			return
		}
	}
	for {
		batch, closed := r.queue.take()
		var lines []byte
		for i, e := range batch {
			e.N += before
			if r.resumes {
				e.Weights = e.Weights.named(r.groups)
			}
			batch[i] = e
			if line, err := e.line(); err == nil {
				lines = append(lines, line...)
			} else {
				r.journalErr = err // unreachable: every number is finite
			}
		}
		if r.dir != "" {
			j.write(lines)
		}
		r.mu.Lock()
		for _, e := range batch {
			r.story.Add(e)
		}
		r.mu.Unlock()
		if closed {
			break
		}
		select {
		case r.dirty <- struct{}{}:
		default:
		}
	}
	if err := j.close(); err != nil {
		r.journalErr = err
	}
}

// resume reads what another process wrote, and returns the number of the next line; 0 where the
// journal cannot be continued.
func (r *Recorder) resume(j *journal) int {
	story := NewStory()
	size, err := readFile(r.Journal(), func(e Entry) error { story.Add(e); return nil })
	if err == nil {
		err = j.reopen(r.Journal(), size)
	}
	if err != nil {
		r.journalErr = err
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story, r.groups = story, story.Shift.Groups
	return story.next
}

// writePages is the goroutine of the page. It writes the last version after the journal is
// complete.
func (r *Recorder) writePages() {
	defer close(r.pageDone)
	if r.dir == "" {
		<-r.writerDone
		return
	}
	if r.resumes && !r.awaitPage(true) && r.journalErr != nil {
		r.pageErr = r.journalErr
		return
	}
	first := true
	for running := true; running; {
		running = r.awaitPage(first)
		start := time.Now()
		r.pageErr = r.writePage(running)
		if first || !running {
			if err := WriteIndex(r.dir); r.pageErr == nil {
				r.pageErr = err
			}
		}
		first = false
		if running { // a large page takes a small part of the time only
			r.pause(max(pagePause, 20*time.Since(start)))
		}
	}
}

// awaitPage waits until a new version of the page is due, and reports whether the shift runs.
func (r *Recorder) awaitPage(first bool) bool {
	tick := time.NewTimer(pageInterval)
	defer tick.Stop()
	if first {
		select {
		case <-r.dirty:
			return true
		case <-r.writerDone:
			return false
		}
	}
	select {
	case <-r.dirty:
		return true
	case <-tick.C:
		return true
	case <-r.writerDone:
		return false
	}
}

func (r *Recorder) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.writerDone:
	}
}

func (r *Recorder) writePage(running bool) error {
	r.mu.Lock()
	page, err := r.story.render(pageOptions{Running: running, Now: time.Now()})
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return writeFile(PagePath(r.Journal()), page)
}

// queue is what waits for the disk.
type queue struct {
	mu      sync.Mutex
	entries []Entry
	closed  bool
	lost    int
	wake    chan struct{} // holds one token while there is something to take
}

func (q *queue) add(e Entry) {
	q.mu.Lock()
	// The end is never lost, and neither is what a rollback did.
	if droppable := e.Event == string(rollout.GateEvaluated) || e.Event == string(rollout.HealthRead); droppable && len(q.entries) >= maxQueued {
		q.lost++
	} else {
		q.entries = append(q.entries, e)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for entries, or for the end.
func (q *queue) take() (batch []Entry, closed bool) {
	<-q.wake
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.entries = q.entries, nil
	return batch, q.closed
}
