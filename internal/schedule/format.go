package schedule

import (
	"strconv"
	"strings"
	"time"
)

// FormatDuration formats a duration as a user writes it: "1h30m", not "1h30m0s".
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// roundUp formats a duration, rounded up to whole seconds from 1s.
func roundUp(d time.Duration) string {
	if d < time.Second {
		return FormatDuration(d)
	}
	return FormatDuration((d + time.Second - 1).Truncate(time.Second))
}

// ordinal formats a position: 2 is "2nd".
func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return strconv.Itoa(n) + suffix
}

// RouteName names the n-th route (from 1) of the entry point, which has of routes.
func RouteName(entry string, n, of int) string {
	if of == 1 {
		return entry
	}
	return entry + ", " + ordinal(n) + " route"
}
