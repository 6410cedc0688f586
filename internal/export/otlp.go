package export

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

const (
	tracesPath = "/v1/traces"
	// batch is how many spans a request has at most.
	batch = 512
	// maxDetail is how much of the response of a receiver an error has.
	maxDetail = 500
)

// Options are the arguments of an export. Headers, timeout, compression and certificates are those
// of the variables OTEL_EXPORTER_OTLP_*, which the exporter reads itself, as it does
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
type Options struct {
	// Endpoint is the base URL of the receiver. Empty: that of the variables.
	Endpoint string
	Version  string // of the program
	Getenv   func(string) (string, bool)
}

// Exported is what was sent.
type Exported struct {
	Shift    string `json:"shift"`
	TraceID  string `json:"trace_id"`
	SpanID   string `json:"span_id"` // of the shift
	Parent   string `json:"parent_span_id,omitempty"`
	Spans    int    `json:"spans"`
	Endpoint string `json:"endpoint"`
	// Incomplete reports that the journal has no end.
	Incomplete bool     `json:"incomplete,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}

// InputError reports an argument or a variable that cannot be used. Nothing was sent.
type InputError struct{ Cause, Action string }

// Error implements error.
func (e *InputError) Error() string { return e.Cause }

// OTLP sends the trace of a journal. It returns an *InputError, the errors of report.Read, or why
// the receiver did not take it, without headers and their values.
func OTLP(ctx context.Context, journal string, o Options) (Exported, error) {
	t := newTree()
	if err := report.Read(journal, func(e report.Entry) error { t.add(e); return nil }); err != nil {
		return Exported{}, err
	}
	if t.shift.ID == "" {
		return Exported{}, fmt.Errorf("%s: %w", journal, report.ErrNotJournal)
	}
	endpoint, err := o.endpoint()
	if err != nil {
		return Exported{}, err
	}
	x := Exported{Shift: t.shift.ID, Endpoint: endpoint, Incomplete: t.result == nil}
	ctx, parent, warning := o.parent(ctx)
	if warning != "" {
		x.Warnings = append(x.Warnings, warning)
	}
	if parent.IsValid() {
		x.Parent = parent.SpanID().String()
	}
	if x.Incomplete {
		x.Warnings = append(x.Warnings, "The journal has no end: the shift is running, or its process ended. The trace ends with the last entry. Export it again later to complete it.")
	}
	about, err := o.resource(ctx)
	if err != nil {
		return x, err
	}
	spans := t.spans(ctx, about, o.Version)
	root := spans[len(spans)-1].SpanContext()
	x.TraceID, x.SpanID, x.Spans = root.TraceID().String(), root.SpanID().String(), len(spans)
	return x, o.send(ctx, endpoint, spans)
}

func (o Options) variable(name string) string {
	value, _ := o.Getenv(name)
	return value
}

// endpoint returns the URL that receives traces.
func (o Options) endpoint() (string, error) {
	for _, x := range []struct{ source, text, path string }{
		{"--endpoint", o.Endpoint, tracesPath},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", o.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", o.variable("OTEL_EXPORTER_OTLP_ENDPOINT"), tracesPath},
	} {
		if x.text == "" {
			continue
		}
		u, err := url.Parse(x.text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", &InputError{Cause: x.source + " is not an HTTP URL.", Action: "Use a URL such as http://localhost:4318."}
		}
		if u.User != nil || u.RawQuery != "" {
			return "", &InputError{Cause: x.source + " has a user name, a password or a query, which the exporter would not send.", Action: "Use OTEL_EXPORTER_OTLP_HEADERS for credentials."}
		}
		if x.path != "" {
			u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), x.path) + x.path
		}
		return u.String(), nil
	}
	return "", &InputError{Cause: "No receiver is named.", Action: "Use --endpoint with the URL of an OTLP/HTTP receiver, such as http://localhost:4318, or set OTEL_EXPORTER_OTLP_ENDPOINT."}
}

// parent returns ctx with the span of TRACEPARENT, and a warning where that is malformed.
func (o Options) parent(ctx context.Context) (context.Context, trace.SpanContext, string) {
	text := o.variable("TRACEPARENT")
	if text == "" {
		return ctx, trace.SpanContext{}, ""
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": text, "tracestate": o.variable("TRACESTATE")})
	parent := trace.SpanContextFromContext(ctx)
	if !parent.IsValid() {
		return ctx, parent, fmt.Sprintf("TRACEPARENT is malformed (%.80q), so the trace has no parent. Its form is 00-<32 hexadecimal digits>-<16 hexadecimal digits>-01.", text)
	}
	return ctx, parent, ""
}

// resource says what the spans are of. The variables come before the defaults.
func (o Options) resource(ctx context.Context) (*resource.Resource, error) {
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(semconv.ServiceName("bluegreen"), semconv.ServiceVersion(o.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, &InputError{Cause: "OTEL_RESOURCE_ATTRIBUTES or OTEL_SERVICE_NAME cannot be read: " + err.Error() + ".", Action: "Use the form key1=value1,key2=value2."}
	}
	return about, nil
}

// send sends spans in order, and stops at the first request that fails.
func (o Options) send(ctx context.Context, endpoint string, spans []sdktrace.ReadOnlySpan) error {
	problems := &problems{}
	otel.SetLogger(logr.New(problems)) // it would print values to standard error
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithProxy(proxy))
	if text := problems.text(); text != "" {
		return &InputError{Cause: "A variable OTEL_EXPORTER_OTLP_* cannot be used: " + text + ".", Action: "Fix or unset it. Its value is not shown, because it may be a secret."}
	}
	if err != nil {
		return o.masked(err)
	}
	for _, part := range requests(spans) {
		if err = exporter.ExportSpans(ctx, part); err != nil {
			break
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if stopErr := exporter.Shutdown(stop); err == nil {
		err = stopErr
	}
	return o.masked(err)
}

// errRedirect is the error of a receiver that redirects.
var errRedirect = errors.New("the receiver redirects, for example to a page for signing in, which is not followed")

// proxy returns the proxy of a request. It is asked before every connection, and refuses those of a
// redirect: the request would become a GET without the trace, whose status says nothing about it,
// and would take the headers to another host. An HTTP client of our own could refuse it too, but
// the exporter applies its variables for TLS to its own one only.
func proxy(r *http.Request) (*url.URL, error) {
	if r.Response != nil {
		return nil, errRedirect
	}
	return http.ProxyFromEnvironment(r)
}

// masked returns an error without the values of headers: a receiver may repeat them.
func (o Options) masked(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(o.variable(name), ",") {
			_, value, _ := strings.Cut(pair, "=")
			text = mask(text, strings.TrimSpace(value))
		}
	}
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return &deliveryError{strings.Join(strings.Fields(text), " "), err}
}

// mask replaces a value, as written and decoded, and its words: "Bearer x" may be repeated as x.
func mask(text, value string) string {
	values := []string{value}
	if decoded, err := url.PathUnescape(value); err == nil {
		values = append(values, decoded)
		values = append(values, strings.Fields(decoded)...)
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		if len(v) >= 4 {
			text = strings.ReplaceAll(text, v, "***")
		}
	}
	return text
}

// deliveryError is an error whose text has no secrets.
type deliveryError struct {
	text string
	err  error
}

func (e *deliveryError) Error() string        { return e.text }
func (e *deliveryError) Is(target error) bool { return errors.Is(e.err, target) }

// problems collects what the exporter logs about its variables, without their values.
type problems struct {
	mu    sync.Mutex
	texts []string
}

var _ logr.LogSink = (*problems)(nil)

func (p *problems) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.texts, "; ")
}

// Init implements logr.LogSink.
func (p *problems) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink.
func (p *problems) Enabled(int) bool { return false }

// Info implements logr.LogSink.
func (p *problems) Info(int, string, ...any) {}

// Error implements logr.LogSink. The error of a file says what is wrong with it.
func (p *problems) Error(err error, text string, _ ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && strings.Contains(text, "tls") {
		text += ": " + err.Error()
	}
	p.texts = append(p.texts, text)
}

// WithValues implements logr.LogSink.
func (p *problems) WithValues(...any) logr.LogSink { return p }

// WithName implements logr.LogSink.
func (p *problems) WithName(string) logr.LogSink { return p }
