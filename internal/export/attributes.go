package export

import (
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// The outcomes that have a result of their own in the conventions.
const (
	completed   = "completed"
	interrupted = "interrupted"
	broken      = "failed"
)

// bluegreen is the key of an attribute that the conventions do not have.
func bluegreen(name string) attribute.Key { return attribute.Key("bluegreen." + name) }

// shiftAttributes are those of the root span that are known at the start.
func shiftAttributes(s report.Shift, name string) []attribute.KeyValue {
	all := []attribute.KeyValue{
		semconv.CICDPipelineName(name), semconv.CICDPipelineRunID(s.ID), semconv.CICDPipelineActionNameRun,
		semconv.DeploymentID(s.ID), semconv.DeploymentName(schedule.And(s.Entries)),
		bluegreen("entry_points").StringSlice(s.Entries), bluegreen("weights.to").String(s.To.String()),
	}
	var routes, versions []string
	for _, r := range s.Routes {
		routes = append(routes, r.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		versions = append(versions, name+" "+s.Versions[name])
	}
	all = append(all, bluegreen("routes").StringSlice(routes), bluegreen("versions").StringSlice(versions))
	if s.Owner != nil {
		owner := *s.Owner
		if owner.Run != "" {
			all = append(all, semconv.CICDPipelineRunURLFull(owner.Run))
		}
		owner.Run = ""
		all = append(all, bluegreen("owner").String(owner.String()))
	}
	if s.Provider != "" {
		all = append(all, bluegreen("provider.version").String(s.Provider))
	}
	return all
}

// resultAttributes are those of the root span at the end.
func resultAttributes(r report.Result, f *report.Failure) []attribute.KeyValue {
	all := []attribute.KeyValue{bluegreen("outcome").String(r.Outcome)}
	switch r.Outcome {
	case completed:
		return append(all, semconv.CICDPipelineResultSuccess, semconv.DeploymentStatusSucceeded)
	case interrupted:
		all = append(all, semconv.CICDPipelineResultCancellation)
	case broken:
		all = append(all, semconv.CICDPipelineResultError)
	default:
		all = append(all, semconv.CICDPipelineResultFailure)
	}
	cause := r.Outcome
	if f != nil && f.Cause != "" {
		cause = f.Cause
		all = append(all, bluegreen("failure.disposition").String(f.Disposition), bluegreen("failure.rejects").Bool(f.Rejects))
	}
	return append(all, semconv.DeploymentStatusFailed, semconv.ErrorTypeKey.String(cause), bluegreen("reason").String(r.Reason))
}

// eventAttributes are those of an event that is not an evaluation.
func eventAttributes(e report.Entry) []attribute.KeyValue {
	var all []attribute.KeyValue
	for _, x := range []struct{ name, value string }{{"route", e.Route}, {"gate.name", e.Gate}, {"detail", e.Detail}, {"error", e.Error}} {
		if x.value != "" {
			all = append(all, bluegreen(x.name).String(x.value))
		}
	}
	if e.Weights != nil {
		all = append(all, bluegreen("weights").String(e.Weights.String()))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Weights)) {
		all = append(all, bluegreen("weight."+name).Float64(e.Weights[name]))
	}
	if e.TookSeconds > 0 {
		all = append(all, bluegreen("took_seconds").Float64(e.TookSeconds))
	}
	return all
}

// evaluation is an event for the verdict of a gate, and one for each number it measured.
func evaluation(e report.Entry) []event {
	verdict := bluegreen("gate.verdict").String(e.Status)
	all := []event{{e.At, e.Event, append(eventAttributes(e), verdict)}}
	for _, m := range e.Measured {
		attributes := []attribute.KeyValue{verdict, bluegreen("measurement.name").String(m.Name)}
		for _, x := range []struct{ name, value string }{{"entry_point", m.Entry}, {"unit", m.Unit}} {
			if x.value != "" {
				attributes = append(attributes, bluegreen("measurement."+x.name).String(x.value))
			}
		}
		for _, x := range []struct {
			name  string
			value *float64
		}{{"value", m.Value}, {"min", m.Min}, {"max", m.Max}} {
			if x.value != nil {
				attributes = append(attributes, bluegreen("measurement."+x.name).Float64(*x.value))
			}
		}
		if m.Samples > 0 {
			attributes = append(attributes, bluegreen("measurement.samples").Int(m.Samples))
		}
		all = append(all, event{e.At, measurement, attributes})
	}
	return all
}
