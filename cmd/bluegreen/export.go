package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/export"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// exportVerb is "bluegreen export".
type exportVerb struct {
	reports
	Shift    string        `arg:"" optional:"" help:"ID of the shift. Default: the last one."`
	OTLP     bool          `name:"otlp" required:"" help:"Send with OTLP/HTTP. Required."`
	Endpoint string        `help:"Base URL of the receiver. Default: $$OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or $$OTEL_EXPORTER_OTLP_ENDPOINT." placeholder:"URL"`
	Timeout  time.Duration `default:"1m" help:"How long to retry before the command fails."`
}

const cannotExport = "Cannot export the shift"

// Run sends the trace of a shift.
func (v *exportVerb) Run(ctx context.Context, s streams) error {
	journal, err := v.journal(v.Shift)
	if err != nil {
		return v.fail(s, cannotExport, err)
	}
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	sent, err := export.OTLP(ctx, journal, export.Options{Endpoint: v.Endpoint, Version: version, Getenv: s.getenv})
	if !v.JSON {
		for _, warning := range sent.Warnings {
			fmt.Fprintln(s.err, "Warning:", warning)
		}
	}
	switch {
	case err != nil:
		return v.failed(s, sent, err)
	case v.JSON:
		return printJSON(s.out, sent)
	}
	return printLine(s.out, fmt.Sprintf("Exported the shift %s to %s: %d spans of the trace %s.", sent.Shift, sent.Endpoint, sent.Spans, sent.TraceID))
}

// failed prints why nothing, or not everything, was sent.
func (v *exportVerb) failed(s streams, sent export.Exported, err error) error {
	input, is := errors.AsType[*export.InputError](err)
	_, newer := errors.AsType[*report.NewerError](err)
	switch {
	case is:
		return (&places{JSON: v.JSON}).report(s, &operate.Problem{Exit: operate.Refused, Summary: cannotExport, Traffic: "Nothing was sent.", Cause: input.Cause, Action: input.Action, Err: err})
	case newer || errors.Is(err, report.ErrNotJournal) || errors.Is(err, report.ErrDamaged) || sent.Spans == 0:
		return v.fail(s, cannotExport, err)
	}
	return (&places{JSON: v.JSON}).report(s, &operate.Problem{Exit: operate.Failed, Summary: "The receiver did not accept the trace", Cause: fmt.Sprintf("Sending %d spans to %s: %s", sent.Spans, sent.Endpoint, sentence(err.Error())),
		Action: "Check the endpoint, OTEL_EXPORTER_OTLP_HEADERS and the receiver, then run the command again: the trace has the same IDs.", Err: err})
}
