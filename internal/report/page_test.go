package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// storyOf is the story of a shift that was recorded.
func storyOf(t *testing.T, events []rollout.Event, result report.Result) *report.Story {
	t.Helper()
	closed := record("", events, result)
	if closed.Story == nil {
		t.Fatal("there is no story")
	}
	return closed.Story
}

func render(t *testing.T, s *report.Story, running bool) string {
	t.Helper()
	page, err := s.Render(running, began.Add(26*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	checkMarkup(t, page)
	return string(page)
}

// checkMarkup checks that every element ends, that ids are unique, and that what refers to an id
// finds one.
func checkMarkup(t *testing.T, page []byte) {
	t.Helper()
	page = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAll(page, nil)
	page = regexp.MustCompile(`<(meta|link)[^>]*`).ReplaceAll(page, []byte("$0/")) // they have no end tag
	d := xml.NewDecoder(bytes.NewReader(page))
	ids, named := map[string]bool{}, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the markup is not well-formed: %v", err)
		}
		start, is := token.(xml.StartElement)
		if !is {
			continue
		}
		for _, a := range start.Attr {
			switch a.Name.Local {
			case "id":
				if ids[a.Value] {
					t.Errorf("the id %q is used twice", a.Value)
				}
				ids[a.Value] = true
			case "aria-labelledby":
				named += a.Value + " "
			}
		}
		if start.Name.Local == "svg" && !strings.Contains(fmt.Sprint(start.Attr), "aria-") {
			t.Errorf("a chart has no name: %v", start)
		}
	}
	for _, id := range strings.Fields(named) {
		if !ids[id] {
			t.Errorf("there is no element %q", id)
		}
	}
}

func TestPage_failedShift(t *testing.T) {
	text := render(t, storyOf(t, failedShift(), failedResult()), false)
	_, main, _ := strings.Cut(text, "</style>")
	golden.Check(t, main)
	if strings.Contains(text, "<script") || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(text) || strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("the page loads something")
	}
}

// An event of a newer version is in the timeline with its name.
func TestPage_unknownEvent(t *testing.T) {
	s := storyOfEvents(append(failedShift()[:5:5], rollout.Event{At: began, Kind: "moon_is_full", Text: "since today"}, rollout.Event{At: began, Kind: "sun_is_up"}))
	if text := render(t, s, false); !strings.Contains(text, "Moon is full: since today<") || !strings.Contains(text, "Sun is up<") {
		t.Error(text)
	}
}

func TestPage_stages(t *testing.T) {
	events := failedShift()
	for name, n := range map[string]int{"nothing yet": 1, "before any traffic": 7, "at a step": 60} {
		r := storyOfEvents(events[:n])
		if text := render(t, r, true); !strings.Contains(text, `<meta http-equiv="refresh" content="10">`) || !strings.Contains(text, "Running") {
			t.Errorf("%s: the page does not refresh itself", name)
		}
		if text := render(t, r, false); strings.Contains(text, `"refresh"`) || !strings.Contains(text, "No end recorded") {
			t.Errorf("%s: the page of a journal refreshes itself", name)
		}
	}
}

// storyOfEvents is the story of a shift that has not ended.
func storyOfEvents(events []rollout.Event) *report.Story {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	record(dir, events, report.Result{})
	s := report.NewStory()
	_ = report.Read(report.JournalPath(dir, sampleShift().ID), func(e report.Entry) error {
		if !e.IsEnd() {
			s.Add(e)
		}
		return nil
	})
	return s
}

