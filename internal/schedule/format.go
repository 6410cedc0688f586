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

// And returns "a", "a and b" or "a, b and c".
func And(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// UnmanagedRoute is a warning about a route outside the switch that sends traffic to its
// environments.
func UnmanagedRoute(text string, environments []string) string {
	return text + " also forwards to " + And(environments) + " and is not managed by this switch."
}

// InlineEnvironments is a warning about environments that are listed in the switch itself.
func InlineEnvironments(names []string) string {
	return "Terraform does not order the removal of an inline environment (" + strings.Join(names, ", ") + ") after the shift. " +
		"Remove it, and what serves behind it, in a later apply, or use bluegreen_environment."
}

// WithoutVersion is a warning about inline environments that have no version. Terraform drops a
// misspelled argument there without a word.
func WithoutVersion(names []string) string {
	what, reads := "inline environment ", " has no version (a misspelled argument is dropped by Terraform)"
	if len(names) > 1 {
		what, reads = "inline environments ", " have no version (a misspelled argument is dropped by Terraform)"
	}
	return what + And(names) + reads + ", so every shift takes all steps and a bad release cannot be rejected."
}
