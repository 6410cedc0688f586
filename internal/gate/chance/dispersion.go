package chance

import "math"

const (
	// MinPeriods is the number of periods from which their scatter is estimated.
	MinPeriods = 3
	// minPairedPeriods is the same for a scatter that replaces the one of the history:
	// where errors are rare, fewer periods often have none and look steady by chance.
	minPairedPeriods = 4
	// assumedDesignEffect is used until the scatter can be estimated, as for a live
	// environment that is new or had no errors in an hour.
	assumedDesignEffect = 10
	// lowerQuartile is the first quartile of the standard normal distribution.
	lowerQuartile = -0.6745
)

// Counted is the requests of one side over a window: as a sum, and by period. The sum
// is not always that of the periods, because a response can be counted in a later
// period than its request.
type Counted struct {
	Sum     Share
	Periods []Share
}

// scatter is how much periods differ: Pearson's chi-square statistic and its degrees of
// freedom.
type scatter struct {
	chiSquare float64
	freedom   int
}

// scatterOf returns the scatter of the periods about their common rate.
func scatterOf(s Counted) scatter {
	var all scatter
	sum := sumOf(s.Periods)
	if sum.Bad == 0 || sum.Bad == sum.Total {
		return all // says nothing about runs of errors
	}
	p := sum.Rate()
	for _, at := range s.Periods {
		if n := float64(at.Total); n > 0 {
			all.chiSquare += square(float64(at.Bad)-n*p) / (n * p * (1 - p))
			all.freedom++
		}
	}
	all.freedom--
	return all
}

// pairedScatter returns the scatter of the difference between two samples of the same
// periods about their mean difference. What affects both sides at the same time, such
// as a slow database, cancels out.
//
// For each period, the fitted rates are those that sum to its errors and differ by the
// mean difference.
func pairedScatter(incoming, live Counted) scatter {
	var all scatter
	a, b := sumOf(incoming.Periods), sumOf(live.Periods)
	if a.Total == 0 || b.Total == 0 || a.Bad+b.Bad == 0 || a.Bad+b.Bad == a.Total+b.Total {
		return all
	}
	difference := a.Rate() - b.Rate()
	for i := range min(len(incoming.Periods), len(live.Periods)) {
		in, li := incoming.Periods[i], live.Periods[i]
		if in.Total == 0 || li.Total == 0 {
			continue
		}
		n, m := float64(in.Total), float64(li.Total)
		all.freedom++
		rate, share := float64(in.Bad+li.Bad)/(n+m), m/(n+m)
		p, q := clampRate(rate+difference*share), clampRate(rate-difference*(1-share))
		if variance := square(share)*n*p*(1-p) + square(1-share)*m*q*(1-q); variance > 0 {
			all.chiSquare += square(float64(in.Bad)-n*(rate+difference*share)) / variance
		}
	}
	all.freedom--
	return all
}

// designEffect returns how many errors count as one independent error; 1 if they are
// independent. It reports whether there were enough periods to estimate that.
//
// Errors come in runs: a client retries, a query fails for everybody who waits for it,
// a dependency stumbles for a minute. Then the number of errors in a period varies more
// than a binomial distribution does, by the factor chi-square / degrees of freedom
// (McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5). Dividing the
// errors and the requests by this factor before a test for independent requests is the
// method of Rao and Scott, Biometrics 48 (1992), 577-585.
//
// The result is an upper confidence limit of the factor (75 %, one-sided), which is
// 1.13 times the estimate for an hour of history and 3.5 times for three periods. The
// quantile of the chi-square distribution is that of Wilson and Hilferty, PNAS 17
// (1931), 684-688.
func (s scatter) designEffect(minPeriods int) (effect float64, isEstimated bool) {
	if s.freedom+1 < max(2, minPeriods) {
		return assumedDesignEffect, false
	}
	c := 2 / (9 * float64(s.freedom))
	root := 1 - c + lowerQuartile*math.Sqrt(c)
	return max(1, s.chiSquare/(float64(s.freedom)*root*root*root)), true
}

// dividedBy returns the number of independent requests that a proportion is worth.
// Fractions of an error are rounded in the given direction.
func (p Share) dividedBy(effect float64, round func(float64) float64) Share {
	if effect <= 1 {
		return p
	}
	total := max(1, math.Round(float64(p.Total)/effect))
	return Share{int(min(total, round(float64(p.Bad)/effect))), int(total)}
}

// interpolate returns the p-value of a number of bad requests that is divided by a
// design effect, between those of the whole numbers next to it. Korn and Graubard, Survey
// Methodology 24 (1998), 193-201, do the same for exact limits: they extend the binomial
// distribution to fractions, which rounding down would ignore although 19 of 20 errors
// of a run are in them.
func (p Share) interpolate(effect float64, pValue func(Share) float64) float64 {
	low := p.dividedBy(effect, math.Floor)
	atLow := pValue(low)
	part := float64(p.Bad)/max(1, effect) - float64(low.Bad)
	if part <= 0 || low.Bad >= low.Total {
		return atLow
	}
	atHigh := pValue(Share{low.Bad + 1, low.Total})
	return math.Pow(atLow, 1-part) * math.Pow(atHigh, part)
}

func sumOf(periods []Share) Share {
	var sum Share
	for _, p := range periods {
		sum.Bad, sum.Total = sum.Bad+p.Bad, sum.Total+p.Total
	}
	return sum
}

func square(x float64) float64       { return x * x }
func clampRate(rate float64) float64 { return min(1, max(0, rate)) }
