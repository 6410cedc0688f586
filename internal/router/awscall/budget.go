package awscall

import (
	"slices"
	"sync"
)

// Budget limits which groups are read in a run.
type Budget struct {
	mu    sync.Mutex
	Left  int // may still be read
	spent map[string]bool
}

// Admit returns the groups that may be read: those that were before, and others while some
// are left.
func (b *Budget) Admit(groups []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(groups), func(group string) bool {
		if b.spent[group] {
			return false
		}
		if b.Left == 0 {
			return true
		}
		if b.spent == nil {
			b.spent = map[string]bool{}
		}
		b.Left, b.spent[group] = b.Left-1, true
		return false
	})
}
