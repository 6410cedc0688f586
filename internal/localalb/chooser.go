package localalb

import "sync"

// Chooser deals out turns by weight, smoothly and exactly: after any number of turns from the start every
// index has had within one turn of its exact share, and after as many turns as the weights sum up to each
// has had exactly its weight. It is safe for concurrent use.
//
// Of all indexes that are far enough behind their share, the turn goes to the one whose share overtakes it
// first. That is R. Tijdeman's answer to the chairman assignment problem (1980); it keeps every index within
// 1 − 1/(2n−2) turns of its share, which plain smooth round robin does not for more than two indexes.
type Chooser struct {
	mu      sync.Mutex
	weights []int
	total   int
	turn    int // turns in this cycle, < total
	given   []int
}

// NewChooser makes a chooser at the start of its cycle. Weights are not negative; an index with weight 0
// never gets a turn.
func NewChooser(weights []int) *Chooser {
	divisor := 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	c := &Chooser{weights: make([]int, len(weights)), given: make([]int, len(weights))}
	for i, w := range weights {
		if w > 0 {
			c.weights[i] = w / divisor
			c.total += c.weights[i]
		}
	}
	return c
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Next is the index whose turn it is, -1 where no weight is above 0.
func (c *Chooser) Next() int {
	if c.total == 0 {
		return -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	best := c.mostUrgent()
	c.given[best]++
	if c.turn == c.total {
		c.turn = 0
		clear(c.given)
	}
	return best
}

// mostUrgent compares in whole numbers: everything is multiplied by total and by scale = 2n-2.
func (c *Chooser) mostUrgent() int {
	live := 0
	for _, w := range c.weights {
		if w > 0 {
			live++
		}
	}
	scale := max(2*live-2, 1)
	best, bestRoom := -1, 0
	for i, w := range c.weights {
		behind := (w*c.turn - c.given[i]*c.total) * scale
		if w == 0 || (behind < c.total && live > 1) {
			continue
		}
		// room is how far the index may still fall behind, in turns; divided by its weight it is how soon.
		room := (scale-1)*c.total - behind
		if best < 0 || room*c.weights[best] < bestRoom*w {
			best, bestRoom = i, room
		}
	}
	return best
}
