package chance

import "slices"

const (
	// minRankedPeriods is the number of periods of the history from which ranks count.
	minRankedPeriods = 20
	// maxRankedPeriods limits the work.
	maxRankedPeriods = 240
)

// rankPValue returns the p-value of the hypothesis that the periods of incoming are
// within the tolerance, compared with the periods of the history: the exact rank test
// of Mann and Whitney, Annals of Mathematical Statistics 18 (1947), 50-60. It counts
// the pairs of periods in which incoming has the higher rate. It is 1 if canRank is false.
//
// It assumes only that under the hypothesis any order of the periods is as likely, and
// nothing about the number of errors in one. So it finds a release whose every minute is
// somewhat worse, in traffic where the sum of errors says nothing because some minutes
// are very bad. Equal rates count against a fail, which is conservative.
func rankPValue(incoming, history Counted, h Tolerance) float64 {
	if !canRank(incoming, history) {
		return 1
	}
	won, all, before := 0, incoming.used(), history.used()
	for _, a := range all {
		for _, b := range before {
			if h.Excess(a, b) > 0 {
				won++
			}
		}
	}
	return winsTail(won, len(all), len(before))
}

// canRank reports whether there are enough periods, and not too many.
func canRank(incoming, history Counted) bool {
	n := len(incoming.used())
	return n > 0 && n <= maxRankedPeriods && len(history.used()) >= minRankedPeriods
}

// used returns the periods that have requests.
func (c Counted) used() []Share {
	return slices.DeleteFunc(slices.Clone(c.Periods), func(s Share) bool { return s.Total == 0 })
}

// winsTail returns the probability that incoming wins at least a number of the n*m pairs
// if every order of the n+m periods is as likely.
//
// The number of orders with u wins is the coefficient of q^u in the Gaussian binomial
// coefficient, the product of (1-q^(m+k))/(1-q^k) for k from 1 to n. Each factor is
// scaled by k/(m+k), so that the coefficients sum to 1.
func winsTail(won, n, m int) float64 {
	chance := make([]float64, n*m+1)
	chance[0] = 1
	for k := 1; k <= n; k++ {
		for u := len(chance) - 1; u >= m+k; u-- {
			chance[u] -= chance[u-m-k]
		}
		for u := k; u < len(chance); u++ {
			chance[u] += chance[u-k]
		}
		for u := range chance {
			chance[u] *= float64(k) / float64(m+k)
		}
	}
	tail := 0.0
	// The distribution is symmetric: u wins are as likely as n*m - u.
	for u := 0; u <= n*m-won; u++ {
		tail += chance[u]
	}
	return min(1, max(0, tail))
}
