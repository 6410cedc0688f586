package operate

import (
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The outcomes of a journal that Watch recognizes.
const (
	outcomeCompleted  = "completed"
	outcomeRolledBack = "rolled_back"
	outcomeStopped    = "stopped"
)

// result is how the shift ended, as far as it was read; nil: it goes on.
func (w *watching) result() *report.Result {
	if !w.missing.IsZero() {
		if time.Since(w.missing) < w.GoneAfter {
			return nil
		}
		return w.gone()
	}
	x := w.shift
	reason := strings.TrimSuffix(x.Reason, ".")
	switch {
	case x.Phase == traffic.PhaseCompleted:
		return w.ended(outcomeCompleted, "")
	case x.Phase == traffic.PhaseRejected:
		return w.ended(outcomeRolledBack, join("the version is rejected", reason))
	case x.Phase == traffic.PhaseRolledBack:
		return w.ended(outcomeRolledBack, reason)
	case x.Phase == traffic.PhaseStopped:
		return w.ended(outcomeStopped, join("its process has ended, and on_interrupt leaves the traffic where it was", reason))
	case w.isAbandoned(x) && !w.isGuarded():
		return w.ended(Abandoned, "its process has ended. bluegreen recover returns the traffic")
	default:
		return nil
	}
}

// gone is a shift whose record was removed, as at the end of a shift. Only the weights say how it
// ended.
func (w *watching) gone() *report.Result {
	goal, origin := true, true
	for i, s := range w.states {
		id := w.Target.Routes[i].ID
		now := shift.Weights(traffic.KeyedShares(s))
		goal = goal && now.Equal(w.begun.To[id])
		origin = origin && now.Equal(w.begun.From[id])
	}
	switch {
	case goal:
		return w.ended(outcomeCompleted, "the record of the shift is gone, and every route has the weights that the shift was for")
	case origin:
		return w.ended(outcomeRolledBack, "the record of the shift is gone, and every route has the weights from before the shift")
	}
	return w.ended(Gone, "the record of the shift is gone, and the routes have neither the weights that the shift was for nor those from before it. The output of its apply says how it ended")
}

// ended is a result with the weights as last read.
func (w *watching) ended(outcome, reason string) *report.Result {
	r := &report.Result{Outcome: outcome, Reason: reason}
	owners := traffic.NewOwners(w.Target.groupsByEnvironment(), nil, groupName)
	for i, s := range w.states {
		route := report.RouteResult{ID: w.Target.Routes[i].ID, Response: s.Response}
		if s.Response == "" {
			route.Weights = report.PercentagesOf(owners.Weights(w.Target.Routes[i].Entry, s))
		}
		r.Routes = append(r.Routes, route)
	}
	return r
}

func join(text, more string) string {
	if more == "" {
		return text
	}
	return text + ": " + more
}
