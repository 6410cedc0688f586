package report

import (
	"bytes"
	_ "embed" // the templates of the pages
	"fmt"
	"html/template"
	"path/filepath"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

//go:embed page.html.tmpl
var pageText string

// pages are the templates. They are parsed when the first page is written, because every plan and
// every guardian starts this program.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"time": timeText, "iso": isoText}).Parse(pageText))
})

func isoText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// IndexName is the name of the page that lists all shifts of a folder.
const IndexName = "index.html"

// refreshSeconds is how often the page of a running shift loads itself again.
const refreshSeconds = 10

// maxPageBytes limits a page, so that it opens quickly. The journal has everything.
const maxPageBytes = 1_900_000

type pageOptions struct {
	Running bool // the shift runs in this process, so the page will be written again
	Now     time.Time
}

// pageData is what the template of a page shows.
type pageData struct {
	Story        *Story
	Options      pageOptions
	Refresh      int // in seconds; 0: never
	Title, State string
	Class        string // of the outcome
	Meaning      string // of the outcome, in a sentence
	Traffic      string
	Took         string
	Entries      string
	From, To     string
	Kind         string
	Environments []environment
	Weights      *chart
	WeightRows   []weightRow
	Gates        []gateView
	Health       []healthView
	Writes       []writeView
	Moments      []momentView
	Journal      string
}

// render returns the page of a story. A page that would be too large has fewer points and rows.
func (s *Story) render(o pageOptions) ([]byte, error) {
	var page []byte
	for dots, rows := maxPoints, maxRuns; ; dots, rows = dots*9/10, rows*3/4 {
		var text bytes.Buffer
		if err := pages().ExecuteTemplate(&text, "page", s.data(o, dots, rows)); err != nil {
			return nil, err
		}
		if page = text.Bytes(); len(page) <= maxPageBytes || rows < 8 {
			return page, nil
		}
	}
}

func (s *Story) data(o pageOptions, dots, rows int) pageData {
	to := s.Last
	if o.Running && !s.Ended {
		to = o.Now
	}
	v := &view{story: s, x: newTimeScale(s.Started, to), dots: dots, rows: rows}
	d := pageData{Story: s, Options: o, Class: "running",
		Traffic: s.Traffic(), Took: durationText(to.Sub(s.Started)), Entries: schedule.And(s.Shift.Entries), From: s.From.String(), To: s.Shift.To.String(), Kind: kindText(s.Kind)}
	switch {
	case s.Ended:
		d.State, d.Class, d.Meaning = outcomeText(s.Result.Outcome), outcomeClass(s.Result.Outcome), outcomeDetails[s.Result.Outcome]
	case o.Running:
		d.State, d.Meaning, d.Refresh = "Running", "The shift is running.", refreshSeconds
	default:
		d.State, d.Meaning = noEnd, "The shift is running, or its process died without recording an end."
	}
	d.Title = s.titled(d.State)
	d.Environments = v.environments()
	d.Weights, d.WeightRows = v.weightsChart(d.Environments), v.weightRows(d.Environments)
	d.Gates, d.Health, d.Writes, d.Moments = v.gates(), v.health(), v.writes(), v.moments()
	d.Journal = s.Shift.ID + journalSuffix
	return d
}

func outcomeClass(outcome string) string {
	switch outcome {
	case "completed":
		return "good"
	case "rolled_back", "failed", "stopped":
		return "bad"
	default:
		return "unsure"
	}
}

// ReadStory reads a journal.
func ReadStory(journal string) (*Story, error) {
	story := NewStory()
	if err := Read(journal, func(e Entry) error { story.Add(e); return nil }); err != nil {
		return nil, err
	}
	if story.Shift.ID == "" {
		return nil, fmt.Errorf("%s: %w", journal, ErrNotJournal)
	}
	return story, nil
}

// Page renders the page of a story that was read.
func (s *Story) Page(now time.Time) ([]byte, error) { return s.render(pageOptions{Now: now}) }

// indexRow is a shift in the index.
type indexRow struct {
	Link, Name, Started, ISO, From, To, State, Class, Took, Reason string
}

// WriteIndex writes the page that lists all shifts of a folder.
func WriteIndex(dir string) error {
	all, err := List(dir)
	if err != nil {
		return err
	}
	running := false
	var rows []indexRow
	for _, s := range all {
		rows = append(rows, s.row())
		running = running || s.Err == nil && !s.Ended
	}
	var text bytes.Buffer
	if err := pages().ExecuteTemplate(&text, "index", map[string]any{"Rows": rows, "Refresh": 0, "Running": running}); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, IndexName), text.Bytes())
}

func (s Summary) row() indexRow {
	r := indexRow{Name: schedule.And(s.Shift.Entries), From: s.From.String(), To: s.Shift.To.String(), State: noEnd, Class: "running"}
	if r.Name == "" {
		r.Name = filepath.Base(s.Journal)
	}
	if !s.Started.IsZero() {
		r.Started, r.ISO, r.Took = timeText(s.Started), isoText(s.Started), durationText(s.Took())
	}
	if s.Page != "" {
		r.Link = filepath.Base(s.Page)
	}
	switch {
	case s.Err != nil:
		r.State, r.Class, r.Reason = "Unreadable", "unsure", s.Err.Error()
	case s.Ended:
		r.State, r.Class, r.Reason = outcomeText(s.Result.Outcome), outcomeClass(s.Result.Outcome), shortened(s.Result.Reason)
	}
	return r
}
