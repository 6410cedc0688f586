package export

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// rollback is the name of the phase that returns the traffic.
const rollback = "rollback"

// span is a part of a shift.
type span struct {
	name       string
	id         string // within the shift: the same in every export of its journal
	start, end time.Time
	attributes []attribute.KeyValue
	events     []event
	failure    string // why it failed; empty: it did not
	children   []*span
}

// event is a moment of a span.
type event struct {
	at         time.Time
	name       string
	attributes []attribute.KeyValue
}

// tree builds the spans of a shift from the entries of its journal.
type tree struct {
	root   *span
	phase  *span            // the current one; nil: there is none
	gates  map[string]*gate // of the current phase
	shift  report.Shift
	result *report.Result
	failed *report.Failure // of the engine
	last   time.Time
	lost   int
	next   int // the next Entry.N
}

// gate is the evaluations of a gate in a phase.
type gate struct {
	*span
	verdict    string
	times      int
	reportOnly bool // its failure is none of the shift
}

func newTree() *tree { return &tree{root: &span{id: "shift"}, gates: map[string]*gate{}} }

// add adds the next entry.
func (t *tree) add(e report.Entry) {
	if t.next > 0 && e.N > t.next {
		t.lost += e.N - t.next
	}
	t.next = e.N + 1
	if t.root.start.IsZero() {
		t.root.start, t.last = e.At, e.At
	}
	if e.At.Before(t.last) { // a clock may be set back; no span ends before it starts
		e.At = t.last
	}
	t.last = e.At
	switch e.Event {
	case report.Opened:
		t.opened(e)
	case report.Ended:
		t.result = e.Result
	case string(rollout.ShiftStarted):
		t.root.add(bluegreen("shift.kind").String(e.Kind))
	case string(rollout.PhaseStarted):
		t.begin(e, e.Phase)
	case string(rollout.RollbackStarted):
		t.rollback(e)
	case string(rollout.GateEvaluated):
		t.evaluated(e)
	case string(rollout.ShiftEnded):
		t.shiftEnded(e)
	default:
		at := t.current()
		at.events = append(at.events, event{e.At, e.Event, eventAttributes(e)})
	}
}

func (s *span) add(attributes ...attribute.KeyValue) {
	s.attributes = append(s.attributes, attributes...)
}

// current is the span to which an event belongs.
func (t *tree) current() *span {
	if t.phase != nil {
		return t.phase
	}
	return t.root
}

func (t *tree) opened(e report.Entry) {
	if e.Shift == nil {
		return
	}
	t.shift = *e.Shift
	name := "shift"
	if len(t.shift.Entries) > 0 {
		name += " of " + schedule.And(t.shift.Entries)
	}
	t.root.name = "RUN " + name
	t.root.add(shiftAttributes(t.shift, name)...)
}

// begin begins a phase, and ends the one before it.
func (t *tree) begin(e report.Entry, name string) {
	t.finish(e.At)
	id := strconv.Itoa(e.N)
	t.phase = &span{name: name, id: "phase " + id, start: e.At}
	t.phase.add(semconv.CICDPipelineTaskName(name), semconv.CICDPipelineTaskRunID(t.shift.ID+"/"+id), semconv.CICDPipelineTaskTypeDeploy)
	t.root.children = append(t.root.children, t.phase)
}

// rollback begins the rollback. The phase before it failed.
func (t *tree) rollback(e report.Entry) {
	if t.phase != nil {
		t.phase.failure = e.Detail
	}
	t.begin(e, rollback)
	t.phase.add(bluegreen("reason").String(e.Detail))
	if e.Failure != nil {
		t.phase.add(bluegreen("failure.cause").String(e.Failure.Cause))
	}
}

// shiftEnded ends the last phase. Without a rollback, the failure is its own; a rollback fails where
// the traffic was not returned.
func (t *tree) shiftEnded(e report.Entry) {
	if t.phase != nil && e.Failure != nil && (t.phase.name != rollback || e.Failure.Disposition != string(rollout.RolledBack)) {
		t.phase.failure = e.Detail
	}
	t.finish(e.At)
	t.failed = e.Failure
	if t.result == nil {
		t.result = new(report.ResultOf(e))
	}
}

// finish ends the current phase and its gates.
func (t *tree) finish(at time.Time) {
	for _, g := range t.gates {
		g.finish()
	}
	t.gates = map[string]*gate{}
	if t.phase == nil {
		return
	}
	t.phase.end = at
	if t.phase.failure != "" {
		t.phase.add(semconv.CICDPipelineTaskRunResultFailure)
	} else {
		t.phase.add(semconv.CICDPipelineTaskRunResultSuccess)
	}
	t.phase = nil
}

// evaluated adds an evaluation to the span of its gate, which begins with the first one.
func (t *tree) evaluated(e report.Entry) {
	g := t.gates[e.Gate]
	if g == nil {
		g = &gate{span: &span{name: "gate " + e.Gate, id: "gate " + strconv.Itoa(e.N), start: t.began(e)}}
		g.add(semconv.CICDPipelineTaskName(g.name), semconv.CICDPipelineTaskRunID(t.shift.ID+"/"+strconv.Itoa(e.N)), semconv.CICDPipelineTaskTypeTest)
		g.add(bluegreen("gate.name").String(e.Gate))
		for _, configured := range t.shift.Gates {
			if configured.Name == e.Gate {
				g.reportOnly = configured.DryRun
				g.add(bluegreen("gate.report_only").Bool(configured.DryRun))
			}
		}
		t.gates[e.Gate] = g
		at := t.current()
		at.children = append(at.children, g.span)
	}
	g.verdict, g.end = e.Status, e.At
	g.times++
	g.events = append(g.events, evaluation(e)...)
	g.failure = ""
	if !g.reportOnly && (e.Status == string(rollout.Fail) || e.Status == string(rollout.Errored)) {
		g.failure = fmt.Sprintf("%s: %s", e.Status, e.Detail)
	}
}

// began is when an evaluation began, not before its phase.
func (t *tree) began(e report.Entry) time.Time {
	began := e.At.Add(-time.Duration(e.TookSeconds * float64(time.Second)))
	if start := t.current().start; began.Before(start) {
		return start
	}
	return began
}

// finish completes the span of a gate.
func (g *gate) finish() {
	g.add(bluegreen("gate.verdict").String(g.verdict), bluegreen("gate.evaluations").Int(g.times))
	switch rollout.Status(g.verdict) {
	case rollout.Pass:
		g.add(semconv.CICDPipelineTaskRunResultSuccess)
	case rollout.Fail:
		g.add(semconv.CICDPipelineTaskRunResultFailure)
	default:
		g.add(semconv.CICDPipelineTaskRunResultError)
	}
}

// close completes the tree. What did not end, ends with the last entry and is marked.
func (t *tree) close() *span {
	if open := t.phase; open != nil {
		result := len(open.attributes)
		t.finish(t.last)
		if t.result == nil {
			open.attributes = append(open.attributes[:result:result], bluegreen("incomplete").Bool(true))
		}
	}
	for _, g := range t.gates {
		g.finish()
	}
	t.root.end = t.last
	if t.lost > 0 {
		t.root.add(bluegreen("lost_entries").Int(t.lost))
	}
	if t.result == nil {
		t.root.add(bluegreen("incomplete").Bool(true))
		return t.root
	}
	t.root.add(resultAttributes(*t.result, t.failed)...)
	if t.result.Outcome != completed {
		t.root.failure = strings.TrimSuffix(t.result.Outcome+": "+t.result.Reason, ": ")
	}
	return t.root
}
