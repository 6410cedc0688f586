package export_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// A redirect, such as to a page for signing in, accepts nothing, and the target gets no headers.
func TestOTLP_redirect(t *testing.T) {
	r := newReceiver(t)
	visits := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits++ }))
	t.Cleanup(target.Close)
	r.answer = func(w http.ResponseWriter) {
		w.Header().Set("Location", target.URL)
		w.WriteHeader(http.StatusFound)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=s3cret-token")
	if _, err := r.send(entries()); err == nil || !strings.Contains(err.Error(), "redirect") || visits != 0 {
		t.Errorf("%d requests to the target, %v", visits, err)
	}
}

// A hold of a day with many gates is more than receivers take in a request.
func TestOTLP_large(t *testing.T) {
	const gates, times = 3, 1000
	r := newReceiver(t)
	v, limit := 0.1, 1.0
	measured := []report.Measurement{}
	for i := range 8 {
		measured = append(measured, report.Measurement{Name: fmt.Sprintf("error rate %d", i), Entry: "web", Unit: "%", Value: &v, Max: &limit, Samples: 520})
	}
	all := entries()[:7]
	at := all[6].At
	for i := range times {
		at = at.Add(86 * time.Second)
		for gate := range gates {
			e := report.Entry{At: at, Event: "gate_evaluated", Gate: fmt.Sprintf("gate %d", gate), Status: "pass", Detail: strings.Repeat("web (green) had few errors; ", 10), Measured: measured}
			if i == 777 {
				e.Status = "inconclusive"
			}
			all = append(all, e)
		}
		all = append(all, report.Entry{At: at, Event: "health_read", Detail: strings.Repeat("green (web) 2 of 2 healthy; ", 20)})
	}
	for i := range all {
		all[i].N = i
	}
	x, err := r.send(all)
	if err != nil || x.Spans != 3+gates {
		t.Fatalf("%+v, %v", x, err)
	}
	for _, request := range r.requests {
		if size := proto.Size(request); size > 4<<20 {
			t.Errorf("a request of %d bytes", size)
		}
	}
	root, below := r.spans()
	hold := below[string(root.SpanId)][1]
	for _, g := range below[string(hold.SpanId)] {
		evaluations, verdicts, omitted := 0, map[string]int{}, ""
		for _, e := range g.Events {
			if e.Name != "gate_evaluated" {
				continue
			}
			evaluations++
			for _, a := range e.Attributes {
				if a.Key == "bluegreen.gate.verdict" {
					verdicts[valueText(a.Value)]++
				}
			}
		}
		for _, a := range g.Attributes {
			if a.Key == "bluegreen.omitted_events" {
				omitted = valueText(a.Value)
			}
		}
		if evaluations < 50 || len(g.Events) != 9*evaluations || verdicts[`"inconclusive"`] != 1 || omitted != fmt.Sprint(9*(times-evaluations)) {
			t.Errorf("%s: %d evaluations %v, %d events, omitted %s", g.Name, evaluations, verdicts, len(g.Events), omitted)
		}
		if last := g.Events[len(g.Events)-1]; last.TimeUnixNano != g.EndTimeUnixNano {
			t.Errorf("%s: the last evaluation is missing", g.Name)
		}
	}
	if len(hold.Events) < 50 || len(hold.Events) >= times {
		t.Errorf("the hold has %d events", len(hold.Events))
	}
}

// No span ends before it starts, although the clock of the machine was set back.
func TestOTLP_clockSetBack(t *testing.T) {
	r := newReceiver(t)
	all := entries()
	for i := range all[6:] {
		all[6+i].At = all[6+i].At.Add(-time.Hour)
	}
	all[14].At = all[14].At.Add(2 * time.Hour)
	if _, err := r.send(all); err != nil {
		t.Fatal(err)
	}
	root, below := r.spans()
	spans := append(below[string(root.SpanId)], root)
	for _, s := range below[string(root.SpanId)] {
		spans = append(spans, below[string(s.SpanId)]...)
	}
	for _, s := range spans {
		if s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano < root.StartTimeUnixNano || s.EndTimeUnixNano > root.EndTimeUnixNano {
			t.Errorf("%s from %s to %s", s.Name, offset(s.StartTimeUnixNano), offset(s.EndTimeUnixNano))
		}
		for _, e := range s.Events {
			if e.TimeUnixNano < s.StartTimeUnixNano || e.TimeUnixNano > s.EndTimeUnixNano {
				t.Errorf("%s of %s at %s", e.Name, s.Name, offset(e.TimeUnixNano))
			}
		}
	}
}
