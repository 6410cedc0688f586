package report

import "time"

// File is what a journal is written to.
type File = file

// SetOpen replaces how the recorder opens its journal.
func (r *Recorder) SetOpen(open func() (File, error)) { r.open = open }

// OpenNew is how it does that otherwise.
func OpenNew(path string) (File, error) { return openNew(path) }

// Render returns the page of a story.
func (s *Story) Render(running bool, now time.Time) ([]byte, error) {
	return s.render(pageOptions{Running: running, Now: now})
}

// MaxPoints is how many points of a series are retained at most.
const MaxPoints = 2 * maxPoints

// MaxQueued is how many entries wait for the disk.
const MaxQueued = maxQueued
