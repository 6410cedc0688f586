package release

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// goal identifies the desired weights with the versions and groups of the environments
// that have a share. Names do not matter: renaming an environment moves no traffic.
func (w Desired) goal() string {
	var parts []string
	for _, name := range w.Weights.Names() {
		parts = append(parts, fmt.Sprintf("%s %d %s\n", w.Environments[name].groupsID(), w.Weights[name], w.VersionOf(name)))
	}
	slices.Sort(parts)
	if parts == nil {
		return ""
	}
	return traffic.GroupKey(fmt.Sprint(parts))
}

// gaining returns the environment with a version that gains the largest share; empty
// where none does.
func (w Desired) gaining(from shift.Weights) string {
	most := ""
	for _, name := range w.Weights.Gaining(from) {
		if w.VersionOf(name) != "" && (most == "" || w.Weights[name]-from[name] > w.Weights[most]-from[most]) {
			most = name
		}
	}
	return most
}

// unreleased returns what the last completed shift left, without what an environment lacks
// at the start that has another version since: that version gains what it gets back.
func unreleased(spec rollout.Spec, stable, observed shift.Weights) shift.Weights {
	w := maps.Clone(stable)
	for name := range w {
		if spec.Request.Environment(name).VersionChanged {
			w[name] = min(w[name], observed[name])
		}
	}
	return w
}

// records is what a plan knows of the records of shifts.
type records struct{ Prior }

// recordSpec is what is known of records without a call.
func (p records) recordSpec(w Desired, spec rollout.Spec) rollout.RecordSpec {
	s := rollout.RecordSpec{Off: p.platform.NoRecord, Switches: p.switches(w), Ended: p.Memory.Ended, Left: p.left(w), Running: p.running(w)}
	if a := p.Memory.Attempt; a != nil && a.Unrecorded && s.Left == nil {
		s.Off = true // what that apply left cannot be distinguished from an external change
	}
	name := w.gaining(unreleased(spec, spec.Stable, p.observedMean(w, spec.Owners)))
	s.Template = traffic.Record{Switch: traffic.SwitchID(w.Routes), Routes: len(w.Routes), Goal: w.goal(),
		Environment: name, Version: w.VersionOf(name)}
	if w.Retry != "" {
		s.Template.Retry = traffic.GroupKey(w.Retry)
	}
	return s
}

// switches returns the ids by which records are those of this switch.
func (p records) switches(w Desired) []string {
	ids := []string{traffic.SwitchID(w.Routes)}
	if p.State != nil {
		ids = append(ids, traffic.SwitchID(p.State.Routes))
	}
	return ids
}

// running describes the unfinished shift of this switch whose owner is not known to have ended;
// empty: there is none.
func (p records) running(w Desired) string {
	left := p.left(w)
	i := slices.IndexFunc(p.Memory.Records, func(r RecordMemory) bool { return left != nil && r.Shift == left.Shift && !r.Abandoned })
	if i < 0 {
		return ""
	}
	return rollout.Describe(*left)
}

// left returns the unfinished shift of this switch, nil where there is none.
func (p records) left(w Desired) *traffic.Left {
	for _, r := range slices.Backward(p.Memory.Records) {
		if slices.Contains(p.switches(w), r.Switch) && p.Memory.isOpen(r) {
			return &r.Left
		}
	}
	if p.Memory.Attempt != nil {
		return p.Memory.Attempt.Left
	}
	return nil
}

// isOpen reports whether a record is that of a shift that did not end.
func (m Memory) isOpen(r RecordMemory) bool { return r.IsOpen() && !slices.Contains(m.Ended, r.Shift) }

// otherSwitch describes an abandoned shift of another switch; empty: there is none.
func (p records) otherSwitch(w Desired) string {
	for _, r := range p.Memory.Records {
		if !slices.Contains(p.switches(w), r.Switch) && p.Memory.isOpen(r) && r.Abandoned && r.Phase != traffic.PhaseCompleted {
			return rollout.Describe(r.Left)
		}
	}
	return ""
}

// closedRecord returns the id of a record of this switch whose shift has ended.
func (p records) closedRecord(w Desired) string {
	for _, r := range p.Memory.Records {
		if slices.Contains(p.switches(w), r.Switch) && !p.Memory.isOpen(r) {
			return r.Shift
		}
	}
	return ""
}

