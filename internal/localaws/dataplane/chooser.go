package dataplane

import "sync"

// Chooser distributes turns by weight, smoothly and exactly. After any number of turns from the start, every
// index has had its exact share to within one turn; after as many turns as the sum of the weights, each has had
// exactly its weight. It is safe for concurrent use.
//
// Among the indexes that lag their share enough, it picks the one with the earliest deadline. This is the
// algorithm of R. Tijdeman for the chairman assignment problem (1980). It keeps every index within
// 1 − 1/(2n−2) turns of its share; plain smooth round robin does not for more than two indexes.
type Chooser struct {
	mu      sync.Mutex
	weights []int
	total   int
	turn    int // turns so far in this cycle, < total
	counts  []int
}

// NewChooser returns a Chooser at the start of its cycle. Weights must not be negative. An index with weight 0
// is never chosen.
func NewChooser(weights []int) *Chooser {
	divisor := 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	c := &Chooser{weights: make([]int, len(weights)), counts: make([]int, len(weights))}
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

// Next returns the index of the next turn, -1 if no weight is positive.
func (c *Chooser) Next() int {
	if c.total == 0 {
		return -1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	best := c.mostUrgent()
	c.counts[best]++
	if c.turn == c.total {
		c.turn = 0
		clear(c.counts)
	}
	return best
}

// mostUrgent uses integers only: all quantities are multiplied by total and by scale = 2n-2.
func (c *Chooser) mostUrgent() int {
	positive := 0
	for _, w := range c.weights {
		if w > 0 {
			positive++
		}
	}
	scale := max(2*positive-2, 1)
	best, bestSlack := -1, 0
	for i, w := range c.weights {
		lag := (w*c.turn - c.counts[i]*c.total) * scale
		if w == 0 || (lag < c.total && positive > 1) {
			continue
		}
		// slack is how much further the index may lag; divided by its weight it is the time to its deadline.
		slack := (scale-1)*c.total - lag
		if best < 0 || slack*c.weights[best] < bestSlack*w {
			best, bestSlack = i, slack
		}
	}
	return best
}
