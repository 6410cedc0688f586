package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	cannotRollBack = "Cannot roll back"
	// lateFor is how long after its last sign of life a process may have had a write in progress.
	lateFor = 5 * time.Minute
)

// RollbackOptions are the arguments of a rollback.
type RollbackOptions struct {
	// To is the ARN of a target group, or the name of an environment. Empty: where the shift of the
	// record started.
	To      string
	Reason  string // empty: none is given
	Force   bool   // also to targets that are not healthy
	Timeout time.Duration
}

// Plan is a rollback that was decided and changed nothing yet.
type Plan struct {
	operator *Operator
	options  RollbackOptions
	shift    *traffic.Left   // nil: there is no record to mark
	states   []traffic.State // as read
	targets  []traffic.State
	warnings []string
	summary  string // of a Problem
	reason   string // in the record; empty: the version is not rejected
}

// PlanRollback decides what a rollback does.
func (o *Operator) PlanRollback(ctx context.Context, options RollbackOptions) (*Plan, error) {
	s, problem := o.read(ctx, cannotRollBack)
	if problem != nil {
		return nil, problem
	}
	p := &Plan{operator: o, options: options, states: s.states, summary: cannotRollBack}
	x, problem := p.choose(ctx, s)
	if problem != nil {
		return nil, problem
	}
	if x != nil {
		var full traffic.Left
		if s, full, problem = o.complete(ctx, s, *x, cannotRollBack); problem != nil {
			return nil, problem
		}
		p.shift, p.reason = &full, o.reason(full, options.Reason)
	}
	p.states = s.states
	if p.targets, problem = p.resolve(); problem == nil {
		problem = p.checkExist(ctx)
	}
	if problem != nil {
		return nil, problem
	}
	p.warnOthers(ctx)
	p.warnRunning()
	return p, nil
}

// reason is what a record says about a rollback. That of somebody who was first stays.
func (o *Operator) reason(x traffic.Left, given string) string {
	if x.Reason != "" {
		return x.Reason
	}
	text := "rolled back by " + o.Owner.String() + " with bluegreen rollback"
	if given != "" {
		text += ": " + given
	}
	return text
}

// choose returns the shift to roll back; nil: there is none, and none is needed.
func (p *Plan) choose(ctx context.Context, s seen) (*traffic.Left, *Problem) {
	o, open := p.operator, s.open()
	useTo := "To move the traffic all the same, name the " + o.Target.router().Backend + " or environment with --to."
	if s.unread != nil {
		return nil, p.unread(ctx, s.unread)
	}
	switch {
	case len(open) > 1:
		var all []string
		for _, x := range open {
			all = append(all, describe(x))
		}
		return nil, p.refuse("The routes have records of several shifts: "+strings.Join(all, "; ")+".", "Name the routes of one switch.")
	case len(open) == 0 && p.options.To != "":
		if text := o.unrecorded(); text != "" && p.options.Reason != "" {
			p.warn("The reason is not recorded, and no version is rejected: %s.", text)
		}
		return nil, nil
	case len(open) == 0 && len(s.shifts) > 0:
		x := s.shifts[len(s.shifts)-1]
		return nil, p.refuse(fmt.Sprintf("The shift %s has ended: %s.%s", x.Shift, phaseText(x.Phase), reasonText(x.Reason)), useTo)
	case len(open) == 0 && o.unrecorded() != "":
		return nil, p.refuse(o.unrecorded()+", so it is not known where the traffic was before.", p.nameTarget())
	case len(open) == 0:
		return nil, p.refuse("The routes have no record of a shift, so it is not known where the traffic was before.", useTo)
	}
	x := open[0]
	if x.Phase == traffic.PhaseCompleted && !o.isAbandoned(x) {
		if p.options.To != "" {
			return nil, nil
		}
		return nil, p.refuse(fmt.Sprintf("The shift %s has completed, and its apply is about to save that.", x.Shift), useTo)
	}
	if x.Reason != "" && !o.isAbandoned(x) {
		if p.options.To != "" {
			return nil, p.refuse(fmt.Sprintf("Another user is rolling the shift back: %s.", x.Reason), "Wait until that has ended. Run bluegreen status to see it.")
		}
		p.warn("Another user was first: %s. This command writes the same weights.", x.Reason)
	}
	if by := aborting(x); by != "" {
		p.warn("Another user was first: %s has requested a rollback from the shift, which has not responded yet. This command does not wait for it.", by)
	}
	return &x, nil
}

// unread is about records that could not be read: only --to says where the traffic belongs then.
func (p *Plan) unread(ctx context.Context, err error) *Problem {
	if p.options.To == "" {
		return p.operator.callProblem(ctx, p.summary, err)
	}
	p.warn("The records of the routes could not be read, so a running shift is not marked: %s.", oneLine(err.Error()))
	return nil
}

