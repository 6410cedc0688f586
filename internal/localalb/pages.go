package localalb

import (
	"encoding/base64"
	"slices"
	"strconv"
)

const (
	maxPerCall  = 20  // ARNs or names in one Describe call
	maxPageSize = 400 // and the size of a page where none is asked for
)

func atMost20(n int, what string) error {
	if n > maxPerCall {
		return invalid("You cannot describe more than '%d' %s at a time", maxPerCall, what)
	}
	return nil
}

// wantedBy tells whether a value is asked for: no names at all ask for everything.
func wantedBy(asked []string, value string) bool {
	return len(asked) == 0 || slices.Contains(asked, value)
}

func distinct(values []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(values))))
}

func mapTo[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// paginate cuts the page that the call asks for and answers the marker of the next one, "" on the last.
func paginate[T any](c *call, all []T) ([]T, string, error) {
	size, err := c.number("PageSize", 1, maxPageSize)
	if err != nil {
		return nil, "", err
	}
	start := 0
	if marker := c.text("Marker"); marker != "" {
		raw, err := base64.URLEncoding.DecodeString(marker)
		if err != nil {
			return nil, "", invalid("The marker '%s' is not valid", marker)
		}
		if start, err = strconv.Atoi(string(raw)); err != nil || start < 0 {
			return nil, "", invalid("The marker '%s' is not valid", marker)
		}
	}
	if size == nil {
		size = new(maxPageSize)
	}
	start = min(start, len(all))
	end := min(start+*size, len(all))
	if end == len(all) {
		return all[start:end], "", nil
	}
	return all[start:end], base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(end))), nil
}
