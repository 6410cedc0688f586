package export

import (
	"context"
	"crypto/sha256"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/bluegreen/terraform-provider-bluegreen"

// spanID is the context key of the id of a span within its shift.
type spanID struct{}

// ids derives the ids of spans from the id of the shift, so that exporting it again gives the same
// trace.
type ids struct{ shift string }

var _ sdktrace.IDGenerator = ids{}

// NewIDs implements sdktrace.IDGenerator for the root span of a trace.
func (g ids) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	sum := sha256.Sum256([]byte("bluegreen trace " + g.shift))
	copy(id[:], sum[:])
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements sdktrace.IDGenerator.
func (g ids) NewSpanID(ctx context.Context, _ trace.TraceID) (id trace.SpanID) {
	name, _ := ctx.Value(spanID{}).(string)
	sum := sha256.Sum256([]byte("bluegreen span " + g.shift + " " + name))
	copy(id[:], sum[:])
	return id
}

// collector collects spans as they end.
type collector struct{ spans []sdktrace.ReadOnlySpan }

var _ sdktrace.SpanProcessor = (*collector)(nil)

// OnStart implements sdktrace.SpanProcessor.
func (c *collector) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (c *collector) OnEnd(s sdktrace.ReadOnlySpan) { c.spans = append(c.spans, s) }

// Shutdown implements sdktrace.SpanProcessor.
func (c *collector) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (c *collector) ForceFlush(context.Context) error { return nil }

// spans replays a tree with the SDK. The parent is in ctx, if there is one. Every span is sampled,
// whatever the parent is: somebody asked for this trace.
func (t *tree) spans(ctx context.Context, about *resource.Resource, version string) []sdktrace.ReadOnlySpan {
	root := t.close()
	all := &collector{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(ids{t.shift.ID}), sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithResource(about), sdktrace.WithSpanProcessor(all),
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1, AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1}))
	root.replay(ctx, provider.Tracer(scope, trace.WithInstrumentationVersion(version), trace.WithSchemaURL(semconv.SchemaURL)), trace.SpanKindServer)
	return all.spans
}

// replay starts and ends a span and those below it, at their times.
func (s *span) replay(ctx context.Context, tracer trace.Tracer, kind trace.SpanKind) {
	if omitted := s.thin(); omitted > 0 {
		s.add(bluegreen("omitted_events").Int(omitted))
	}
	ctx, recorded := tracer.Start(context.WithValue(ctx, spanID{}, s.id), s.name, trace.WithTimestamp(s.start), trace.WithSpanKind(kind), trace.WithAttributes(s.attributes...))
	for _, e := range s.events {
		recorded.AddEvent(e.name, trace.WithTimestamp(e.at), trace.WithAttributes(e.attributes...))
	}
	if s.failure != "" {
		recorded.SetStatus(codes.Error, s.failure)
	}
	for _, child := range s.children {
		child.replay(ctx, tracer, trace.SpanKindInternal)
	}
	recorded.End(trace.WithTimestamp(s.end))
}
