package export_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/export"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const shiftID = "20261102T093000Z-0a1b"

func start() time.Time { return time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC) }

// receiver is an OTLP/HTTP receiver that decodes what it gets.
type receiver struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	requests []*coltrace.ExportTraceServiceRequest
	headers  []http.Header
	paths    []string
	answer   func(http.ResponseWriter) // nil: it accepts
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	for _, entry := range os.Environ() { // those of the machine
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "TRACE") {
			t.Setenv(name, "")
		}
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body := io.Reader(request.Body)
	if request.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			r.t.Error(err)
			return
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	var decoded coltrace.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(text, &decoded)
	}
	if err != nil || request.Header.Get("Content-Type") != "application/x-protobuf" || request.Method != http.MethodPost {
		r.t.Errorf("%s %s: %v", request.Method, request.Header.Get("Content-Type"), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.headers, r.paths = append(r.requests, &decoded), append(r.headers, request.Header), append(r.paths, request.URL.Path)
	if r.answer != nil {
		r.answer(w)
	}
}

// spans are those of all requests, by id.
func (r *receiver) spans() (root *tracepb.Span, below map[string][]*tracepb.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	below, known := map[string][]*tracepb.Span{}, map[string]bool{}
	var all []*tracepb.Span
	for _, request := range r.requests {
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				all = append(all, scope.Spans...)
			}
		}
	}
	for _, s := range all {
		known[string(s.SpanId)] = true
	}
	for _, s := range all {
		if !known[string(s.ParentSpanId)] {
			root = s
			continue
		}
		below[string(s.ParentSpanId)] = append(below[string(s.ParentSpanId)], s)
	}
	return root, below
}

