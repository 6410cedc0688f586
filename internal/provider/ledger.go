package provider

import (
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// ledger is what the resources of one provider configuration tell each other
// within one run of Terraform. It does not outlive the process: a plan and its
// apply have one each.
type ledger struct {
	mu        sync.Mutex
	claimed   map[string]bool        // groups that an environment made or changed in this run stands for
	destroyed map[string]string      // groups of environments that are planned to be destroyed => name
	remaining map[string]bool        // groups of environments that are there and are planned to stay
	used      map[string]shift.Share // groups on which a switch is planned to leave traffic
	changed   map[string]environmentChange
}

// environmentChange is a planned change of an environment, by each of its groups, that
// must not be made where the group carries traffic.
type environmentChange struct {
	environment string
	changes     []string // in words
}

func newLedger() *ledger {
	return &ledger{claimed: map[string]bool{}, destroyed: map[string]string{}, remaining: map[string]bool{}, used: map[string]shift.Share{}, changed: map[string]environmentChange{}}
}

// claim says that an environment that was made or changed in this run stands
// for the groups: whoever else had them goes without a word.
func (l *ledger) claim(groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.claimed[group] = true
	}
}

// unclaimed are those of the groups that nobody has claimed.
func (l *ledger) unclaimed(groups []string) []string {
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

// destroy notes the groups of a protected environment that is planned to go. It
// returns true, and notes nothing, where a switch leaves traffic on one of them:
// Terraform plans the two in either order, and one of them is told.
func (l *ledger) destroy(name string, groups []string) (left shift.Share, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		if share := l.used[group]; share > 0 && !l.remaining[group] {
			return share, true
		}
	}
	for _, group := range groups {
		l.destroyed[group] = name
	}
	return 0, false
}

// use notes a group on which a switch is planned to leave traffic. It returns
// the environment that is planned to go with the group, unless another one has
// the group as well.
func (l *ledger) use(group string, share shift.Share) (doomed string, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[group] = share
	doomed, is = l.destroyed[group]
	return doomed, is && !l.remaining[group]
}

// remain notes the groups of an environment that is there and stays: what goes
// beside it with the same groups is what a replacement has left over.
func (l *ledger) remain(groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.remaining[group] = true
	}
}

// change notes a planned change of a protected environment that is not known to
// carry traffic.
func (l *ledger) change(a environmentChange, groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.changed[group] = a
	}
}

// isChanged returns what is planned for the environment of the group.
func (l *ledger) isChanged(group string) (a environmentChange, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, is = l.changed[group]
	return a, is
}
