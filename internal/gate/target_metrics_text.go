package gate

import (
	"math"
	"strconv"
)

func formatCount(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', -1, 64) }

func requestsText(n float64) string {
	if math.Round(n) == 1 {
		return "1 request"
	}
	return formatCount(n) + " requests"
}

func errorsText(n int) string {
	if n == 1 {
		return "1 error"
	}
	return strconv.Itoa(n) + " errors"
}

func percentagePoints(n string) string {
	if n == "1" {
		return "1 percentage point"
	}
	return n + " percentage points"
}

// percentText formats a rate as percent.
func percentText(rate float64, limit *float64) string { return formatDigits(100*rate, limit) + " %" }

// formatDigits formats a number with three digits, or with all if it would otherwise
// read as equal to a limit that it does not equal.
func formatDigits(v float64, limit *float64) string {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if limit != nil && short == *limit {
		return formatNumber(v)
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// formatP formats a p-value with two digits, or with five if it would otherwise read as
// equal to the threshold.
func formatP(p, threshold float64) string {
	const tiny = 1e-6
	short := strconv.FormatFloat(p, 'g', 2, 64)
	switch {
	case p < tiny && threshold > tiny:
		return "< 0.000001"
	case p != threshold && short == strconv.FormatFloat(threshold, 'g', 2, 64):
		return "= " + strconv.FormatFloat(p, 'g', 5, 64)
	}
	return "= " + short
}

func formatThreshold(threshold float64) string { return strconv.FormatFloat(threshold, 'g', 2, 64) }

func responsesText(n int) string {
	if n == 1 {
		return "1 response"
	}
	return strconv.Itoa(n) + " responses"
}