// Whatever is in an event is text on the page, in the index and in summaries.
func TestPage_escapes(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)> | javascript:x & ` + "`x` \x1b[31m @all [a](b)"
	s := sampleShift()
	s.Entries, s.Schedule = []string{evil}, evil
	s.Gates, s.Routes = []report.ShiftGate{{Name: evil, When: evil}}, []report.ShiftRoute{{ID: evil, Entry: evil, Label: evil}}
	s.Versions, s.To = map[string]string{evil: evil}, report.Percentages{evil: 100}
	s.Owner.User = evil
	dir := t.TempDir()
	r := report.New(report.Options{Dir: dir, Shift: s})
	for _, e := range []rollout.Event{
		{Kind: rollout.ShiftStarted, Text: evil}, {Kind: rollout.RouteRead, Route: evil, Weights: split(0)}, {Kind: rollout.PhaseStarted, Text: evil},
		{Kind: rollout.GateEvaluated, Gate: evil, Status: rollout.Status(evil), Text: evil, Measured: []rollout.Measurement{{Name: evil, Entry: evil, Unit: evil, Value: 1, Max: new(0.5)}, {Name: evil, Value: math.Inf(1)}}},
		{Kind: rollout.HealthRead, Targets: []rollout.GroupTargets{{Entry: evil, Environment: evil}}}, {Kind: rollout.HealthDegraded, Text: evil},
		{Kind: rollout.WeightsWritten, Route: evil, Weights: split(5), Text: evil}, {Kind: rollout.RollbackStarted, Text: evil}, {Kind: rollout.ShiftEnded, Text: evil, Failure: &rollout.Failure{Cause: rollout.Cause(evil)}},
	} {
		e.At = began
		r.OnEvent(e)
	}
	closed := r.Close(report.Result{Outcome: evil, Reason: evil, Warnings: []string{evil}, Routes: []report.RouteResult{{ID: evil, Response: evil}}}, began)
	page, err := os.ReadFile(closed.Page)
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, report.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"page": string(page), "index": string(index), "Markdown": closed.Story.Markdown(evil)} {
		if strings.Contains(text, "<script") || strings.Contains(text, "<img") || name == "Markdown" && (strings.Contains(text, " @all") || strings.Contains(text, "](b)") && !strings.Contains(text, `\](b)`)) {
			t.Errorf("the %s has markup of an event:\n%s", name, text)
		}
	}
	if text := closed.Story.GitLabSection(evil, began); strings.Contains(text, "\x1b[31m") {
		t.Errorf("the section has a control sequence of an event: %q", text)
	}
}

// longShift is a day under 20 gates. Every badly-th evaluation does not pass.
func longShift(badly int, interval time.Duration) *report.Story {
	detail := strings.Repeat("web (green) had 3 errors in 520 requests over 1m (0.58 %, limit 1 %); ", 4)
	perHour := int(time.Hour / interval)
	s := report.NewStory()
	what := sampleShift()
	n := 0
	add := func(at time.Duration, e report.Entry) {
		e.N, e.At = n, began.Add(at)
		n++
		s.Add(e)
	}
	add(0, report.Entry{Event: report.Opened, Version: 1, Shift: &what})
	add(0, report.Entry{Event: "shift_started", Kind: "forward"})
	for _, route := range what.Routes {
		add(0, report.Entry{Event: "route_read", Route: route.ID, Weights: report.Percentages{"blue": 100}})
	}
	for tick := range 24 * perHour {
		at := time.Duration(tick) * interval
		if tick%perHour == 0 {
			add(at, report.Entry{Event: "weights_verified", Route: listener, Weights: report.Percentages{"blue": 100 - float64(tick/perHour)*4, "green": float64(tick/perHour) * 4}})
		}
		for g := range 20 {
			status, value := "pass", 0.2+math.Abs(math.Sin(float64(tick*(g+1))/400))/2
			if badly > 0 && (tick+g)%badly == 0 {
				status, value = []string{"fail", "inconclusive", "error"}[tick%3], 5
			}
			e := report.Entry{Event: "gate_evaluated", Gate: fmt.Sprintf("gate-%02d", g), Status: status, TookSeconds: 0.1,
				Detail: detail}
			for m := range 3 {
				e.Measured = append(e.Measured, report.Measurement{Name: fmt.Sprint("measurement ", m), Unit: "%", Value: &value, Max: new(1.0), Samples: 520})
			}
			add(at, e)
		}
	}
	return s
}

// A day under 20 gates stays below 2 MB, and shows every verdict that is no pass.
func TestPage_longShift(t *testing.T) {
	for name, badly := range map[string]int{"good": 0, "sometimes bad": 97, "flapping": 2, "always bad": 1} {
		interval := time.Minute // what is retained is bounded long before the end
		if badly == 97 {
			interval = 15 * time.Second
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := longShift(badly, interval)
			page, err := s.Render(false, began)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", len(page))
			if len(page) >= 2_000_000 {
				t.Errorf("the page has %d bytes", len(page))
			}
			for _, g := range s.Gates {
				bad, shown, drawn := 0, 0, map[string]int{}
				for status, n := range g.Count {
					if status != "pass" {
						bad += n
					}
				}
				for _, r := range g.Runs {
					for status, n := range r.Count {
						if status != "pass" {
							shown += n
						}
					}
				}
				for _, series := range g.Series {
					if len(series.Points) > report.MaxPoints {
						t.Errorf("%s has %d points", series.Name, len(series.Points))
					}
					for _, p := range series.Points {
						if p.Status != "pass" {
							drawn[series.Name] += p.Times
						}
					}
				}
				if shown != bad {
					t.Errorf("%s shows %d of %d bad verdicts", g.Name, shown, bad)
				}
				for series, n := range drawn {
					if n < bad {
						t.Errorf("%s draws %d of %d bad verdicts of %s", g.Name, n, bad, series)
					}
				}
				if badly == 97 && strings.HasPrefix(g.Name, "gate-") && len(g.Runs) < 60 {
					t.Errorf("%s has %d runs", g.Name, len(g.Runs))
				}
			}
		})
	}
}

func TestWriteIndex(t *testing.T) {
	dir := listed(t)
	if err := report.WriteIndex(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, report.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	checkMarkup(t, page)
	_, main, _ := strings.Cut(string(page), "</style>")
	golden.Check(t, main, golden.Replace(dir, "<dir>"))
	if err := report.WriteIndex(filepath.Join(dir, "empty")); err != nil {
		t.Error(err)
	}
}

func BenchmarkPage_longShift(b *testing.B) {
	s := longShift(97, 10*time.Second)
	for b.Loop() {
		if _, err := s.Render(false, began); err != nil {
			b.Fatal(err)
		}
	}
}
