package main

import (
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/console"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

const (
	drawPause = 100 * time.Millisecond // between two looks whether something is new
	drawEvery = time.Second            // although nothing is: the time goes on
	maxLines  = 2000                   // that are printed again when the screen is left
)

// follower prints the entries of a shift: as lines, as JSON, or on a screen that is redrawn.
type follower struct {
	streams
	json bool

	mu    sync.Mutex // of what follows, while a screen is drawn
	story *report.Story
	lines []string
	fresh bool // something is not drawn yet
}

func newFollower(s streams, json bool) *follower {
	return &follower{streams: s, json: json, story: report.NewStory()}
}

// add takes the next entry.
func (f *follower) add(e report.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.story.Add(e)
	if f.json {
		return printCompact(f.out, e)
	}
	line := f.story.Text(e)
	if line == "" {
		return nil
	}
	if f.color {
		line = console.Line(e, line)
	}
	line = f.story.Timed(e, line)
	if !f.live() {
		return printLine(f.out, line)
	}
	f.fresh = true
	if f.lines = append(f.lines, line); len(f.lines) > maxLines {
		f.lines = f.lines[len(f.lines)-maxLines:]
	}
	return nil
}

// live reports whether the screen is redrawn in place.
func (f *follower) live() bool { return f.screen && f.color && !f.json }

// follow calls what adds the entries, and draws the screen meanwhile. Afterwards the terminal is as
// it was before, with the lines.
func (f *follower) follow(entries func() error) error {
	if !f.live() {
		return entries()
	}
	screen := console.NewScreen(f.out)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		f.draw(screen, stop)
	}()
	err := entries()
	close(stop)
	<-stopped
	if closeErr := screen.Close(); err == nil {
		err = closeErr
	}
	for _, line := range f.lines {
		_ = printLine(f.out, line)
	}
	return err
}

// draw draws what is new until stop is closed.
func (f *follower) draw(screen *console.Screen, stop <-chan struct{}) {
	ticker := time.NewTicker(drawPause)
	defer ticker.Stop()
	drawn := time.Time{}
	for {
		f.mu.Lock()
		if now := time.Now(); f.fresh || now.Sub(drawn) >= drawEvery {
			// A terminal that cannot be written has ended, and so does what follows the shift.
			_ = screen.Draw(console.Header(f.story, now), f.lines)
			f.fresh, drawn = false, now
		}
		f.mu.Unlock()
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}
