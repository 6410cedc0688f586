package provider

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/guard"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/notifying"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// rollbackMargin is added to the time for which credentials must last, for clock skew and
// calls in flight.
const rollbackMargin = 30 * time.Second

// change is a planned Create (state is nil) or Update.
type change struct {
	plan    switchModel
	state   *switchModel
	memory  release.Memory
	decided planMemory
}

// applyResult is the result of an apply. After an error the model is the prior state with
// what is true now; after a failed Create it is empty.
type applyResult struct {
	model  switchModel
	memory release.Memory
	diags  diag.Diagnostics
}

// failed is the result of an apply that failed before it did anything.
func (c change) failed(diags ...diag.Diagnostic) applyResult {
	end := applyResult{memory: c.memory, diags: diags}
	if c.state != nil {
		end.model = *c.state
	}
	return end
}

// shiftRun is a change that is being applied.
type shiftRun struct {
	change
	release.Apply
	gates    []*gates.Gate
	report   *reporting.Report  // nil: there is none
	reported reporting.Left     // by the end of the shift
	notices  *notifying.Notices // nil: there are none
	unsent   diag.Diagnostics   // warnings about them, by the end of the shift
}

// apply is the one path of Create and Update.
func (r *switchResource) apply(ctx context.Context, c change) applyResult {
	defer r.backend.busy.begin()()
	rd := &decoder{}
	configured := trafficConfig{weights: &c.plan.Weights}
	if c.decided.Ignored {
		configured.ignored, configured.weights = true, nil
	}
	w := rd.read(c.plan, configured)
	if rd.Diags.HasError() {
		return c.failed(rd.Diags...)
	}
	s := newShiftRun(c, w, r.backend.noRecord)
	decided, err := s.Spec.Decide(s.Prior.Observed(s.Desired))
	switch {
	case err != nil:
		return c.failed(undecidedError(c.plan, err))
	case c.state != nil && decided.IsEmpty():
		return s.result(s.Unchanged())
	case decided.Kind == shift.Revert && s.IsTooOld():
		return c.failed(planTooOld(s.Desired.Strategy.RollbackWindow))
	}
	if d := r.prepare(ctx, s, decided); d != nil {
		return c.failed(d)
	}
	tflog.Info(ctx, "shift_decided", map[string]any{"shift": s.Spec.ID, "kind": decided.Kind.String()})
	result, err := rollout.Run(ctx, s.Spec)
	if c, connectErr := r.backend.connect(ctx, ""); connectErr == nil {
		c.Reader.Invalidate()
	}
	end := s.result(s.finish(ctx, result, err))
	end.diags = s.diagnostics(result, err)
	return end
}

func newShiftRun(c change, w desired, noRecord bool) *shiftRun {
	s := &shiftRun{change: c, gates: w.gates}
	s.Apply = release.Apply{Desired: w.Desired, Started: time.Now(), Shifts: c.plan.Stable.IsUnknown(),
		Prior: planning{state: c.state, memory: c.memory, noRecord: noRecord}.prior(w)}
	s.Spec = s.Prior.Spec(s.Desired)
	return s
}

// finish ends the report of the shift, and names it in the state. The wait for notifications is no
// part of the shift.
func (s *shiftRun) finish(ctx context.Context, result rollout.Result, err error) release.End {
	s.reported = s.report.End(result, err)
	end := s.Finish(result, err)
	s.unsent = s.notices.End(ctx, result, err)
	if end.State != nil && end.State.LastShift != nil && end.State.LastShift.Started.Equal(s.Started) {
		end.State.LastShift.Report = s.reported.Page
	}
	return end
}

// platform is that of the planned routes.
func (s *shiftRun) platform() platform.Entry {
	p, _ := s.plan.platform()
	return p
}

// result is the model and the memory after an apply.
func (s *shiftRun) result(end release.End) applyResult {
	result := applyResult{model: s.plan, memory: end.Memory}
	switch {
	case end.Failure != nil && s.state == nil:
		return applyResult{}
	case end.Failure != nil:
		result.model = *s.state
		result.model.encode(*end.State)
		if end.RetryUsed {
			result.model.Retry = s.plan.Retry
		}
	case end.State != nil:
		result.model.encodeOutcome(*end.State)
	}
	return result
}

// diagnostics reports warnings, and why a shift did not complete.
func (s *shiftRun) diagnostics(result rollout.Result, err error) diag.Diagnostics {
	diags := append(s.warnings(result), s.unsent...)
	if err == nil {
		return diags
	}
	return append(diags, s.shiftFailed(result, release.FailureOf(err)))
}

