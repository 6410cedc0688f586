package chance

import "math"

// binomialPMF returns P(X = k) for X binomial with n and p.
func binomialPMF(k, n int, p float64) float64 {
	switch {
	case p <= 0:
		return indicator(k == 0)
	case p >= 1:
		return indicator(k == n)
	}
	return math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// binomialTail returns P(X >= k) for X binomial with n and p. It sums away from the
// mean, where the terms fall ever faster.
func binomialTail(k, n int, p float64) float64 {
	if p <= 0 || p >= 1 || k <= 0 || k > n {
		return indicator(k <= 0 || p >= 1 && k <= n)
	}
	odds := p / (1 - p)
	if float64(k) <= float64(n)*p {
		term := binomialPMF(k-1, n, p)
		sum := term
		for i := k - 1; i > 0 && term > sum*1e-17; i-- {
			term *= float64(i) / float64(n-i+1) / odds
			sum += term
		}
		return max(0, 1-sum)
	}
	term := binomialPMF(k, n, p)
	sum := term
	for i := k; i < n && term > sum*1e-17; i++ {
		term *= float64(n-i) / float64(i+1) * odds
		sum += term
	}
	return min(1, sum)
}

func indicator(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func logChoose(n, k int) float64 {
	of := func(m int) float64 { v, _ := math.Lgamma(float64(m + 1)); return v }
	return of(n) - of(k) - of(n-k)
}
