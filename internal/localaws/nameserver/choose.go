package nameserver

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// chooser chooses among weighted record sets.
type chooser struct {
	exact bool

	mu     sync.Mutex
	cycles map[cycleKey]*cycle
}

type cycleKey struct {
	zone string
	Key
}

// cycle is an exact distribution among the record sets with a name and a type.
type cycle struct {
	sets string // their identifiers and weights
	*dataplane.Chooser
}

func newChooser(exact bool) chooser { return chooser{exact: exact, cycles: map[cycleKey]*cycle{}} }

// choose returns one of the record sets, which must not be empty.
func (c *chooser) choose(at cycleKey, sets []Set) Set {
	if len(sets) == 1 {
		return sets[0]
	}
	weights, total := weightsOf(sets)
	if c.exact {
		return sets[c.next(at, sets, weights)]
	}
	turn := rand.IntN(total)
	for i, w := range weights {
		if turn < w {
			return sets[i]
		}
		turn -= w
	}
	return sets[len(sets)-1] // not reached: turn is below the sum of the weights
}

// next returns the index of the next turn. Other record sets, or other weights, start a new cycle.
func (c *chooser) next(at cycleKey, sets []Set, weights []int) int {
	text := ""
	for i, set := range sets {
		text += fmt.Sprintf("%q %d ", set.ID, weights[i])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cycles[at] == nil || c.cycles[at].sets != text {
		c.cycles[at] = &cycle{sets: text, Chooser: dataplane.NewChooser(weights)}
	}
	return c.cycles[at].Next()
}

// weightsOf returns the weights of record sets. If all are 0, they have equal shares.
func weightsOf(sets []Set) (weights []int, total int) {
	for _, set := range sets {
		weights = append(weights, set.Weight)
		total += set.Weight
	}
	if total > 0 {
		return weights, total
	}
	for i := range weights {
		weights[i] = 1
	}
	return weights, len(weights)
}

// candidates returns the record sets that may answer. Those with a weight go before those of weight 0, and healthy ones
// before others. If none is healthy, all count as healthy.
func candidates(sets []Set, healthy func(Set) bool) []Set {
	var weighted, idle []Set
	for _, set := range sets {
		switch {
		case !healthy(set):
		case set.Weight > 0:
			weighted = append(weighted, set)
		default:
			idle = append(idle, set)
		}
	}
	switch {
	case len(weighted) > 0:
		return weighted
	case len(idle) > 0:
		return idle
	}
	return sets
}
