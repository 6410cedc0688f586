// Package ledger is what the resources of one run of Terraform report to each other, in
// whatever order Terraform plans them.
package ledger

import (
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Ledger is what the resources of one provider configuration report to each other
// within one run of Terraform. It does not outlive the process: a plan and its apply
// have one each.
type Ledger struct {
	mu        sync.Mutex
	claimed   map[string]bool        // target groups of environments created or changed in this run
	destroyed map[string]string      // target groups of environments planned to be destroyed => environment
	remaining map[string]bool        // target groups of environments planned to stay
	used      map[string]shift.Share // target groups on which a switch is planned to leave traffic
	changed   map[string]Change
	switches  int                 // the last id that was given away
	routes    map[string]Switch   // routes of planned switches
	seen      map[string]bool     // routes of switches, planned or not
	switched  map[string]bool     // target groups of the environments of switches, planned or not
	planned   map[string]bool     // target groups of the environments of planned switches
	adopted   map[string][]string // groups of environments of switches, planned or not, by the id of the environment
	ended     map[string]bool     // shifts whose end is in the state
	tests     map[string]string   // test routes of environments that are planned to stay => environment
}

// Change is a planned change of an environment, which must not be made where
// its target groups carry traffic.
type Change struct {
	Environment string
	Changes     []string // for people
}

// New returns an empty Ledger.
func New() *Ledger {
	return &Ledger{
		claimed: map[string]bool{}, destroyed: map[string]string{}, remaining: map[string]bool{}, used: map[string]shift.Share{}, changed: map[string]Change{},
		routes: map[string]Switch{}, seen: map[string]bool{}, tests: map[string]string{}, ended: map[string]bool{}, switched: map[string]bool{}, planned: map[string]bool{}, adopted: map[string][]string{},
	}
}

// Claim records that an environment created or changed in this run has the target
// groups, so that another environment that had them before can be destroyed.
func (l *Ledger) Claim(groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.claimed[group] = true
	}
}

// Unclaimed returns the groups that no environment has claimed.
func (l *Ledger) Unclaimed(groups []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var free []string
	for _, group := range groups {
		if !l.claimed[group] {
			free = append(free, group)
		}
	}
	return free
}

// End records shifts whose end the state of a switch has, so that their records mean nothing.
func (l *Ledger) End(shifts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, shift := range shifts {
		l.ended[shift] = true
	}
}

// IsEnded reports whether End was called for a shift.
func (l *Ledger) IsEnded(shift string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended[shift]
}

// Destroy records the target groups of a protected environment that is planned to be
// destroyed. It returns true, and records nothing, where a switch leaves traffic on one
// of them: Terraform may plan the two in either order, so both sides check. A group that
// another environment has claimed stays in use: the apply of a replacement creates the new
// one first, then the switch leaves traffic on it, then the old one is planned again.
func (l *Ledger) Destroy(name string, groups []string) (left shift.Share, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		if share := l.used[group]; share > 0 && !l.remaining[group] && !l.claimed[group] {
			return share, true
		}
	}
	for _, group := range groups {
		l.destroyed[group] = name
	}
	return 0, false
}

// Use records a target group on which a switch is planned to leave traffic. It returns
// the environment that is planned to be destroyed with the group, unless another
// environment has the group as well.
func (l *Ledger) Use(group string, share shift.Share) (environment string, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[group] = share
	environment, is = l.destroyed[group]
	return environment, is && !l.remaining[group]
}

// Remain records the target groups of an environment that stays. An environment with the
// same groups that is destroyed beside it is what a replacement leaves over.
func (l *Ledger) Remain(groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.remaining[group] = true
	}
}

// RecordChange records a planned change of a protected environment that is not known to carry
// traffic.
func (l *Ledger) RecordChange(a Change, groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.changed[group] = a
	}
}

// IsChanged returns the planned change of the environment that has the group.
func (l *Ledger) IsChanged(group string) (a Change, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, is = l.changed[group]
	return a, is
}