func (p *Plan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

func phaseText(phase traffic.Phase) string {
	switch phase {
	case traffic.PhaseRejected:
		return "it was rolled back, and its version is rejected"
	case traffic.PhaseRollingBack:
		return "it is being rolled back"
	case traffic.PhaseCompleted:
		return "it has completed"
	case traffic.PhaseStopped:
		return "it was stopped"
	case traffic.PhaseRolledBack:
		return "it was rolled back"
	default:
		return string(phase)
	}
}

func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return " " + sentence(reason)
}

// Text says what the rollback does, for people who are asked.
func (p *Plan) Text() string {
	var lines []string
	if p.shift != nil {
		lines = append(lines, fmt.Sprintf("Rolling back %s.", describe(*p.shift)))
	}
	for i, s := range p.states {
		route := p.operator.Target.Routes[i]
		lines = append(lines, fmt.Sprintf("%s: %s -> %s", label(route.ID, s), p.operator.Target.describe(route.Entry, s), p.operator.Target.describe(route.Entry, p.targets[i])))
	}
	for _, warning := range p.warnings {
		lines = append(lines, "Warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// Equal reports whether two plans do the same.
func (p *Plan) Equal(other *Plan) bool {
	return slices.EqualFunc(p.targets, other.targets, traffic.State.Equal) && slices.EqualFunc(p.states, other.states, traffic.State.EqualTraffic) &&
		(p.shift == nil) == (other.shift == nil) && (p.shift == nil || p.shift.Shift == other.shift.Shift)
}

// moves reports whether some route has other traffic than its target.
func (p *Plan) moves() bool {
	return !slices.EqualFunc(p.states, p.targets, traffic.State.EqualTraffic)
}

// Result is what a rollback or recovery did.
type Result struct {
	Switch   string        `json:"switch,omitempty"` // its address, where a command is about several
	Outcome  Outcome       `json:"outcome"`
	Shift    string        `json:"shift,omitempty"`
	Traffic  string        `json:"traffic,omitempty"` // where it is, for people
	Routes   []RouteStatus `json:"routes,omitempty"`
	Seconds  float64       `json:"restored_after_seconds,omitempty"` // from the decision until every route was read back, and was in sync on all servers
	TTL      float64       `json:"ttl_seconds,omitempty"`            // how long resolvers may keep earlier answers
	Rejected *Rejection    `json:"rejected,omitempty"`
	Detail   string        `json:"detail,omitempty"` // why nothing was done
	Warnings []string      `json:"warnings,omitempty"`
}

// Outcome is how a rollback or recovery ended.
type Outcome string

// The outcomes.
const (
	RolledBack   Outcome = "rolled_back"
	AlreadyThere Outcome = "already_there" // no traffic had to be moved
	Nothing      Outcome = "nothing_to_do"
)

// Run rolls back.
func (p *Plan) Run(ctx context.Context) (Result, error) {
	h := rollout.Handover{RollbackTimeout: p.options.Timeout, Moved: p.moves(), Reason: p.reason}
	by := rollout.Successor{Router: p.operator.Rollback, Recorder: p.operator.Recorder, Owner: p.operator.Owner, Force: p.options.Force}
	if x := p.shift; x != nil {
		h.Shift, h.Record = x.Shift, &rollout.HandedRecord{Record: x.Record, Routes: p.operator.Target.ids()}
		by.Alive = !p.operator.isAbandoned(*x)
	}
	watch := &noticing{Recorder: by.Recorder, reason: p.reason}
	if p.shift != nil {
		watch.shift, by.Recorder = p.shift.Shift, watch
		stop := watch.start(ctx, p.operator.Target.ids())
		defer stop()
	}
	late := p.isLate(h.Moved)
	if _, fences := by.Router.(traffic.Fencer); fences && p.shift == nil {
		by.Blind = true // without a record, a shift may have been killed in the middle of a write
	}
	for i, route := range p.operator.Target.Routes {
		h.Routes = append(h.Routes, rollout.HandedRoute{ID: route.ID, Entry: label(route.ID, p.states[i]), Current: p.states[i], Target: p.targets[i],
			Pending: late || by.Blind && h.Moved, Exact: late && !h.Moved}) // written although the traffic is there already
	}
	began, restored := time.Now(), time.Duration(0)
	back := map[string]bool{}
	by.OnEvent = func(e rollout.Event) {
		if e.Kind != rollout.WeightsVerified || back[e.Route] {
			return
		}
		back[e.Route] = true
		restored = time.Since(began)
		switch {
		case len(back) < len(p.states):
		case p.propagates() && h.Moved:
			p.operator.progress("The weights are written on every route. Waiting until all name servers have them.")
		case late && !h.Moved:
			p.operator.progress("The traffic was there already. Watching %s for writes that are carried out late.", schedule.FormatDuration(rollout.StaleFor))
		case late:
			p.operator.progress("The traffic is back on every route. Watching %s for writes that are carried out late.", schedule.FormatDuration(rollout.StaleFor))
		}
	}
	returned, err := rollout.RollBack(ctx, h, by)
	if err != nil {
		return Result{}, p.failed(ctx, returned, err)
	}
	if p.propagates() && returned.Moved {
		restored = time.Since(began)
	}
	if warning := watch.warning(); warning != "" {
		p.warn("%s", warning)
	}
	return p.result(returned, restored), nil
}

// isLate reports whether a write of the shift may be carried out after the rollback. While all traffic is at the
// target, an owner that runs sees the mark, and returns what it has just written itself.
func (p *Plan) isLate(moves bool) bool {
	if p.shift == nil || time.Since(rollout.RenewedAt(*p.shift)) >= lateFor {
		return false
	}
	ended, known := p.operator.Abandoned(p.shift.Owner)
	return moves || ended || !known
}

// result is a rollback that is done.
func (p *Plan) result(returned rollout.Returned, restored time.Duration) Result {
	r := Result{Outcome: RolledBack, Warnings: p.warnings, Seconds: restored.Seconds()}
	if !returned.Moved {
		r.Outcome, r.Seconds = AlreadyThere, 0
	} else {
		r.TTL = p.cached().Seconds()
	}
	var states []traffic.State
	for i, route := range returned.Routes {
		states = append(states, route.State)
		if route.Missing {
			r.Warnings = append(r.Warnings, p.operator.Target.Routes[i].ID+" does not exist.")
			continue
		}
		r.Routes = append(r.Routes, p.operator.routeStatus(i, route.State, nil))
	}
	r.Traffic = p.operator.Target.where(states)
	if p.shift == nil {
		return r
	}
	r.Shift = p.shift.Shift
	if p.reason != "" && p.shift.Version != "" {
		r.Rejected = &Rejection{Environment: p.shift.Environment, Version: p.shift.Version, Reason: p.reason}
	}
	if returned.Unmarked != nil {
		r.Rejected = nil
		r.Warnings = append(r.Warnings, fmt.Sprintf("The record of the shift could not be written (%s). A running apply reports an external change, and the next plan may not know who returned the traffic.", oneLine(returned.Unmarked.Error())))
	}
	return r
}

// failed is a rollback that did not reach its targets.
func (p *Plan) failed(ctx context.Context, returned rollout.Returned, err error) *Problem {
	t := p.operator.Target
	if errors.Is(err, rollout.ErrTargetUnhealthy) {
		return &Problem{Exit: Refused, Summary: p.summary, Traffic: t.where(p.states) + " " + unchanged, Cause: sentence(err.Error()),
			Action: "Make the targets there healthy, name another " + t.router().Backend + " or environment with --to, or use --force to move the traffic all the same.", Err: err}
	}
	var lines []string
	for i, route := range returned.Routes {
		text := t.describe(t.Routes[i].Entry, route.State)
		switch {
		case route.Missing:
			text = "does not exist"
		case !route.Read:
			text += " when last read"
		}
		lines = append(lines, label(t.Routes[i].ID, route.State)+": "+text)
	}
	problem := &Problem{Exit: Failed, Summary: "The rollback did not complete on every route", Traffic: strings.Join(lines, "; ") + ".", Cause: sentence(err.Error()),
		Action: "Fix what the cause names, then run the command again.", Err: err}
	if p.propagates() && p.isWritten(returned) {
		problem.Summary = "The rollback is written, but not known to be in sync on all servers"
		problem.Action = "Every route was read back with the weights of the rollback, so nothing has to be written again. Fix what the cause names, or check the answers of the name servers: Route 53 usually distributes a change within a minute."
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		problem.Cause, problem.Action = "The command was interrupted.", "Run it again."
	}
	return problem
}

// Text returns the result for people.
func (r Result) Text() string {
	var lines []string
	switch r.Outcome {
	case RolledBack:
		lines = append(lines, fmt.Sprintf("Traffic: %s Rolled back in %s.", r.Traffic, schedule.FormatDuration(time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))))
		if r.TTL > 0 {
			lines = append(lines, r.cachedText())
		}
	case AlreadyThere:
		lines = append(lines, fmt.Sprintf("Traffic: %s It was there already.", r.Traffic))
	case Nothing:
		lines = append(lines, r.Detail)
	}
	if x := r.Rejected; x != nil {
		lines = append(lines, fmt.Sprintf("Version %s of %s is rejected: %s.", x.Version, x.Environment, strings.TrimSuffix(x.Reason, ".")),
			"The next apply does not ship it again, unless it changes or the argument retry does.")
	}
	for _, warning := range r.Warnings {
		lines = append(lines, "Warning: "+warning)
	}
	return strings.Join(lines, "\n")
}