func valueText(v *common.AnyValue) string {
	switch x := v.Value.(type) {
	case *common.AnyValue_StringValue:
		return fmt.Sprintf("%q", x.StringValue)
	case *common.AnyValue_IntValue:
		return fmt.Sprint(x.IntValue)
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint(x.DoubleValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(x.BoolValue)
	case *common.AnyValue_ArrayValue:
		var all []string
		for _, one := range x.ArrayValue.Values {
			all = append(all, valueText(one))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return "?"
}

func offset(nanos uint64) time.Duration { return time.Unix(0, int64(nanos)).Sub(start()) }

// describe is a span with all below it.
func describe(s *tracepb.Span, below map[string][]*tracepb.Span, indent string) string {
	text := fmt.Sprintf("%s%s [%s to %s] %s", indent, s.Name, offset(s.StartTimeUnixNano), offset(s.EndTimeUnixNano), strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
	if s.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
		text += fmt.Sprintf(" %s %q", strings.TrimPrefix(s.Status.Code.String(), "STATUS_CODE_"), s.Status.Message)
	}
	text += "\n"
	for _, a := range s.Attributes {
		text += fmt.Sprintf("%s  %s = %s\n", indent, a.Key, valueText(a.Value))
	}
	for _, e := range s.Events {
		text += fmt.Sprintf("%s  * %s %s", indent, offset(e.TimeUnixNano), e.Name)
		for _, a := range e.Attributes {
			text += fmt.Sprintf(" %s=%s", a.Key, valueText(a.Value))
		}
		text += "\n"
	}
	for _, child := range below[string(s.SpanId)] {
		text += describe(child, below, indent+"    ")
	}
	return text
}

// entries are a shift that is rolled back.
func entries() []report.Entry {
	v, limit := 4.0, 1.0
	failure := &report.Failure{Cause: "gate_failed", Disposition: "rolled_back", Stage: "hold at 5 %", Gate: "users", Rejects: true}
	all := []report.Entry{
		{Event: report.Opened, Version: 1, Shift: &report.Shift{ID: shiftID, Entries: []string{"web"}, Routes: []report.ShiftRoute{{ID: "arn:listener", Entry: "web"}}, Versions: map[string]string{"green": "1.5.0"},
			To: report.Percentages{"green": 100}, Gates: []report.ShiftGate{{Name: "latency", DryRun: true, When: "during_hold"}, {Name: "users"}}, Owner: &traffic.Owner{User: "ann", Host: "ci-7", Run: "https://ci.example.com/runs/42"}, Provider: "1.2.3"}},
		{Event: "shift_started", Kind: "forward"},
		{Event: "route_read", Route: "arn:listener", Weights: report.Percentages{"blue": 100}},
		{Event: "phase_started", Phase: "shift to 5 %"},
		{Event: "weights_written", Route: "arn:listener", Weights: report.Percentages{"blue": 95, "green": 5}, TookSeconds: 0.25},
		{Event: "weights_verified", Route: "arn:listener", Weights: report.Percentages{"blue": 95, "green": 5}},
		{Event: "phase_started", Phase: "hold at 5 %"},
		{Event: "gate_evaluated", Gate: "latency", Status: "fail", Detail: "slow", TookSeconds: 3},
		{Event: "gate_evaluated", Gate: "users", Status: "pass", Detail: "fine", TookSeconds: 120},
		{Event: "gate_evaluated", Gate: "users", Status: "fail", Detail: "web (green): 4 % errors", TookSeconds: 2, Measured: []report.Measurement{{Name: "error rate", Entry: "web", Unit: "%", Value: &v, Max: &limit, Samples: 520}, {Name: "requests"}}},
		{Event: "rollback_started", Detail: `gate "users" failed`, Failure: failure},
		{Event: "weights_written", Route: "arn:listener", Weights: report.Percentages{"blue": 100}, Error: "throttled"},
		{Event: "weights_verified", Route: "arn:listener", Weights: report.Percentages{"blue": 100}},
		{Event: "shift_ended", Detail: `gate "users" failed`, Failure: failure},
		{Event: report.Ended, Result: &report.Result{Outcome: "rolled_back", Reason: `gate "users" failed`}},
	}
	for i := range all {
		all[i].N, all[i].At = i, start().Add(time.Duration(i)*10*time.Second)
	}
	return all
}

// journal writes entries to a file.
func journal(t *testing.T, all []report.Entry) string {
	t.Helper()
	text := ""
	for _, e := range all {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text += string(line) + "\n"
	}
	path := filepath.Join(t.TempDir(), "shift.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// send exports a journal.
func (r *receiver) send(all []report.Entry) (export.Exported, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), slow.Deadline(30*time.Second))
	defer cancel()
	return export.OTLP(ctx, journal(r.t, all), export.Options{Endpoint: r.URL, Version: "1.2.3", Getenv: os.LookupEnv})
}

// The tree of a shift that was rolled back, with its times, attributes, events and statuses.
func TestOTLP_tree(t *testing.T) {
	r := newReceiver(t)
	x, err := r.send(entries())
	if err != nil || x.Spans != 6 || x.Incomplete || len(r.requests) != 1 || r.paths[0] != "/v1/traces" {
		t.Fatalf("%+v, %v, %v", x, err, r.paths)
	}
	root, below := r.spans()
	golden.Check(t, describe(root, below, ""))
	if hex.EncodeToString(root.TraceId) != x.TraceID || hex.EncodeToString(root.SpanId) != x.SpanID || len(root.ParentSpanId) != 0 {
		t.Errorf("the ids are %x and %x, reported as %+v", root.TraceId, root.SpanId, x)
	}
}

// A shift that completed, and one that was stopped in its hold.
func TestOTLP_outcomes(t *testing.T) {
	done := append(entries()[:6], report.Entry{N: 6, At: start().Add(time.Minute), Event: "shift_ended", Detail: "completed"}, report.Entry{N: 7, At: start().Add(time.Minute), Event: report.Ended, Result: &report.Result{Outcome: "completed"}})
	stopped := append(entries()[:7], report.Entry{N: 7, At: start().Add(90 * time.Second), Event: "shift_ended", Detail: "interrupted", Failure: &report.Failure{Cause: "interrupted", Disposition: "stopped"}})
	for name, all := range map[string][]report.Entry{"completed": done, "interrupted": stopped} {
		r := newReceiver(t)
		if x, err := r.send(all); err != nil || x.Incomplete {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
		root, below := r.spans()
		golden.CheckPart(t, name, describe(root, below, ""))
	}
}

// A journal without an end is exported as far as it goes; the complete one has the same ids.
func TestOTLP_incomplete(t *testing.T) {
	r, again := newReceiver(t), newReceiver(t)
	x, err := r.send(append(entries()[:8], entries()[10])[:8])
	if err != nil || !x.Incomplete || len(x.Warnings) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	root, below := r.spans()
	golden.Check(t, describe(root, below, ""))
	if _, err := again.send(entries()); err != nil {
		t.Fatal(err)
	}
	later, belowLater := again.spans()
	if string(root.TraceId) != string(later.TraceId) || string(root.SpanId) != string(later.SpanId) {
		t.Error("the root spans differ")
	}
	for i, s := range below[string(root.SpanId)] {
		if string(s.SpanId) != string(belowLater[string(later.SpanId)][i].SpanId) {
			t.Errorf("the spans %d differ", i)
		}
	}
	lost := entries()
	lost[14].N = 20
	third := newReceiver(t)
	if _, err := third.send(lost); err != nil {
		t.Fatal(err)
	}
	if root, below := third.spans(); !strings.Contains(describe(root, below, ""), "bluegreen.lost_entries = 6") {
		t.Error("lost entries are not marked")
	}
}

// The parent, headers, compression and resource are those of the standard variables.
func TestOTLP_variables(t *testing.T) {
	r := newReceiver(t)
	for name, value := range map[string]string{
		"TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "TRACESTATE": "vendor=1",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20s3cret-token", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=production",
		"OTEL_TRACES_SAMPLER": "always_off", "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
	} {
		t.Setenv(name, value)
	}
	x, err := r.send(entries())
	if err != nil || x.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || x.Parent != "00f067aa0ba902b7" || x.Spans != 6 {
		t.Fatalf("%+v, %v", x, err)
	}
	root, _ := r.spans()
	if hex.EncodeToString(root.ParentSpanId) != x.Parent || hex.EncodeToString(root.TraceId) != x.TraceID || root.TraceState != "vendor=1" {
		t.Errorf("the parent is %x in %x, %s", root.ParentSpanId, root.TraceId, root.TraceState)
	}
	if r.headers[0].Get("Authorization") != "Bearer s3cret-token" || r.headers[0].Get("Content-Encoding") != "gzip" {
		t.Errorf("the headers are %v", r.headers[0])
	}
	text := ""
	of := r.requests[0].ResourceSpans[0]
	for _, a := range of.Resource.Attributes {
		text += a.Key + " = " + valueText(a.Value) + "\n"
	}
	for _, want := range []string{`service.name = "shop"`, `deployment.environment.name = "production"`, `service.version = "1.2.3"`, `telemetry.sdk.language = "go"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the resource has no %s:\n%s", want, text)
		}
	}
	if scope := of.ScopeSpans[0]; scope.Scope.Version != "1.2.3" || !strings.HasPrefix(scope.SchemaUrl, "https://opentelemetry.io/schemas/1.") {
		t.Errorf("the scope is %+v, %s", scope.Scope, scope.SchemaUrl)
	}
}

// A malformed parent is a warning, and the trace is that of the shift.
func TestOTLP_malformedParent(t *testing.T) {
	r := newReceiver(t)
	t.Setenv("TRACEPARENT", "00-abc")
	x, err := r.send(entries())
	if err != nil || x.Parent != "" || len(x.Warnings) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	golden.Check(t, x.Warnings[0]+"\n")
}

// Where the endpoint comes from, and what cannot be used. Nothing is sent then.
func TestOTLP_endpoint(t *testing.T) {
	send := func(endpoint string) error {
		_, err := export.OTLP(t.Context(), journal(t, entries()), export.Options{Endpoint: endpoint, Getenv: os.LookupEnv})
		return err
	}
	for _, c := range []struct{ flag, traces, base, path string }{
		{"URL/", "", "http://127.0.0.1:1", "/v1/traces"},
		{"URL/v1/traces", "", "", "/v1/traces"},
		{"", "URL/custom/", "http://127.0.0.1:1", "/custom/"},
		{"", "URL", "", "/"},
		{"", "", "URL/otlp", "/otlp/v1/traces"},
	} {
		r := newReceiver(t)
		at := func(text string) string { return strings.ReplaceAll(text, "URL", r.URL) }
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", at(c.traces))
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", at(c.base))
		if err := send(at(c.flag)); err != nil || len(r.paths) != 1 || r.paths[0] != c.path {
			t.Errorf("%+v: %v, %v", c, r.paths, err)
		}
	}
	for name, c := range map[string]struct{ flag, variable, value string }{
		"none":         {},
		"no URL":       {flag: "localhost:4318"},
		"another":      {flag: "ftp://localhost"},
		"credentials":  {flag: "http://ann:s3cret@localhost:4318"},
		"variable":     {variable: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "localhost"},
		"headers":      {flag: "URL", variable: "OTEL_EXPORTER_OTLP_HEADERS", value: "s3cret-token"},
		"escape":       {flag: "URL", variable: "OTEL_EXPORTER_OTLP_HEADERS", value: "a=s3cret%zz"},
		"duration":     {flag: "URL", variable: "OTEL_EXPORTER_OTLP_TIMEOUT", value: "soon"},
		"certificate":  {flag: "URL", variable: "OTEL_EXPORTER_OTLP_CERTIFICATE", value: "/no/such/file"},
		"resource":     {flag: "URL", variable: "OTEL_RESOURCE_ATTRIBUTES", value: "production"},
		"no such file": {flag: "URL", variable: "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", value: "/no/such/file"},
	} {
		r := newReceiver(t)
		if c.variable != "" {
			t.Setenv(c.variable, c.value)
		}
		if name == "no such file" {
			t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such/key")
		}
		err := send(strings.ReplaceAll(c.flag, "URL", r.URL))
		input, is := errors.AsType[*export.InputError](err)
		if !is || len(r.paths) != 0 || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, %v", name, err, r.paths)
			continue
		}
		golden.CheckPart(t, name, input.Cause+"\n"+input.Action+"\n")
	}
}

// A receiver that does not take the trace. Its response may repeat the credentials.
func TestOTLP_refused(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "") // restored at the end
	for name, answer := range map[string]func(http.ResponseWriter){
		"unauthorized": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "not a valid token:\n s3cret-token (Bearer s3cret-token)\n"+strings.Repeat("x", 1000))
		},
		"partly": func(w http.ResponseWriter) {
			text, err := proto.Marshal(&coltrace.ExportTraceServiceResponse{PartialSuccess: &coltrace.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old"}})
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(text)
		},
	} {
		r := newReceiver(t)
		r.answer = answer
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret-token")
		_, err := r.send(entries())
		if _, is := errors.AsType[*export.InputError](err); err == nil || is || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden.CheckPart(t, name, err.Error()+"\n", golden.Replace(r.URL, "<receiver>"))
	}
	r := newReceiver(t)
	r.Close()
	if _, err := r.send(entries()); err == nil {
		t.Error("a receiver that is not there took it")
	}
}

// A receiver that is briefly unavailable gets the trace later.
func TestOTLP_retries(t *testing.T) {
	r := newReceiver(t)
	times := 0
	r.answer = func(w http.ResponseWriter) {
		if times++; times == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	if _, err := r.send(entries()); err != nil || times != 2 {
		t.Errorf("%d requests, %v", times, err)
	}
}

// HTTPS with the certificate of the standard variable.
func TestOTLP_https(t *testing.T) {
	r := newReceiver(t)
	secure := httptest.NewTLSServer(r)
	t.Cleanup(secure.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	options := export.Options{Endpoint: secure.URL, Getenv: os.LookupEnv}
	if _, err := export.OTLP(t.Context(), journal(t, entries()), options); err == nil || len(r.requests) != 0 {
		t.Errorf("an unknown certificate: %v", err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file)
	if _, err := export.OTLP(t.Context(), journal(t, entries()), options); err != nil || len(r.requests) != 1 {
		t.Error(err)
	}
}

// Long shifts are sent in several requests, with all events.
func TestOTLP_long(t *testing.T) {
	r := newReceiver(t)
	all := entries()[:7]
	for range 1200 {
		all = append(all, report.Entry{Event: "phase_started", Phase: "hold"})
	}
	for range 300 {
		all = append(all, report.Entry{Event: "gate_evaluated", Gate: "users", Status: "pass"})
	}
	for i := range all {
		all[i].N, all[i].At = i, start().Add(time.Duration(i)*time.Second)
	}
	x, err := r.send(all)
	if err != nil || len(r.requests) != 3 || x.Spans != 1204 {
		t.Fatalf("%d requests, %+v, %v", len(r.requests), x, err)
	}
	root, below := r.spans()
	phases := below[string(root.SpanId)]
	gates := below[string(phases[len(phases)-1].SpanId)]
	if len(phases) != 1202 || len(gates) != 1 || len(gates[0].Events) != 300 {
		t.Errorf("%d phases, %d gates", len(phases), len(gates))
	}
}

// What is no journal is not sent.
func TestOTLP_journals(t *testing.T) {
	r := newReceiver(t)
	newer := entries()
	newer[0].Version = 99
	for name, c := range map[string]struct {
		all  []report.Entry
		want error
	}{"empty": {nil, report.ErrNotJournal}, "newer": {newer, nil}, "no beginning": {entries()[1:], report.ErrNotJournal}} {
		_, err := r.send(c.all)
		if _, is := errors.AsType[*report.NewerError](err); err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !is {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r.requests) != 0 {
		t.Error("it was sent")
	}
}
