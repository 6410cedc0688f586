package route53

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// lateBatch is a batch that is in progress, or of which an attempt had no answer: Route 53 may still
// execute it, where every record set has the weight that the batch replaces.
type lateBatch struct {
	before map[string]map[string]int // by route and set identifier
}

// begin records a batch that is about to be sent. The returned function ends that, unless the batch
// may be executed later.
func (s *shared) begin(before map[string]map[string]int) (end func(answered bool)) {
	b := &lateBatch{before}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, b)
	return func(answered bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if answered {
			s.late = slices.DeleteFunc(s.late, func(other *lateBatch) bool { return other == b })
		}
	}
}

// Fence implements traffic.Fencer for batches of other processes. It returns false where the shares of
// desired have no other weights than those that such a batch replaces.
func (r *Router) Fence(route string, desired traffic.State, before []traffic.State) bool {
	parsed, err := ParseRoute(route)
	if err != nil {
		return false
	}
	k, weights, err := target(parsed, desired)
	if err != nil {
		return false
	}
	w := &write{route: parsed, weights: weights}
	if before == nil {
		all := mostOf(w.of(k.sets))
		r.shared.fence(route, all)
		return len(all) >= minDrawn
	}
	all := []map[string]int{}
	for _, state := range before {
		all = append(all, k.byIdentifier(state))
	}
	r.shared.fence(route, all)
	w.avoid = all
	return !contains(all, w.of(k.sets))
}

// minDrawn is from how many weights those of a rollback are drawn at least, so that they are hardly the ones
// that a batch of another process replaces. There are as many where one record set has all shares.
const minDrawn = 100

// fence makes the next writes of a rollback avoid weights, and those that the route has then.
func (s *shared) fence(route string, before []map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, weights := range before {
		s.late = append(s.late, &lateBatch{map[string]map[string]int{route: weights}})
	}
	if s.fenced == nil {
		s.fenced = map[string]bool{}
	}
	s.fenced[route] = true
}

// isFenced reports whether the route has not been written since Fence.
func (s *shared) isFenced(route string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fenced[route]
}

// byIdentifier returns the weights of all record sets in a state, by set identifier. A state has no group with
// weight 0.
func (k *raw) byIdentifier(s traffic.State) map[string]int {
	weights := map[string]int{}
	for _, set := range k.sets {
		weights[identifierOf(set)] = 0
	}
	for group, n := range s.Weights {
		weights[Identifier(group)] = n
	}
	return weights
}

// lateBefore returns the weights of a route that late batches replace.
func (s *shared) lateBefore(route string) []map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []map[string]int
	for _, b := range s.late {
		if weights := b.before[route]; weights != nil {
			all = append(all, weights)
		}
	}
	return all
}

// avoiding returns other weights for the same shares that are none of those, so that a batch that
// replaces one of those is refused: the nearest ones, or the weights themselves where there are none.
func avoiding(weights map[string]int, those []map[string]int) map[string]int {
	divisor, largest := sizeOf(weights)
	if divisor == 0 {
		return weights
	}
	for off := range maxWeight {
		for _, factor := range []int{divisor - off, divisor + off} {
			if factor < 1 || largest/divisor*factor > maxWeight {
				continue
			}
			if other := scaled(weights, divisor, factor); !contains(those, other) {
				return other
			}
		}
	}
	return weights
}

// mostOf returns all weights for the same shares but two that are drawn: nobody knows which weights the shift of
// another process has replaced, but these two are hardly among them. One of them may be what the route has now.
func mostOf(weights map[string]int) []map[string]int {
	divisor, largest := sizeOf(weights)
	if divisor == 0 {
		return nil
	}
	var others []map[string]int
	for factor := range maxWeight * divisor / largest {
		if factor++; factor != divisor {
			others = append(others, scaled(weights, divisor, factor))
		}
	}
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return append(others[:max(0, len(others)-2)], weights)
}

// sizeOf returns the greatest common divisor of weights, 0 if all are 0, and the largest of them.
func sizeOf(weights map[string]int) (divisor, largest int) {
	for _, n := range weights {
		divisor, largest = gcd(divisor, n), max(largest, n)
	}
	return divisor, largest
}

// scaled returns the weights with another greatest common divisor.
func scaled(weights map[string]int, divisor, factor int) map[string]int {
	next := map[string]int{}
	for identifier, n := range weights {
		next[identifier] = n / divisor * factor
	}
	return next
}

func contains(all []map[string]int, weights map[string]int) bool {
	return slices.ContainsFunc(all, func(other map[string]int) bool { return maps.Equal(other, weights) })
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// weightsBy returns the weights of record sets by set identifier.
func weightsBy(sets []types.ResourceRecordSet) map[string]int {
	weights := map[string]int{}
	for _, set := range sets {
		weights[identifierOf(set)] = weightOf(set)
	}
	return weights
}