// UpdateRecords takes over the records of the routes. What they say about a version is
// true, also where the apply that wrote it was not able to save it. abandoned is
// rollout.RecordSpec.Abandoned.
func (s *Observation) UpdateRecords(found []traffic.Left, abandoned func(traffic.Owner) (bool, bool), now time.Time) {
	found = append(slices.Clone(found), s.lostRecords(found)...)
	s.Memory.Records = nil
	for _, x := range found {
		gone, known := abandoned(x.Owner)
		ended := slices.Contains(s.Memory.Ended, x.Shift)
		if ended && known && !gone {
			continue // the process that saved its end is about to remove it
		}
		r := RecordMemory{Left: x, Abandoned: known && gone || !known && now.Sub(x.Expires) > rollout.AbandonedAfter}
		s.Memory.Records = append(s.Memory.Records, r)
		if ended || x.Switch != traffic.SwitchID(s.State.Routes) {
			continue
		}
		reason := x.Reason
		if reason == "" && r.Abandoned && s.isReturned(x) && !s.areReset(slices.Collect(maps.Keys(x.From))) {
			reason = movedExternally
		}
		if reason != "" {
			s.reject(&IdentityMemory{Environment: x.Environment, Version: s.versionOf(x), Reason: reason, At: now, Retry: x.Retry})
		}
		if reason != "" && (!x.IsOpen() || reason == movedExternally) { // once
			s.Memory.Ended = append(s.Memory.Ended, x.Shift)
		}
	}
	s.forgetEnded()
	if s.Memory.Records != nil {
		s.State.Schedule = "" // so that the plan shows it
	}
}

// lostRecords returns the open records that the refresh before found and the routes do not
// have any more, while their traffic is still where such a shift leaves it: hashicorp/aws
// removes tags that it does not know, so a missing tag is no proof.
func (s *Observation) lostRecords(found []traffic.Left) []traffic.Left {
	var lost []traffic.Left
	for _, r := range s.Memory.Records {
		again := slices.ContainsFunc(found, func(x traffic.Left) bool { return x.Shift == r.Shift })
		if !again && r.Switch == traffic.SwitchID(s.State.Routes) && s.Memory.isOpen(r) && s.isBetween(r.From, r.To) {
			lost = append(lost, r.Left)
		}
	}
	return lost
}

// isBetween reports whether every route of a shift has shares from From to To.
func (s *Observation) isBetween(from, to map[string]map[string]shift.Share) bool {
	for route := range to {
		seen, ok := s.Memory.Routes[route]
		now := traffic.KeyedShares(seen.State())
		if !ok || now == nil || !shift.Weights(now).IsBetween(from[route], to[route]) {
			return false
		}
	}
	return len(to) > 0
}

// forgetEnded drops the oldest of many shifts that have ended.
func (s *Observation) forgetEnded() {
	const most = 20
	if n := len(s.Memory.Ended); n > most {
		s.Memory.Ended = slices.Clone(s.Memory.Ended[n-most:])
	}
}

// versionOf returns the version that a record names, also where it was cut there.
func (s *Observation) versionOf(x traffic.Left) string {
	for _, version := range []string{s.State.Environments[x.Environment].Version, s.State.Stable.Versions[x.Environment]} {
		if traffic.SameValue(x.Version, version) {
			return version
		}
	}
	return x.Version
}

// isReturned reports whether the traffic of a shift that did not end is where it started,
// although it was read back elsewhere, and the shift did not say that it rolls back itself.
func (s *Observation) isReturned(x traffic.Left) bool {
	return x.IsOpen() && x.Phase != traffic.PhaseRollingBack && x.Reached > 0 && !slices.Contains(s.Memory.Ended, x.Shift) && s.isBackAt(x.From)
}

// isBackAt reports whether every route has the shares from which a shift started.
func (s *Observation) isBackAt(from map[string]map[string]shift.Share) bool {
	for route, shares := range from {
		seen, ok := s.Memory.Routes[route]
		if !ok || shares == nil || !maps.Equal(withoutZero(traffic.KeyedShares(seen.State())), withoutZero(shares)) {
			return false
		}
	}
	return len(from) > 0
}

func withoutZero(shares map[string]shift.Share) map[string]shift.Share {
	some := maps.Clone(shares)
	maps.DeleteFunc(some, func(_ string, s shift.Share) bool { return s == 0 })
	return some
}