// prepare completes the spec of a shift and checks what would prevent it from completing. A
// rollback or revert does not wait for target groups and gates that it does not need, and
// neither does a schedule that moves nothing.
func (r *switchResource) prepare(ctx context.Context, s *shiftRun, decided shift.Schedule) diag.Diagnostic {
	if len(s.Desired.Routes) == 0 {
		return noRoutes(s.platform().RoutesAt(), s.platform())
	}
	first := s.Desired.Routes[0].ID
	gates, failed := gates.Build(s.gates, r.backend.dependencies(ctx, s.platform(), first))
	if len(failed) > 0 && decided.Kind == shift.Forward {
		return s.gateRefused(failed[0])
	}
	c, err := r.backend.connect(ctx, first)
	if err == nil {
		err = c.CheckAccount(ctx)
	}
	if err == nil && (decided.Kind == shift.Forward || decided.Kind == shift.NoChange) {
		err = c.Groups.CheckGroups(ctx, entryGroups(s.Desired, decided.Attached)...)
	}
	if err != nil {
		return s.refusal(err)
	}
	s.Spec.ID = newID(s.Started)
	s.Spec.Router, s.Spec.RollbackRouter = c.Forward, c.Rollback
	s.keepRecord(r.backend, c.Recorder)
	s.report = r.backend.reports.Start(s.Apply, s.plan.Schedule.ValueString())
	s.Spec.Gates = gates
	s.notices = r.backend.notices.Start(ctx, s.Apply, s.report.Page())
	if !r.backend.noGuardian {
		s.Spec.StartGuardian = guard.Starter(c, s.report.Journal(), s.notices.Handover())
	}
	s.Spec.CredentialsLast = func(ctx context.Context, d time.Duration) error { return c.CredentialsLast(ctx, d+rollbackMargin) }
	log := eventLogger(ctx, "shift", s.Spec.ID)
	s.Spec.OnEvent = func(e rollout.Event) {
		s.report.OnEvent(e)
		s.notices.OnEvent(e)
		log(e)
	}
	return nil
}

// keepRecord completes how the shift keeps its record. No state remembers a failed Create,
// and nothing is remembered where Terraform is gone.
func (s *shiftRun) keepRecord(b *backend, recorder traffic.Recorder) {
	record := &s.Spec.Record
	record.Off = record.Off || recorder == nil
	record.Recorder, record.Template.Owner = recorder, owner.New(b.lookup)
	record.Abandoned, record.Reason = owner.Abandoned, release.Reason
	record.KeepCompleted = b.isUnsaved
	record.KeepFailed = func() bool { return s.state == nil || b.isUnsaved() }
	record.Later = func(shifts []string, remove func(context.Context) error) {
		b.ledger.End(shifts)
		b.busy.later(remove)
	}
}

// entryGroups returns the routes of each entry point with the target groups that are in an
// action during the shift.
func entryGroups(w release.Desired, attached []string) []traffic.Entry {
	var all []traffic.Entry
	for _, route := range w.Routes {
		if len(all) == 0 || all[len(all)-1].Name != route.Entry {
			all = append(all, traffic.Entry{Name: route.Entry})
		}
		last := &all[len(all)-1]
		last.Routes = append(last.Routes, route.ID)
	}
	for i := range all {
		for _, name := range w.Names() {
			if slices.Contains(attached, name) {
				all[i].Groups = append(all[i].Groups, w.Environments[name].Groups[all[i].Name])
			}
		}
	}
	return all
}

// newID returns the id of a shift or readiness check that starts now.
func newID(now time.Time) string {
	return fmt.Sprintf("%s-%04x", now.UTC().Format("20060102T150405Z"), rand.N(1<<16))
}

// eventLogger logs the events of the engine, each with what it belongs to ("shift" or
// "environment"); TF_LOG_PROVIDER=info shows them.
func eventLogger(ctx context.Context, of, name string) func(rollout.Event) {
	return func(e rollout.Event) {
		fields := map[string]any{of: name}
		for key, value := range map[string]string{"route": e.Route, "gate": e.Gate, "status": string(e.Status), "detail": e.Text} {
			if value != "" {
				fields[key] = value
			}
		}
		if e.Weights != nil {
			fields["weights"] = e.Weights.String()
		}
		tflog.Info(ctx, string(e.Kind), fields)
	}
}
